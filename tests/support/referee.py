"""Reference statistics, written from the rule's text alone, in plain numpy and scipy: streams, gains, their errors.

It shares nothing with the package but the columns of the ideas and the settings' names, so that a difference between
the two is a fault of one of them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from gatekeeper.market.ideas import Dataset

Array = np.ndarray[Any, Any]


@dataclass
class Stream:
    """What one model, or taking every idea, made of the window."""

    approved: Array
    taken: Array
    daily: Array
    exposed: Array
    excess: Array

    @property
    def mean_and_sd(self) -> tuple[float, float]:
        """Of the excess, ddof 0."""
        return float(self.excess.mean()), float(self.excess.std())

    def sharpe(self, periods: int) -> float | None:
        """Annual, ddof 1; None where undefined: fewer than two days, or all alike."""
        if len(self.excess) < 2 or np.ptp(self.excess) <= 1e-15:
            return None
        return float(self.excess.mean() / self.excess.std(ddof=1) * math.sqrt(periods))

    @property
    def drawdown(self) -> float:
        """Deepest fall of the summed returns from their highest, 0 included, as a part of capital."""
        wealth = np.concatenate([[0.0], np.cumsum(self.daily)])
        return float((np.maximum.accumulate(wealth) - wealth).max())


@dataclass
class Measured:
    """A gain, its error and its bound, annual."""

    gain: float | None = None
    error: float | None = None
    bound: float | None = None
    dof: int | None = None
    critical: float | None = None
    lost: float | None = None
    """What the ideas that the champion alone entered lost of capital."""
    lost_bound: float | None = None


# Streams


def day_of(instant: Any) -> Any:
    """The day of an instant: midnight ends a day, but after a weekend begins one."""
    ended, begins = (instant - np.timedelta64(1, "ns")).astype("datetime64[D]"), instant.astype("datetime64[D]")
    return begins if np.is_busday(begins) and not np.is_busday(ended) else ended


def market_day(data: Dataset, day: Any) -> Any:
    """The market day that a date counts on: itself, or the last one before."""
    at = np.searchsorted(data.market_days, day, side="right") - 1
    return data.market_days[at] if at >= 0 else day


def open_days(data: Dataset, row: int) -> tuple[Any, Any]:
    """Entry day and exit day of one idea: of its first and last mark; without marks, of entry and of the close."""
    ideas = data.ideas
    marks = ideas.path_day[ideas.path_start[row] : ideas.path_start[row + 1]]
    first, last = (marks.min(), marks.max()) if data.marked else (day_of(ideas.time[row]), day_of(ideas.closed_at[row]))
    return market_day(data, first), market_day(data, last)


def week_of(data: Dataset, row: int) -> int:
    """Week of the entry, from Monday to Sunday: of the first mark, or of the idea where there are no marks."""
    entry = data.ideas.path_day[data.ideas.path_start[row]] if data.marked else data.ideas.time[row]
    return int((int(entry.astype("datetime64[D]").astype(np.int64)) + 3) // 7)


def size_of(data: Dataset, settings: Any, row: int) -> float:
    if settings.sizing == "fraction":
        return float(settings.fraction)
    assert data.ideas.atr is not None
    return float(min(settings.volatility_target / data.ideas.atr[row], settings.largest_fraction))


def stream(data: Dataset, settings: Any, rows: Array, approved: Array, days: Array) -> Stream:
    """Returns and exposure of the approved ideas, of which those beyond `most_open` are passed over."""
    ideas = data.ideas
    taken = approved.copy()
    held: list[Any] = []
    for at, row in enumerate(rows):
        held = [end for end in held if end > ideas.time[row]]
        if taken[at] and settings.most_open is not None and len(held) >= settings.most_open:
            taken[at] = False
        if taken[at]:
            held.append(ideas.closed_at[row])
    daily, exposed = np.zeros(len(days)), np.zeros(len(days))
    for row in rows[taken]:
        size = size_of(data, settings, row)
        marks = slice(ideas.path_start[row], ideas.path_start[row + 1])
        for day, made in zip(ideas.path_day[marks], ideas.path_return[marks], strict=True):
            daily[max(int(np.searchsorted(days, day, side="right")) - 1, 0)] += size * made
        first, last = open_days(data, row)
        exposed[(days > first) & (days <= last)] += size
    return Stream(approved, taken, daily, exposed, daily - nightly(settings, data) * exposed)


def nightly(settings: Any, data: Dataset) -> float:
    return float((1 + settings.risk_free) ** (1 / data.periods_per_year) - 1)


# Errors


def parzen(x: float) -> float:
    return 1 - 6 * x**2 + 6 * x**3 if x <= 0.5 else 2 * (1 - x) ** 3 if x <= 1 else 0.0


def long_run(columns: Array, bandwidth: float | None = None) -> tuple[Array, float]:
    """Long-run covariance of the columns (T, k), demeaned, and its bandwidth by Andrews' AR(1), unit-free."""
    x = columns - columns.mean(axis=0)
    days = len(x)
    top = bottom = 0.0
    for column in x.T:
        if column.std() == 0:
            continue
        unit = column / column.std()
        past, now = unit[:-1] - unit[:-1].mean(), unit[1:] - unit[1:].mean()
        rho = float(past @ now / (past @ past))
        sigma = float(np.mean((now - rho * past) ** 2))
        top += 4 * rho**2 * sigma**2 / (1 - rho) ** 8
        bottom += sigma**2 / (1 - rho) ** 4
    if bandwidth is None:
        bandwidth = 2.6614 * (days * top / bottom) ** 0.2 if bottom else 0.0
    found = x.T @ x / days
    for lag in range(1, days):
        if lag >= bandwidth:
            break
        part = x[lag:].T @ x[:-lag] / days
        found = found + parzen(lag / bandwidth) * (part + part.T)
    return found, bandwidth


