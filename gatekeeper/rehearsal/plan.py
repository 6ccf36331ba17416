"""Rehearsal plan: the Mondays, policies, holdouts and settings of a walk-forward simulation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.config import override
from gatekeeper.documents.evaluation import PolicyName, Rules
from gatekeeper.errors import AsOfError, ConfigError, StaleData
from gatekeeper.judgement.backtest.rules import rules_of
from gatekeeper.judgement.rule.verdict import DEPLOYS, POLICIES
from gatekeeper.market.ideas import Dataset
from gatekeeper.rehearsal.feasibility import refuse_hopeless
from gatekeeper.rehearsal.start_dates import MOST_STARTS, STARTS
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.market.sources import Known

FORMAT = 2  # of the files that a rehearsal keeps
MOST_MONDAYS = 5200
WEEK, WEEKEND = timedelta(weeks=1), timedelta(days=3)
TEN_YEARS = 519 * WEEK


@dataclass(frozen=True, slots=True)
class Plan:
    """One rehearsal. as_ofs: increasing. last: the dataset known at the last as-of, which values all trades."""

    as_ofs: tuple[datetime, ...]
    policies: tuple[PolicyName, ...]
    holdouts: tuple[int, ...]
    settings: Settings
    last: Dataset
    deploys: tuple[str, ...] = ("judged",)
    """The deployed model: the judged one, its refit, or both in turn."""
    starts: int = STARTS
    """Start dates to follow it from, as far as each leaves a year."""

    def settings_of(self, holdout: int) -> Settings:
        """The settings of a run with this holdout, in days."""
        return override(self.settings, {"holdout_days": holdout})

    def rules_of(self, holdout: int) -> Rules:
        """The rules that the whole rehearsal with this holdout goes by."""
        last = self.last
        return rules_of(self.settings_of(holdout), periods_per_year=last.periods_per_year, marked=last.marked)

    def folder(self, holdout: int) -> Path:
        """The folder of its weeks, by data and settings, so that an interrupted rehearsal continues."""
        judged = {"policy", "tolerance", "margin", "false_promotions_a_year", "gain_of_interest", "power", "desk"}
        judged |= {"schedule", "deploy", "refit_disagreement", "league", "floor_trades", "drawdown_allowance"}
        judged |= {"db", "models", "work", "reports", "spool", "desks", "alarms"}
        facts = {
            "format": FORMAT,
            "version": version("gatekeeper"),
            "data": self.last.fingerprint(),
            "settings": self.settings_of(holdout).model_dump(mode="json", exclude=judged),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return Path(self.settings.work) / "rehearsals" / digest[:16]


def source(settings: Settings) -> "Known":
    """The source's point-in-time reader, which keeps the dataset that it made last. Raises ConfigError, DataError."""
    from gatekeeper.market import sources

    return lru_cache(maxsize=1)(sources.opened(settings.data, settings))


def last_monday(known: "Known", settings: Settings, now: datetime) -> datetime:
    """The newest Monday that the source's data cover, in the past if they end there. Raises DataError."""
    from gatekeeper.market import sources

    monday = sources.last_monday(settings.data, now)
    try:
        known(monday, checked=True)
    except StaleData as stale:
        if stale.newest is None:
            raise
        return min(monday, covered(stale.newest))
    return monday


def covered(newest: datetime) -> datetime:
    """The last Monday 02:00 UTC at most a weekend after the newest data."""
    reached = newest.astimezone(UTC) + WEEKEND - timedelta(hours=2)
    return (reached - timedelta(days=reached.weekday())).replace(hour=2, minute=0, second=0, microsecond=0)


def _last(known: "Known", as_of: datetime, settings: Settings) -> Dataset:
    try:
        return known(as_of, checked=True)
    except StaleData as stale:
        if stale.newest is None:
            raise
        raise AsOfError(
            f"The data of {settings.data} end on {stale.newest:%Y-%m-%d}, before the last Monday of the simulation, "
            f"{as_of:%Y-%m-%d}. The last Monday that they cover is {covered(stale.newest):%Y-%m-%d}: name it by --to, "
            "or leave --to out."
        ) from None


def mondays(first: datetime, last: datetime) -> tuple[datetime, ...]:
    """The as-of of every week from `first` to `last`, both included. Raises AsOfError."""
    if last < first:
        raise AsOfError(f"the rehearsal ends on {last:%Y-%m-%d}, before it begins on {first:%Y-%m-%d}; begin earlier")
    count = (last - first) // WEEK + 1
    if count > MOST_MONDAYS:
        raise AsOfError(f"{count} Mondays are more than the limit of {MOST_MONDAYS} (a century); begin later")
    return tuple(first + number * WEEK for number in range(count))


def plan(
    as_ofs: Sequence[datetime],
    settings: Settings,
    *,
    now: datetime,
    policies: Sequence[str] = POLICIES,
    holdouts: Sequence[int] = (),
    deploys: Sequence[str] = (),
    starts: int = STARTS,
    known: "Known | None" = None,
) -> Plan:
    """The validated plan; reads the data once, or takes them from `known` (`source`).

    Raises ConfigError, AsOfError, DataError; TrainingRefused and ConfigError if no Monday could have a verdict.
    """
    from gatekeeper.market import sources

    for name in policies:
        if name not in POLICIES:
            raise ConfigError(f"policy {name!r} is unknown; choose from {', '.join(POLICIES)}")
    if unknown := set(deploys) - set(DEPLOYS):
        raise ConfigError(f"{', '.join(sorted(unknown))} can't be deployed; choose from {', '.join(DEPLOYS)}")
    if not 1 <= starts <= MOST_STARTS:
        raise ConfigError(f"{starts} start dates; choose from 1 to {MOST_STARTS}")
    sources.check_as_of(settings.data, as_ofs[-1], now)
    last = _last(known or source(settings), as_ofs[-1], settings)
    chosen = tuple(dict.fromkeys(holdouts)) or (settings.holdout_days,)
    made = Plan(
        tuple(moment.astimezone(UTC) for moment in as_ofs),
        tuple(name for name in POLICIES if name in policies),
        chosen,
        settings,
        last,
        tuple(name for name in DEPLOYS if name in (deploys or (settings.deploy,))),
        starts,
    )
    for each in [made.settings_of(holdout) for holdout in chosen]:
        refuse_hopeless(made.as_ofs, last, each)
    return made
