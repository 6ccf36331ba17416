"""Load on a running gatekeeper: a clock, threads that keep asking, and models scored by hand."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import numpy as np
from model_files import constant_model
from promotion_steps import by_hand_as_of
from registry_site import OWN, Site

from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper, Scores

MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)
ROWS = np.random.default_rng(7).uniform(-1, 1, (64, 7)).astype(np.float32)
WEDNESDAY = datetime(2018, 11, 7, 12, tzinfo=UTC)


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return MONDAY + timedelta(seconds=self.now)


def until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait, and fail where it doesn't happen."""
    deadline = monotonic() + seconds
    while not happened():
        assert monotonic() < deadline
        Event().wait(0.002)


def files(site: Site, registry: Registry, model_id: int) -> tuple[Path, Path]:
    """The named file and the blob of a model."""
    model = registry.model(model_id)
    return site.models / model.file_name, site.models / ".blobs" / str(model.sha256)


def overwrite(file: Path, content: bytes) -> None:
    """Other bytes in its place, at once: nobody sees half of them."""
    half = file.with_name(f".tmp-{file.name}")
    half.write_bytes(content)
    half.replace(file)


@contextmanager
def watching(registry: Registry, **options: object) -> Iterator[Gatekeeper]:
    gatekeeper = Gatekeeper(registry, poll_seconds=0.01, **options)  # type: ignore[arg-type]
    gatekeeper.start()
    try:
        yield gatekeeper
    finally:
        gatekeeper.stop()


class Load:
    """Threads that keep asking, each its own ideas: is the answer that of the model that it names?

    After four requests each lets the others go on for a moment: a promotion has to get a word in.
    """

    def __init__(self, gatekeeper: Gatekeeper, expected: dict[str, np.ndarray], threads: int) -> None:
        self._gatekeeper = gatekeeper
        self._expected = expected
        self._over = Event()
        self._threads = [Thread(target=self._ask, args=[number]) for number in range(threads)]
        self.counts = [0] * threads
        self.named: Counter[str] = Counter()
        self.errors: list[str] = []

    def _ask(self, number: int) -> None:
        place = number
        while self.counts[number] % 4 or not self._over.wait(0.003):
            row = ROWS[place : place + 1]
            try:
                scores = self._gatekeeper.score(row if place % 2 else row.tolist())
                self._check(scores, place)
            except Exception as fault:  # noqa: BLE001  # whatever it is, a score failed
                self.errors.append(repr(fault))
            self.counts[number] += 1
            place = (place + 8) % len(ROWS)

    def _check(self, scores: Scores, place: int) -> None:
        if abs(float(scores.values[0]) - float(self._expected[scores.sha256][place])) > 1e-6:
            self.errors.append(f"row {place}: {scores}")
        self.named[scores.sha256] += 1

    @property
    def asked(self) -> int:
        return sum(self.counts)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def coefficients(number: int) -> Sequence[float]:
    return np.random.default_rng(number).uniform(-1, 1, 7).astype(np.float32).tolist()


def by_hand(number: int) -> np.ndarray:
    """The scores of model `number` for ROWS, in double precision."""
    return 1 / (1 + np.exp(-(ROWS.astype(np.float64) @ np.asarray(coefficients(number), dtype=np.float64))))


def add(registry: Registry, score: float, *, promoted: int | None = None) -> int:
    """A model that gives every idea `score`, promoted on day number `promoted` if that is given."""
    model = registry.register(constant_model(score), details=OWN)
    if promoted is not None:
        with by_hand_as_of(WEDNESDAY + timedelta(days=promoted)):
            registry.promote(model.id, actor="test", reason="test")
    return model.id


def folder(registry: Registry, tmp_path: Path, model_id: int) -> tuple[Path, Path]:
    """The named file and the blob of a model."""
    model = registry.model(model_id)
    return tmp_path / "models" / model.file_name, tmp_path / "models" / ".blobs" / str(model.sha256)


def judged(registry: Registry, challenger: int, champion: int, verdict: str = "promote", kind: str = "weekly") -> None:
    """An evaluation of one model against another, with this answer."""
    registry.record_evaluation(
        challenger=challenger,
        champion=champion,
        generation=registry.generation(),
        as_of=WEDNESDAY,
        kind=kind,
        verdict=verdict,
        document={},
        run_key=f"run {challenger}",
        report=None,
    )


def spoil(*files: Path) -> None:
    """Other bytes in the same place, as `cp other.onnx FILE` would leave them; the file's mode is no guard."""
    for file in files:
        file.chmod(0o644)
        file.write_bytes(constant_model(0.999))
