"""Feasibility of a rehearsal: refuses holdouts that can never be judged, before any model is trained."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError, GatekeeperError, TrainingRefused
from gatekeeper.market.ideas import Dataset, instant
from gatekeeper.settings import Settings

LONGEST_HOLDOUT = 3650  # days; the limit of GATEKEEPER_HOLDOUT_DAYS
DAY = timedelta(days=1)

Counts = NDArray[np.int64]


def refuse_hopeless(as_ofs: Sequence[datetime], last: Dataset, settings: Settings) -> None:
    """Refuse settings under which no Monday can have a model or a verdict.

    last: the data of the last Monday, so each count is the most that a Monday can have. Raises TrainingRefused for too
    few ideas to train on, ConfigError for a window that stays below the floors.
    """
    counted = Counted.of(as_ofs, last, settings, settings.holdout_days)
    trains, days, trades = counted.reached(settings)
    if (trains & days & trades).any():
        return
    raise _fault(
        counted, as_ofs, last, settings, trains=bool(trains.any()), days=bool(days.any()), trades=bool(trades.any())
    )


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """(n,) the most that each Monday can have: ideas to train on; market days and ideas in the window, and the row of
    its first idea."""

    training: Counts
    days: Counts
    ideas: Counts
    first: Counts

    @classmethod
    def of(cls, as_ofs: Sequence[datetime], last: Dataset, settings: Settings, holdout: int) -> "Counted":
        """The counts of these Mondays with this holdout. last: the data of the last one."""
        longest, embargo = settings.longest_hold, settings.embargo
        cutoffs = [as_of - holdout * DAY for as_of in as_ofs]
        starts = [cutoff + embargo for cutoff in cutoffs]
        time, market = last.ideas.time, last.market_days
        first_day = np.searchsorted(market, np.array([start.date() for start in starts], dtype="datetime64[D]"))
        end_day = np.searchsorted(market, np.array([as_of.date() for as_of in as_ofs], dtype="datetime64[D]"))
        first = np.searchsorted(time, _instants(starts))
        end = np.searchsorted(time, _instants([as_of - longest for as_of in as_ofs]), side="right")
        training = np.searchsorted(time, _instants([cutoff - longest for cutoff in cutoffs]), side="right")
        return cls(training, np.maximum(end_day - first_day, 0), np.maximum(end - first, 0), first)

    def reached(self, settings: Settings) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """On which Mondays training, market days and ideas reach their floors."""
        return (
            self.training >= settings.min_ideas,
            self.days >= settings.floor_days,
            self.ideas >= settings.floor_trades,
        )


def _instants(moments: Sequence[datetime]) -> NDArray[np.datetime64]:
    return np.array([instant(moment) for moment in moments])


def _fault(
    counted: Counted,
    as_ofs: Sequence[datetime],
    last: Dataset,
    settings: Settings,
    *,
    trains: bool,
    days: bool,
    trades: bool,
) -> GatekeeperError:
    holdout, end = settings.holdout_days, f"{as_ofs[-1]:%Y-%m-%d}"
    if not trains:
        return TrainingRefused(
            f"With a holdout of {holdout} days no Monday to {end} has more than {counted.training.max()} ideas to "
            f"train on; training needs at least {settings.min_ideas} (GATEKEEPER_MIN_IDEAS). Choose a shorter "
            "--holdout, a later --to, or a source with more history."
        )
    if not days:
        return ConfigError(
            f"With a holdout of {holdout} days no Monday can be judged: less the embargo of {settings.embargo_days} "
            f"days its window has at most {counted.days.max()} market days, below the floor of {settings.floor_days} "
            f"(GATEKEEPER_FLOOR_DAYS). {_way_out(as_ofs, last, settings)}"
        )
    if not trades:
        return ConfigError(
            f"With a holdout of {holdout} days no Monday can be judged: its window has at most {counted.ideas.max()} "
            f"ideas, below the floor of {settings.floor_trades} trades (GATEKEEPER_FLOOR_TRADES). "
            f"{_way_out(as_ofs, last, settings)}"
        )
    return ConfigError(
        f"With a holdout of {holdout} days no Monday to {end} has enough ideas to train on "
        f"({settings.min_ideas}, GATEKEEPER_MIN_IDEAS) and a window above the floors ({settings.floor_days} market "
        f"days, {settings.floor_trades} trades) at once. Choose another --holdout or more Mondays."
    )


def _way_out(as_ofs: Sequence[datetime], last: Dataset, settings: Settings) -> str:
    """The shortest holdout under which some Monday's window reaches both floors, if there is one."""

    def reaches(holdout: int) -> bool:
        _, days, trades = Counted.of(as_ofs, last, settings, holdout).reached(settings)
        return bool((days & trades).any())

    shortest = bisect_left(range(1, LONGEST_HOLDOUT + 1), True, key=reaches) + 1
    if shortest > LONGEST_HOLDOUT:
        return "No holdout is long enough on these data; lower the floor, or use a source with more history."
    return f"Choose --holdout {shortest} or longer, or lower the floor."
