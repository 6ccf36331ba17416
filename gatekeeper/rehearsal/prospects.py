"""Prospects of a data source: the floors that its ideas reach, when a first model can be judged, and the one setting to
change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.statistics.pooled_error import FEWEST_WEEKS
from gatekeeper.market.ideas import Dataset, moment
from gatekeeper.rehearsal.feasibility import DAY, LONGEST_HOLDOUT, Counted
from gatekeeper.settings import Settings

WEEK = timedelta(weeks=1)
YEAR_DAYS = 365.25
MOST_MONDAYS = 5200
HOLDOUT_STEP = 5
WEEKS = FEWEST_WEEKS[True]

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor: what it counts, the setting that names it ("" for the rule's own), what it asks for, what the newest
    as-of has."""

    what: str
    setting: str
    needs: int
    has: int

    @property
    def met(self) -> bool:
        """Whether the newest as-of reaches it."""
        return self.has >= self.needs


@dataclass(frozen=True, slots=True)
class Prospects:
    """What the floors say of a source.

    ideas_a_year: over the market days at hand. approved_a_year: fewest approved trades a year that reach the floor of
    trades; None if no share of the ideas does. first_judged: the first Monday on which a model can be judged: past, or
    to come if ideas come as they did; None if none will.
    """

    ideas_a_year: float
    approved_a_year: float | None
    floors: tuple[Floor, ...]
    first_judged: datetime | None
    change: str
    """The one setting to change, as NAME=VALUE; empty if none has to."""
    advice: str
    """All of it in a sentence."""


def prospects(dataset: Dataset, settings: Settings, a_year: float) -> Prospects:
    """The prospects at the dataset's as-of. a_year: its ideas a year."""
    floors = _floors(dataset, settings, settings.holdout_days)
    first = _first_judged(dataset, settings, a_year)
    change = "" if first is not None and first <= dataset.as_of else _change(dataset, settings)
    window_years = max(settings.holdout_days - settings.embargo_days - settings.longest_hold_days, 1) / YEAR_DAYS
    needed = settings.floor_trades / window_years
    reachable = 0 < needed <= a_year
    return Prospects(
        ideas_a_year=round(a_year, 1),
        approved_a_year=round(needed, 1) if reachable else None,
        floors=floors,
        first_judged=first,
        change=change,
        advice=_advice(dataset, settings, a_year, first, change),
    )


def _floors(dataset: Dataset, settings: Settings, holdout: int) -> tuple[Floor, ...]:
    training, classes, days, ideas, weeks = (
        int(each[0]) for each in _counts([dataset.as_of], dataset, settings, holdout)
    )
    return (
        Floor("ideas to train on", "GATEKEEPER_MIN_IDEAS", settings.min_ideas, training),
        Floor("of them won, and lost, at least", "GATEKEEPER_MIN_CLASS_IDEAS", settings.min_class_ideas, classes),
        Floor("market days in the holdout", "GATEKEEPER_FLOOR_DAYS", settings.floor_days, days),
        Floor("ideas in the holdout", "GATEKEEPER_FLOOR_TRADES", settings.floor_trades, ideas),
        Floor("weeks with an idea in the holdout", "", WEEKS, weeks),
    )


def _counts(
    as_ofs: Sequence[datetime], dataset: Dataset, settings: Settings, holdout: int
) -> tuple[Counts, Counts, Counts, Counts, Counts]:
    """(n,) the most that each as-of can have, in the order of the floors."""
    counted = Counted.of(as_ofs, dataset, settings, holdout)
    won = np.concatenate([[0], np.cumsum(dataset.ideas.wins)])[counted.training]
    week = (dataset.ideas.time.astype("datetime64[D]").astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday
    begins = np.concatenate([[0], np.cumsum(np.diff(week, prepend=week[:1] - 1) > 0)])
    after = np.minimum(counted.first + 1, len(week))
    weeks = np.where(counted.ideas > 0, begins[counted.first + counted.ideas] - begins[after] + 1, 0)
    return counted.training, np.minimum(won, counted.training - won), counted.days, counted.ideas, weeks


def _reached(as_ofs: Sequence[datetime], dataset: Dataset, settings: Settings, holdout: int) -> NDArray[np.bool_]:
    needs = (settings.min_ideas, settings.min_class_ideas, settings.floor_days, settings.floor_trades, WEEKS)
    has = _counts(as_ofs, dataset, settings, holdout)
    return np.asarray(np.all([one >= need for one, need in zip(has, needs, strict=True)], axis=0))


def _first_judged(dataset: Dataset, settings: Settings, a_year: float) -> datetime | None:
    """The first Monday that reaches all floors, by counting; after the as-of, at the rate of ideas so far."""
    if not len(dataset.ideas):
        return None
    begin = _monday(moment(dataset.ideas.time.min()))
    count = min(max((dataset.as_of - begin) // WEEK + 1, 1), MOST_MONDAYS)
    mondays = [begin + number * WEEK for number in range(count)]
    reached = _reached(mondays, dataset, settings, settings.holdout_days)
    if reached.any():
        return mondays[int(np.argmax(reached))]
    window = (settings.holdout_days - settings.embargo_days - settings.longest_hold_days) / YEAR_DAYS
    days = (settings.holdout_days - settings.embargo_days) / YEAR_DAYS * dataset.periods_per_year
    if a_year * window < settings.floor_trades or days < settings.floor_days or window * 52 < WEEKS:
        return None
    rarer = min(dataset.ideas.wins.mean(), 1 - dataset.ideas.wins.mean())
    if not rarer:
        return None
    years = max(settings.min_ideas, settings.min_class_ideas / rarer) / a_year
    wait = years * YEAR_DAYS + settings.longest_hold_days + settings.holdout_days
    if wait > 100 * YEAR_DAYS:
        return None
    return max(_monday(begin + float(wait) * DAY), _monday(dataset.as_of))


def _monday(instant: datetime) -> datetime:
    """The first Monday 02:00 UTC at or after the instant."""
    two = instant.astimezone(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    monday = two + timedelta(days=-two.weekday() % 7)
    return monday if monday >= instant else monday + WEEK


def _change(dataset: Dataset, settings: Settings) -> str:
    """The holdout nearest to the one in force with which the newest as-of reaches all floors."""
    if not len(dataset.ideas):
        return ""
    holdouts = range(HOLDOUT_STEP, LONGEST_HOLDOUT + 1, HOLDOUT_STEP)
    now, last = settings.holdout_days, [dataset.as_of]
    for holdout in sorted(holdouts, key=lambda each: abs(each - now)):
        if _reached(last, dataset, settings, holdout)[0]:
            return f"GATEKEEPER_HOLDOUT_DAYS={holdout}"
    return ""


def _advice(dataset: Dataset, settings: Settings, a_year: float, first: datetime | None, change: str) -> str:
    if not len(dataset.ideas):
        return "No idea could be made of these data: bars need 200 of a symbol before the first one."
    if first is not None and first <= dataset.as_of:
        return f"A first model can be judged as of {first:%Y-%m-%d}, and on every Monday after it that has as much."
    shorter = f" With {change} one can be judged as of {dataset.as_of:%Y-%m-%d}." if change else ""
    if first is not None:
        return f"If ideas come as they did, a first model can be judged from about {first:%Y-%m-%d} on.{shorter}"
    if shorter:
        return f"With a holdout of {settings.holdout_days} days no model can ever be judged.{shorter}"
    return (
        f"With {a_year:.0f} ideas a year no holdout reaches the floors: bring more history, more symbols or shorter "
        "bars, or lower the floor that isn't met."
    )
