"""Rehearsed weeks: the model and the dataset of each Monday, made once for all policies and cached on disk."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from signal import SIG_BLOCK, SIG_DFL, SIG_SETMASK, SIG_UNBLOCK, SIGINT, pthread_sigmask, signal
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from gatekeeper.documents.evidence import PooledHistory
from gatekeeper.documents.rehearsal import RefitFile, WeekFile, week_read, week_written
from gatekeeper.errors import AsOfError, DataError, ExportRefused, TrainingRefused
from gatekeeper.files import write_whole
from gatekeeper.market.ideas import Dataset, instant
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.market.sources import Known

# What fails one Monday's run and leaves the next one alone.
_OF_ONE_WEEK = (TrainingRefused, ExportRefused, DataError, AsOfError)


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """One Monday: its challenger's bytes and the ideas that judge it, or the reason that it has none."""

    as_of: datetime
    content: bytes | None
    trained_to: datetime | None
    dataset: Dataset | None
    refusal: str | None
    refit: bytes | None = None
    refit_to: datetime | None = None
    """The end of the refit's training data."""
    refit_refusal: str | None = None
    pool: PooledHistory | None = None
    """The ideas that were known before its window, as the weekly run's dataset has them."""

    @property
    def name(self) -> str:
        """The name of its challenger."""
        return f"{self.as_of:%Y-%m-%d}"


def prepare(
    as_ofs: tuple[datetime, ...], settings: Settings, folder: Path, *, jobs: int, refits: bool = False
) -> Iterator[datetime]:
    """Make the missing weeks in `jobs` processes of one thread each; yields each Monday as soon as it is ready.

    refits: make each model's refit on all data to the as-of as well. Finished weeks stay if this is interrupted. Raises
    GatekeeperError for a fault that would stop every Monday.
    """
    missing = []
    for as_of in as_ofs:
        if _is_made(folder, as_of, refits=refits):
            yield as_of
        else:
            missing.append(as_of)
    if jobs == 1 or len(missing) < 2:
        maker = Maker.of(settings, folder, refits)
        for as_of in missing:
            maker.make(as_of)
            yield as_of
        return
    with ProcessPoolExecutor(min(jobs, len(missing)), get_context("spawn"), initializer=_end_at_ctrl_c) as pool:
        with _ctrl_c_waits():  # a worker that still starts would answer it with a traceback
            under_way = {pool.submit(_make, as_of, settings, folder, refits): as_of for as_of in missing}
        try:
            for ended in as_completed(under_way):
                ended.result()
                yield under_way[ended]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, and in processes that it starts until they ask for it."""
    if current_thread() is not main_thread():
        yield
        return
    noted: list[int] = []
    handler = signal(SIGINT, lambda number, _frame: noted.append(number))  # another thread may take the signal
    mask = pthread_sigmask(SIG_BLOCK, {SIGINT})
    try:
        yield
    finally:
        signal(SIGINT, handler)
        pthread_sigmask(SIG_SETMASK, mask)
    if noted:
        raise KeyboardInterrupt


def _end_at_ctrl_c() -> None:
    """Let Ctrl-C end this worker process without a word: the command says what there is to say."""
    signal(SIGINT, SIG_DFL)
    pthread_sigmask(SIG_UNBLOCK, {SIGINT})


_makers: dict[tuple[Path, bool], "Maker"] = {}
"""Of this worker process, which reads the data once for a rehearsal. A folder's name stands for its settings."""


