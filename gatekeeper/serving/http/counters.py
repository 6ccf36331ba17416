"""What has this process done since it began? Counts that cost a request next to nothing."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gatekeeper.serving.decision_log.log import Decision

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)  # seconds
TIMED = ("/v1/score", "/v1/outcomes")
PATHS = frozenset({*TIMED, "/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json"})
SYMBOLS = 100  # what a caller can make up must not fill the monitoring
OTHER = "other"


class Duration(msgspec.Struct):
    """A histogram: `counts` per bucket, the last one for what is longer, and the sum in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Counts(msgspec.Struct):
    """All that only grows. Several processes' counts add up."""

    requests: dict[str, dict[int, int]] = {}
    durations: dict[str, Duration] = {}
    decisions: dict[str, list[int]] = {}  # symbol: [approved, vetoed]
    unscored: int = 0  # ideas that were decided without a score
    unlogged: int = 0  # ideas whose answer said `logged: false`
    failures: dict[str, int] = {}  # models that were refused, by reason
    dropped: int = 0
    rejected: int = 0
    torn: int = 0

    def add(self, other: "Counts") -> None:
        """Take in what another process counted."""
        for path, statuses in other.requests.items():
            own = self.requests.setdefault(path, {})
            for status, count in statuses.items():
                own[status] = own.get(status, 0) + count
        for path, duration in other.durations.items():
            mine = self.durations.setdefault(path, Duration())
            mine.counts = [a + b for a, b in zip(mine.counts, duration.counts, strict=True)]
            mine.total += duration.total
        for symbol, (approved, vetoed) in other.decisions.items():
            name = symbol if symbol in self.decisions or len(self.decisions) < SYMBOLS else OTHER
            sums = self.decisions.setdefault(name, [0, 0])
            sums[0] += approved
            sums[1] += vetoed
        for reason, count in other.failures.items():
            self.failures[reason] = self.failures.get(reason, 0) + count
        self.unscored += other.unscored
        self.unlogged += other.unlogged
        self.dropped += other.dropped
        self.rejected += other.rejected
        self.torn += other.torn


class Meters:
    """The counts of this process as they grow. Of the event loop alone."""

    def __init__(self) -> None:
        self.counts = Counts(durations={path: Duration() for path in TIMED})

    def request(self, path: str, status: int, seconds: float) -> None:
        """One answer is out; `status` 0: its caller had gone."""
        statuses = self.counts.requests.setdefault(path if path in PATHS else OTHER, {})
        statuses[status] = statuses.get(status, 0) + 1
        duration = self.counts.durations.get(path)
        if duration is not None:
            duration.add(seconds)

    def decided(self, made: Sequence["Decision"], *, logged: bool) -> None:
        """Ideas were decided. Called in the event loop alone, as `request` is."""
        decisions = self.counts.decisions
        for one in made:
            pair = decisions.get(one.symbol)
            if pair is None:
                pair = decisions.setdefault(one.symbol if len(decisions) < SYMBOLS else OTHER, [0, 0])
            pair[not one.approved] += 1
            self.counts.unscored += one.score is None
            self.counts.unlogged += not logged
