"""Daily returns: what the approved ideas made on each market day, as parts of the initial capital."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.backtest.sizing import Size
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

    idea, day: (m,) the numbers of each mark's idea and day. made: (m,), to be multiplied by `size`.
    """

    idea: NDArray[np.intp]
    day: NDArray[np.intp]
    made: NDArray[np.float64]
    size: float
    days: int

    @classmethod
    def of(cls, ideas: Ideas, days: NDArray[np.datetime64], size: Size) -> "Marks":
        """The marks of these ideas; arguments as for `daily_returns`."""
        idea = np.repeat(np.arange(len(ideas)), np.diff(ideas.path_start))
        day = np.zeros(0, dtype=np.intp)
        if len(days):
            span = np.arange(days[0], days[-1] + np.timedelta64(1, "D"))
            day_of = np.searchsorted(days, span, side="right") - 1  # looked up: there are more marks than days
            day = day_of.take((ideas.path_day - days[0]).view(np.int64), mode="clip")
        if isinstance(size, float):
            return cls(idea, day, ideas.path_return, size, len(days))
        return cls(idea, day, size[idea] * ideas.path_return, 1.0, len(days))

    def daily(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(T,) returns of the approved ideas, an (n,) mask."""
        if not self.days:
            return np.zeros(0)
        made = self.made if kept.all() else np.where(kept[self.idea], self.made, 0.0)
        return self.size * np.bincount(self.day, weights=made, minlength=self.days).astype(np.float64)


def days_from(dataset: Dataset, start: datetime) -> NDArray[np.bool_]:
    """(d,) bool: the market days of a window that starts then, its own day included."""
    return np.asarray(dataset.market_days >= np.datetime64(start.date(), "D"))