def _make(as_of: datetime, settings: Settings, folder: Path, refits: bool) -> None:
    maker = _makers.get((folder, refits)) or Maker.of(settings, folder, refits)
    _makers[folder, refits] = maker
    maker.make(as_of)


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """Makes the weeks of one source, whose data are read once."""

    known: "Known"
    settings: Settings
    folder: Path
    refits: bool = False

    @classmethod
    def of(cls, settings: Settings, folder: Path, refits: bool = False) -> "Maker":
        """Read the data; raises the errors of the source."""
        from gatekeeper.market import sources

        return cls(sources.opened(settings.data, settings), settings, folder, refits)

    def make(self, as_of: datetime) -> None:
        """Run the steps retrain and export_onnx of one Monday, by the functions that those steps call."""
        from gatekeeper.model import export, training

        try:
            dataset = self.known(as_of)
            trained = training.train(dataset, self.settings)
            content = export.export(trained)
        except _OF_ONE_WEEK as refusal:
            kept = WeekFile(refusal=f"{type(refusal).__name__}: {refusal}")
        else:
            stem = self.folder / f"{as_of:%Y-%m-%d}"
            write_whole(stem.with_suffix(".onnx"), content)
            kept = WeekFile(
                model=hashlib.sha256(content).hexdigest(),
                ideas=_judging(dataset, self.settings).save(stem.with_suffix(".npz")),
                trained_to=trained.trained_to,
                refit=self._refit(dataset, stem) if self.refits else None,
                pool=_pool(dataset, self.settings),
            )
        write_whole(_done(self.folder, as_of), week_written(kept))

    def _refit(self, dataset: Dataset, stem: Path) -> RefitFile:
        """The refit on all data to the as-of, or the reason that there is none."""
        from gatekeeper.model import export, training

        try:
            trained = training.train(dataset, self.settings, dataset.as_of)
            content = export.export(trained)
        except _OF_ONE_WEEK as refusal:
            return RefitFile(refusal=f"{type(refusal).__name__}: {refusal}")
        write_whole(stem.with_suffix(".refit.onnx"), content)
        return RefitFile(model=hashlib.sha256(content).hexdigest(), trained_to=trained.trained_to)


def read(as_of: datetime, folder: Path) -> Week:
    """The week that `make` wrote. Raises DataError if a file has changed since."""
    kept = week_read(_done(folder, as_of).read_bytes())
    if kept.refusal is not None or kept.model is None or kept.ideas is None:
        return Week(as_of, None, None, None, kept.refusal)
    stem = folder / f"{as_of:%Y-%m-%d}"
    content = _bytes(stem.with_suffix(".onnx"), kept.model)
    dataset = Dataset.load(stem.with_suffix(".npz"), kept.ideas)
    fresh = kept.refit or RefitFile()
    week = Week(as_of, content, kept.trained_to, dataset, None, refit_refusal=fresh.refusal, pool=kept.pool)
    if fresh.model is None:
        return week
    return replace(week, refit=_bytes(stem.with_suffix(".refit.onnx"), fresh.model), refit_to=fresh.trained_to)


def has_model(as_of: datetime, folder: Path) -> bool:
    """Whether the week that `make` wrote has a challenger."""
    return week_read(_done(folder, as_of).read_bytes()).model is not None


def _bytes(place: Path, sha256: str) -> bytes:
    try:
        content = place.read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{place} has changed since the rehearsal wrote it; remove {place.parent} and rehearse again")
    return content


def _is_made(folder: Path, as_of: datetime, *, refits: bool) -> bool:
    """Whether the week is complete; one made without refits is made again if refits are needed."""
    place = _done(folder, as_of)
    if not place.exists():
        return False
    if not refits:
        return True
    kept = week_read(place.read_bytes())
    return kept.refit is not None or kept.refusal is not None


def _judging(dataset: Dataset, settings: Settings) -> Dataset:
    """The ideas that a window of this as-of can hold, which start within the holdout."""
    start = instant(dataset.as_of - settings.holdout)
    ideas = dataset.ideas.take(dataset.ideas.time >= start)
    days = dataset.market_days[dataset.market_days >= start.astype("datetime64[D]")]
    return replace(dataset, ideas=ideas, market_days=days, closes=None)


def _pool(dataset: Dataset, settings: Settings) -> PooledHistory | None:
    """The history that a window of this as-of has, as sums: the ideas themselves would be most of the week's file."""
    from gatekeeper.judgement.backtest import differing_trades
    from gatekeeper.judgement.backtest.rules import rules_of

    rules = rules_of(settings, periods_per_year=dataset.periods_per_year, marked=dataset.marked)
    start = dataset.as_of - settings.holdout + settings.embargo
    return differing_trades.history(dataset, rules, start)


def _done(folder: Path, as_of: datetime) -> Path:
    return folder / f"{as_of:%Y-%m-%d}.json"
