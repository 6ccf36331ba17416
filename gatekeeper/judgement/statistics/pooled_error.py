"""Pooled error: floors a gain's standard error by what the history of ideas says about those that differ.

Few trades, or rare large ones, give daily returns whose own variance is far too small. The pool is every idea known
before the window; ideas of one week may be alike (intraclass correlation), and weeks count as degrees of freedom.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.documents.evidence import DifferingIdeas, Evidence, Moments, PooledHistory
from gatekeeper.judgement.statistics.student_t import critical_value, upper_tail

FEWEST_IN_POOL = 30
HISTORY_WEEKS = 60
"""Weeks of the window that the history weighs as much as."""
FEWEST_WEEKS = {True: 5, False: 15}
"""Distinct weeks in which two models must differ, with and without a pool."""

Numbers = NDArray[np.float64]
Weeks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slopes:
    """The weights of an idea's y and y² in one stream's figure: what the idea adds to it, times the days."""

    linear: float
    quadratic: float = 0.0


@dataclass(frozen=True, slots=True)
class Precision:
    """Standard error of a gain, and the degrees of freedom that it is known with."""

    standard_error: float
    dof: int
    pooled: float | None
    """The error by the pool alone; None without one."""

    def critical(self, z: float) -> float:
        """The number of errors that a bound lies below the gain: `z`, for these degrees of freedom."""
        return critical_value(z, self.dof)

    def p(self, gain: float) -> float | None:
        """The probability of a gain of at least this if the true one were 0; None without an error."""
        return upper_tail(gain / self.standard_error, self.dof) if self.standard_error > 0 else None


def week_of(days: NDArray[np.datetime64]) -> Weeks:
    """(n,) number of the week of each day, from Monday to Sunday."""
    return (days.astype("datetime64[D]").view(np.int64) + 3) // 7


def pooled_history(made: ArrayLike, weeks: ArrayLike) -> PooledHistory | None:
    """The pool of (H,) ideas, by what each made as a part of capital and its week; None if there are under 30."""
    values, entered = np.asarray(made, dtype=np.float64), np.asarray(weeks, dtype=np.int64)
    if len(values) < FEWEST_IN_POOL:
        return None
    deviations = np.column_stack((values - values.mean(), values**2 - np.mean(values**2)))
    _, week, counts = np.unique(entered, return_inverse=True, return_counts=True)
    sums: Numbers = np.column_stack([np.bincount(week, weights=column) for column in deviations.T]).astype(np.float64)
    return PooledHistory(
        ideas=len(values),
        squares=int(np.sum(counts**2)),
        spread=_moments(deviations),
        weekly=_moments(sums),
    )


def differing_ideas(only_challenger: ArrayLike, only_champion: ArrayLike, champion_made: float) -> DifferingIdeas:
    """The ideas that one of the two entered alone, by the weeks of each side's."""
    ours, theirs = (np.asarray(side, dtype=np.int64) for side in (only_challenger, only_champion))
    counts = np.unique(np.concatenate((ours, theirs)), return_counts=True)[1]
    return DifferingIdeas(len(ours), len(theirs), len(counts), int(np.sum(counts**2)), champion_made)


def sharpe_slopes(returns: Numbers) -> Slopes:
    """What an idea adds to the Sharpe of (T,) returns: y / s - S / 2 (y / s)², with ddof 0."""
    spread = float(returns.std())
    ratio = float(returns.mean()) / spread
    return Slopes(1 / spread, -ratio / 2 / spread**2)


def variance_of_one(history: PooledHistory, slopes: Slopes, week_size: float) -> float:
    """The variance of what one differing idea adds, where each shares its week with `week_size`, itself included."""
    spread = _form(history.spread, slopes)
    return spread / (history.ideas - 1) * (1 + correlation_in_week(history, slopes) * (week_size - 1))


def correlation_in_week(history: PooledHistory, slopes: Slopes) -> float:
    """The intraclass correlation of what ideas of one week add, 0 to 1."""
    spread = _form(history.spread, slopes)
    if history.week_size <= 1 or spread <= 0:
        return 0.0
    inflation = _form(history.weekly, slopes) / spread
    return min(max((inflation - 1) / (history.week_size - 1), 0.0), 1.0)


def precision(
    error: float, evidence: Evidence, sides: tuple[Slopes, Slopes], *, days_squared: float, most_dof: int
) -> Precision:
    """The floored error of a gain, per period.

    error: by the daily returns alone. sides: challenger and champion. days_squared: T (T - lost), with the degrees of
    freedom that the figure's own estimate loses. most_dof: the most that so many days give.
    """
    differing, history = evidence.differing, evidence.history
    if history is None:
        return Precision(error, max(differing.weeks - 1, 1), None)
    ours, theirs = (variance_of_one(history, side, differing.week_size) for side in sides)
    pooled = (differing.only_challenger * ours + differing.only_champion * theirs) / days_squared
    weeks = differing.weeks
    shrunk = (weeks * error**2 + HISTORY_WEEKS * pooled) / (weeks + HISTORY_WEEKS)
    # The larger of both: shrunk alone is too small where history's wins are rare and large.
    floored = math.sqrt(max(error**2, shrunk))
    return Precision(floored, max(min(weeks + HISTORY_WEEKS - 1, most_dof), 1), math.sqrt(pooled))


def _moments(pairs: Numbers) -> Moments:
    first, second = pairs.T
    return float(first @ first), float(first @ second), float(second @ second)


def _form(moments: Moments, slopes: Slopes) -> float:
    """The sum of squares of the weighted pairs."""
    first, both, second = moments
    value = slopes.linear**2 * first + 2 * slopes.linear * slopes.quadratic * both + slopes.quadratic**2 * second
    return max(value, 0.0)
