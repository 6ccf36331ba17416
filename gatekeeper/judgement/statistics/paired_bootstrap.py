"""Paired stationary bootstrap: errors of return streams and of their differences, from one draw of days for all.

Streams that trade the same ideas move together, so what two of them make on the same drawn days tells more of their
difference than the error of each (Politis & Romano 1994; simultaneous intervals as in Romano & Wolf 2005).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
"""So many leave 2 % of Monte Carlo error in a standard error."""

LEVEL = 0.95
MOST_UNDEFINED = 0.05
"""Largest share of draws without a figure, such as the Sharpe of a draw without trades, that still leaves an error."""

_AT_ONCE = 1_000_000  # drawn days at a time: a few arrays of 8 MB
_CONSTANT = 1e-10  # returns that spread less than this part of their size are constant but for rounding

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ResampledStreams:
    """(draws, k) figures of k streams, each row on the same drawn days; NaN if undefined."""

    sharpe: Floats
    """Annual."""
    total: Floats
    drawdown: Floats
    block: int
    """Mean block length in days."""


def block_length(days: int) -> int:
    """Mean block length: the cube root of the days, the optimal rate for a variance (Hall, Horowitz & Jing 1995)."""
    return max(1, math.ceil(round(math.cbrt(days), 9)))


def resample(
    daily: Floats,
    excess: Floats,
    *,
    periods_per_year: float,
    block: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> ResampledStreams:
    """`draws` figures of each column of (T, k) daily returns, and of their excess returns for the Sharpe ratios."""
    days, streams = daily.shape
    mean = block_length(days) if block is None else block
    sharpe, total, drawdown = (np.empty((draws, streams)) for _ in range(3))
    rng = np.random.default_rng(seed)
    some = max(1, _AT_ONCE // days)
    for start in range(0, draws, some):
        here = slice(start, min(start + some, draws))
        drawn = _drawn(days, mean, here.stop - start, rng)
        for stream in range(streams):
            rows = daily[:, stream][drawn]
            total[here, stream] = rows.sum(axis=1)
            sharpe[here, stream] = _sharpe(excess[:, stream][drawn], periods_per_year)
            drawdown[here, stream] = _drawdown(rows)
    return ResampledStreams(sharpe, total, drawdown, mean)


def standard_error(drawn: Floats) -> float | None:
    """Standard deviation of (draws,) figures; None if too many are undefined."""
    there = drawn[np.isfinite(drawn)]
    if len(there) < 2 or len(there) < (1 - MOST_UNDEFINED) * len(drawn):
        return None
    return float(there.std(ddof=1))


def critical_value(values: Floats, errors: Floats, drawn: Floats, level: float = LEVEL) -> float:
    """The multiple of the error within which all (m,) values hold at once, by their (draws, m) figures.

    The quantile of each draw's largest studentised deviation. Values without an error, or with one of 0, don't count;
    without any, the normal quantile of a single one would do, and 1.96 is returned.
    """
    moving = errors > 0  # NaN is not
    if not moving.any():
        return 1.96
    deviations = np.abs(drawn[:, moving] - values[moving]) / errors[moving]
    largest = np.max(np.where(np.isfinite(deviations), deviations, 0.0), axis=1)
    return float(np.quantile(largest, level))


def _drawn(days: int, block: int, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(draws, days) indices: blocks of geometric length from anywhere, around the end."""
    at = np.arange(days)
    begins = rng.random((draws, days)) < 1 / block
    begins[:, 0] = True
    latest = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    starts = rng.integers(days, size=(draws, days))
    return np.asarray((np.take_along_axis(starts, latest, axis=1) + at - latest) % days, dtype=np.intp)


def _sharpe(rows: Floats, periods_per_year: float) -> Floats:
    spread = rows.std(axis=1, ddof=1)
    constant = spread <= _CONSTANT * np.abs(rows).max(axis=1)
    return np.where(constant, np.nan, rows.mean(axis=1) / np.where(constant, 1, spread) * math.sqrt(periods_per_year))


def _drawdown(rows: Floats) -> Floats:
    equity = np.cumsum(rows, axis=1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 0)
    return np.asarray((peak - equity).max(axis=1))