def moments(a: Array, b: Array) -> Array:
    """(T, 4) what the difference of two Sharpe ratios is made of: both returns and their squares."""
    return np.column_stack([a, b, a**2, b**2])


def gradient_of(a: Array, b: Array) -> Array:
    """Gradient of the difference of the Sharpe ratios by the means of these four."""
    second_a, second_b = (a**2).mean(), (b**2).mean()
    return np.array(
        [
            second_a / a.var() ** 1.5,
            -second_b / b.var() ** 1.5,
            -0.5 * a.mean() / a.var() ** 1.5,
            0.5 * b.mean() / b.var() ** 1.5,
        ]
    )


def sharpe_variance(a: Array, b: Array) -> tuple[float, float]:
    """Per period: the difference of the Sharpe ratios (ddof 1), and its HAC variance by the delta method."""
    delta = a.mean() / a.std(ddof=1) - b.mean() / b.std(ddof=1)
    covariance, _ = long_run(moments(a, b))
    gradient = gradient_of(a, b)
    days = len(a)
    return float(delta), max(float(gradient @ covariance @ gradient), 0.0) / days * days / (days - 4)


def clustered(f: Array, weeks: Array, differing_weeks: list[int]) -> float:
    """iid variance of f times what its clustering means for the differing ideas."""
    _, at = np.unique(weeks, return_inverse=True)
    sizes = np.bincount(at)
    m = float((sizes**2).sum()) / len(f)
    dev = f - f.mean()
    total = float((dev**2).sum())
    icc = 0.0
    if m > 1 and total > 0:
        sums = np.bincount(at, weights=dev)
        icc = float(np.clip(((sums**2).sum() / total - 1) / (m - 1), 0, 1))
    counts = np.unique(differing_weeks, return_counts=True)[1]
    m_d = float((counts**2).sum()) / len(differing_weeks) if differing_weeks else 1.0
    return float(f.var(ddof=1)) * (1 + icc * (m_d - 1))


@dataclass
class Pool:
    """What every idea known before the window would have made, and its week."""

    y: Array
    weeks: Array


def floored(variance: float, pooled: float | None, weeks: int) -> float:
    if pooled is None:
        return variance
    return max(variance, (weeks * variance + 60 * pooled) / (weeks + 60))


def measured(gain: float, variance: float, periods: int, dof: int, z: float) -> Measured:
    error = math.sqrt(variance * periods)
    critical = float(stats.t.isf(stats.norm.sf(z), dof))
    return Measured(gain, error, gain - critical * error, dof, critical)


def by_sharpe(a: Stream, b: Stream, pool: Pool | None, only: tuple[list[int], list[int]], z: float, p: int) -> Measured:
    """Section 1. `only`: the weeks of the ideas that the challenger, and the champion, alone entered."""
    days = len(a.excess)
    if days < 5:
        return Measured()
    delta, variance = sharpe_variance(a.excess, b.excess)
    both = [*only[0], *only[1]]
    weeks = len(set(both))
    pooled = None
    if pool is not None:
        parts = []
        for side in (a, b):
            mu, s = side.mean_and_sd
            f = pool.y / s - mu / s / 2 * (pool.y / s) ** 2
            parts.append(clustered(f, pool.weeks, both))
        pooled = (len(only[0]) * parts[0] + len(only[1]) * parts[1]) / (days * (days - 4))
    dof = max(weeks - 1, 1) if pool is None else min(weeks + 59, days - 5)
    gain = delta * math.sqrt(p)
    return measured(0.0 if abs(gain) < 1e-9 else gain, floored(variance, pooled, weeks), p, max(dof, 1), z)


def by_capital(
    a: Stream, b: Stream, pool: Pool | None, only: tuple[list[int], list[int]], z: float, p: int
) -> Measured:
    """Section 3: in Sharpe of the wilder book."""
    s = max(float(a.excess.std(ddof=1)), float(b.excess.std(ddof=1)))
    days = len(a.excess)
    if s <= 1e-15:
        return Measured()
    d = (a.excess - b.excess) / s
    covariance, _ = long_run(d[:, None])
    variance = float(covariance[0, 0]) / days * days / (days - 1)
    both = [*only[0], *only[1]]
    weeks = len(set(both))
    pooled = None
    if pool is not None:
        pooled = len(both) * clustered(pool.y / s, pool.weeks, both) / (days * (days - 1))
    dof = max(weeks - 1, 1) if pool is None else min(weeks + 59, days - 1)
    gain = float(d.mean()) * math.sqrt(p)
    return measured(0.0 if abs(gain) < 1e-9 else gain, floored(max(variance, 0.0), pooled, weeks), p, dof, z)
