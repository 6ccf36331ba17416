"""Daily returns: what the approved ideas made on each market day, and what they had exposed in the night before."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.backtest.sizing import Size
from gatekeeper.market.data.trades.closed_trades import day_of
from gatekeeper.market.ideas import Dataset, Ideas


def daily_returns(
    ideas: Ideas, kept: NDArray[np.bool_], days: NDArray[np.datetime64], size: Size
) -> NDArray[np.float64]:
    """(T,) returns of the approved ideas as parts of the initial capital, for every one of `days`; 0 without trades.

    Each trade is `size` of the initial capital, one for all or (n,), spread over its path. The part of a path on a day
    that is not a market day, or not closed yet, counts on the last market day before, so the sum is that of the
    outcomes.
    """
    return Marks.of(ideas, days, size).daily(kept)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Marks of n ideas on T days, computed once for all streams that approve some of them.

    idea, day: (m,) the numbers of each mark's idea and day. made: (m,), to be multiplied by `size`. entry, exit: (n,)
    the numbers of the days of each idea's first mark and its last, -1 before the first of all. sizes: of each trade.
    """

    idea: NDArray[np.intp]
    day: NDArray[np.intp]
    made: NDArray[np.float64]
    size: float
    days: int
    entry: NDArray[np.intp]
    exit: NDArray[np.intp]
    sizes: Size

    @classmethod
    def of(cls, ideas: Ideas, days: NDArray[np.datetime64], size: Size, *, marked: bool = True) -> "Marks":
        """The marks of these ideas; arguments as for `daily_returns`. marked: else a path is only its exit's mark."""
        lengths = np.diff(ideas.path_start)
        idea = np.repeat(np.arange(len(ideas)), lengths)
        day = _numbers(ideas.path_day, days)
        entered, left = day_of(ideas.time), day_of(ideas.closed_at)
        some = lengths > 0
        left[some] = ideas.path_day[ideas.path_start[1:][some] - 1]
        if marked:
            entered[some] = ideas.path_day[ideas.path_start[:-1][some]]
        entry, exit_ = (np.searchsorted(days, each, side="right") - 1 for each in (entered, left))
        factor, made = (size, ideas.path_return) if isinstance(size, float) else (1.0, size[idea] * ideas.path_return)
        return cls(idea, day, made, factor, len(days), entry, exit_, size)

    def daily(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(T,) returns of the approved ideas, an (n,) mask."""
        if not self.days:
            return np.zeros(0)
        made = self.made if kept.all() else np.where(kept[self.idea], self.made, 0.0)
        return self.size * np.bincount(self.day, weights=made, minlength=self.days).astype(np.float64)

    def exposed(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(T,) part of capital in open positions in the night before each day: after the entry's day, to the exit's.

        Long and short count alike, and several positions add up, over 1 too: that is borrowed money.
        """
        if not self.days:
            return np.zeros(0)
        entered, left = self.entry[kept] + 1, self.exit[kept] + 1
        count = self._running(np.bincount(entered, minlength=self.days + 1), np.bincount(left, minlength=self.days + 1))
        if isinstance(self.sizes, float):
            return self.sizes * count
        size = self.sizes[kept]
        held = self._running(
            np.bincount(entered, weights=size, minlength=self.days + 1),
            np.bincount(left, weights=size, minlength=self.days + 1),
        )
        return np.where(count > 0, held, 0.0)  # not what rounding leaves of sizes that came and went

    def _running(self, came: NDArray[np.generic], went: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.cumsum(came.astype(np.float64) - went.astype(np.float64))[: self.days]


def _numbers(dates: NDArray[np.datetime64], days: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """The number of the market day of each date, or of the last one before it; looked up, since days are few."""
    if not len(days):
        return np.zeros(len(dates), dtype=np.intp)
    span = np.arange(days[0], days[-1] + np.timedelta64(1, "D"))
    number = np.searchsorted(days, span, side="right") - 1
    return np.asarray(number.take((dates - days[0]).astype(np.int64), mode="clip"))


def days_from(dataset: Dataset, start: datetime) -> NDArray[np.bool_]:
    """(d,) bool: the market days of a window that starts then, its own day included."""
    return np.asarray(dataset.market_days >= np.datetime64(start.date(), "D"))
