"""Counters of one process since its start: requests, durations, decisions, failures."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gatekeeper.serving.decision_log.idea_file import Claim

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)  # seconds
TIMED = ("/v1/score", "/v1/outcomes")
PATHS = frozenset({*TIMED, "/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json"})
SYMBOLS = 100  # the limit of the label `symbol`, which callers choose
OTHER = "other"
CUT = ("idle", "head", "body", "unread", "linger", "connections", "memory")  # why the server ended a connection


class Duration(msgspec.Struct):
    """A histogram: `counts` per bucket, the last one for longer durations, and the sum in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Counts(msgspec.Struct):
    """All counters, which only grow. Those of several processes add up."""

    requests: dict[str, dict[int, int]] = {}
    durations: dict[str, Duration] = {}
    decisions: dict[str, list[int]] = {}  # symbol: [approved, vetoed]
    unscored: int = 0  # ideas decided without a score
    unlogged: int = 0  # ideas answered with `logged: false`
    repeated: int = 0  # ideas answered with their first decision
    reused: int = 0  # ideas refused, since their id belongs to another one
    conflicts: int = 0  # ideas with another decision in the database
    failures: dict[str, int] = {}  # refused models, by reason
    dropped: int = 0
    rejected: int = 0
    torn: int = 0
    cut: dict[str, int] = {}  # connections that the server ended, by reason
    loop_failures: dict[str, int] = {}  # failed turns of background loops, by name

    def add(self, other: "Counts") -> None:
        """Add another process's counts."""
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
        for own_counts, others in (
            (self.failures, other.failures),
            (self.cut, other.cut),
            (self.loop_failures, other.loop_failures),
        ):
            for reason, count in others.items():
                own_counts[reason] = own_counts.get(reason, 0) + count
        self.unscored += other.unscored
        self.unlogged += other.unlogged
        self.repeated += other.repeated
        self.reused += other.reused
        self.conflicts += other.conflicts
        self.dropped += other.dropped
        self.rejected += other.rejected
        self.torn += other.torn


class Counters:
    """The counters of this process. Only the event loop may update them."""

    def __init__(self) -> None:
        self.counts = Counts(durations={path: Duration() for path in TIMED}, cut=dict.fromkeys(CUT, 0))

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one answered request; `status` 0 if its caller had gone."""
        statuses = self.counts.requests.setdefault(path if path in PATHS else OTHER, {})
        statuses[status] = statuses.get(status, 0) + 1
        duration = self.counts.durations.get(path)
        if duration is not None:
            duration.add(seconds)

    def cut(self, reason: str) -> None:
        """Count one connection that the server ended."""
        self.counts.cut[reason] = self.counts.cut.get(reason, 0) + 1

    def decided(self, made: Sequence["Claim"], *, logged: bool) -> None:
        """Count ideas: decided, repeated and refused ones. Call it in the event loop alone, as `request`."""
        decisions = self.counts.decisions
        for one, repeated, _ in made:
            if one is None:
                self.counts.reused += 1
                continue
            self.counts.unlogged += not logged
            if repeated:
                self.counts.repeated += 1
                continue
            pair = decisions.get(one.symbol)
            if pair is None:
                pair = decisions.setdefault(one.symbol if len(decisions) < SYMBOLS else OTHER, [0, 0])
            pair[not one.approved] += 1
            self.counts.unscored += one.score is None
