"""What would each Monday have trained, and on what would it have been judged? Made once for all policies, and kept."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gatekeeper.config import Settings
from gatekeeper.errors import AsOfError, DataError, ExportRefused, TrainingRefused
from gatekeeper.files import write_whole
from gatekeeper.market.ideas import Dataset, instant

# What fails one Monday's run and leaves the next one alone.
_OF_ONE_WEEK = (TrainingRefused, ExportRefused, DataError, AsOfError)


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """One Monday: its challenger's bytes and the ideas that judge it; or why there is none."""

    as_of: datetime
    content: bytes | None
    trained_to: datetime | None
    dataset: Dataset | None
    refusal: str | None

    @property
    def name(self) -> str:
        """Of its challenger."""
        return f"{self.as_of:%Y-%m-%d}"


def prepare(as_ofs: tuple[datetime, ...], settings: Settings, folder: Path, *, jobs: int) -> Iterator[datetime]:
    """Makes what is not there yet, in `jobs` processes of one thread each; yields each Monday as it is ready.

    What was made stays, whatever stops this. Raises GatekeeperError where no Monday can go well.
    """
    missing = []
    for as_of in as_ofs:
        if _done(folder, as_of).exists():
            yield as_of
        else:
            missing.append(as_of)
    if jobs == 1 or len(missing) < 2:
        for as_of in missing:
            make(as_of, settings, folder)
            yield as_of
        return
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=get_context("spawn")) as pool:
        under_way = {pool.submit(make, as_of, settings, folder): as_of for as_of in missing}
        try:
            for ended in as_completed(under_way):
                ended.result()
                yield under_way[ended]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def make(as_of: datetime, settings: Settings, folder: Path) -> None:
    """The steps retrain and export_onnx of one Monday, by the functions that those call."""
    from gatekeeper.market import sources
    from gatekeeper.model import export, training

    said: dict[str, Any]
    try:
        dataset = sources.load(settings.data, as_of, settings)
        trained = training.train(dataset, settings)
        content = export.export(trained)
    except _OF_ONE_WEEK as refusal:
        said = {"refusal": f"{type(refusal).__name__}: {refusal}"}
    else:
        stem = folder / f"{as_of:%Y-%m-%d}"
        write_whole(stem.with_suffix(".onnx"), content)
        said = {
            "model": hashlib.sha256(content).hexdigest(),
            "ideas": _judging(dataset, settings).save(stem.with_suffix(".npz")),
            "trained_to": trained.trained_to.isoformat(),
        }
    write_whole(_done(folder, as_of), json.dumps(said).encode())


def read(as_of: datetime, folder: Path) -> Week:
    """What `make` kept. Raises DataError where a file is no longer what it was."""
    said = json.loads(_done(folder, as_of).read_text("utf-8"))
    if "refusal" in said:
        return Week(as_of, None, None, None, said["refusal"])
    stem = folder / f"{as_of:%Y-%m-%d}"
    try:
        content = stem.with_suffix(".onnx").read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != said["model"]:
        raise DataError(f"{stem}.onnx is no longer what the rehearsal made; remove {folder} and rehearse again")
    dataset = Dataset.load(stem.with_suffix(".npz"), said["ideas"])
    return Week(as_of, content, datetime.fromisoformat(said["trained_to"]), dataset, None)


def _judging(dataset: Dataset, settings: Settings) -> Dataset:
    """What a window of this as-of can hold: it starts after the holdout does."""
    start = instant(dataset.as_of - settings.holdout)
    ideas = dataset.ideas.take(dataset.ideas.time >= start)
    days = dataset.market_days[dataset.market_days >= start.astype("datetime64[D]")]
    return replace(dataset, ideas=ideas, market_days=days)


def _done(folder: Path, as_of: datetime) -> Path:
    return folder / f"{as_of:%Y-%m-%d}.json"
