"""Market data of a weekly run: read beside the passport of the run before, with the alarm `data` for its warnings."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gatekeeper.errors import DataError
from gatekeeper.logs import logger
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.alarms import Alarm
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.registry import Evaluation, Registry
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.documents.passport import FindingRecord, Passport
    from gatekeeper.market.ideas import Dataset

log = logger("gatekeeper")

LOOKED_AT = 60
"""Newest evaluations that are searched for a passport."""
SHOWN = 5


def dataset(run: Run, registry: Registry) -> "Dataset":
    """The run's data, with their passport, which is logged; its warnings are sent as the alarm `data`.

    The same run gives the same data again: once it is evaluated, the last bars that it left out stay left out.
    Raises DataError, also for what the data checks refuse, and the source's other errors.
    """
    from gatekeeper.market import sources
    from gatekeeper.market.data.passport import texts
    from gatekeeper.market.data.passport.assembly import assembled
    from gatekeeper.market.data.passport.reading import Reading

    settings, source = run.settings, str(run.settings.data)
    own, before = _earlier(registry.evaluations(limit=LOOKED_AT), source, run)
    reading = Reading(before) if own is None else Reading(without_last=own.without_last)
    try:
        found = sources.load(settings.data, run.as_of, settings, reading)
    except DataError:
        _log(texts.lines(assembled(reading, None, source=source, as_of=run.as_of)))
        raise
    if found.passport is not None:
        _log(texts.lines(found.passport))
        tell(settings, registry, source, found.passport.warnings)
    return found


def last_passport(registry: Registry, source: str, as_of: datetime) -> "Passport | None":
    """The passport of the newest weekly run of this source up to the as-of; None if there is none."""
    found = [each for each in registry.evaluations(limit=LOOKED_AT) if each.as_of <= as_of]
    return _newest(found, source)


def tell(settings: Settings, registry: Registry, source: str, warnings: "Sequence[FindingRecord]") -> None:
    """Send the alarm `data`, once for the same warnings of a source."""
    if not warnings:
        return
    named = sorted(f"{each.kind}:{each.symbol}:{each.at}" for each in warnings)
    key = hashlib.sha256("\n".join([source, *named]).encode()).hexdigest()[:16]
    text = f"{in_count(warnings)} about the data of {source}"
    more = [str(each) for each in warnings[:SHOWN]]
    if len(warnings) > SHOWN:
        more.append(f"and {len(warnings) - SHOWN} more: `gatekeeper data` lists all")
    alarms.tell(settings, registry, Alarm("data", f"data/{key}", text, "\n".join(more)))


def in_count(warnings: "Sequence[FindingRecord]") -> str:
    """`2 warnings`."""
    return f"{len(warnings)} warning{'s' * (len(warnings) != 1)}"


def _earlier(evaluations: Sequence[Evaluation], source: str, run: Run) -> "tuple[Passport | None, Passport | None]":
    """The passport of this very run, if it was evaluated already, and that of the newest run before its as-of."""
    own = next((_passport(each) for each in evaluations if each.run_key == run.key), None)
    return own, _newest([each for each in evaluations if each.as_of < run.as_of], source)


def _newest(evaluations: Sequence[Evaluation], source: str) -> "Passport | None":
    ordered = sorted(evaluations, key=lambda each: each.as_of, reverse=True)
    passports = (_passport(each) for each in ordered)
    return next((each for each in passports if each is not None and each.source == source), None)


def _passport(evaluation: Evaluation) -> "Passport | None":
    """None for a damaged document too: it is of another week, and `doctor` and `verify` are there for it."""
    try:
        return evaluation.passport
    except DataError as fault:
        log.warning("The data aren't compared with those of evaluation %d: %s", evaluation.id, fault)
        return None


def _log(lines: Sequence[str]) -> None:
    for line in lines:
        log.info("%s", line)
