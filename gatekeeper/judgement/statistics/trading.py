"""Traders' ratios: Sortino, Calmar and expected shortfall of (T,) daily returns on a fixed initial capital."""

import math

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.statistics.sharpe import max_drawdown

SHORTFALL = 0.05
"""Share of the days, the worst ones, whose mean is the expected shortfall."""

Returns = NDArray[np.float64]


def sortino_ratio(excess: Returns, periods_per_year: float) -> float | None:
    """Annual Sortino ratio of returns over the risk-free rate: their mean by the root mean square of the losses.

    All days count in that mean, those without a loss as 0. None without a loss.
    """
    down = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2))) if len(excess) else 0.0
    return None if down == 0 else float(excess.mean()) / down * math.sqrt(periods_per_year)


def calmar_ratio(daily: Returns, periods_per_year: float) -> float | None:
    """Return a year by the maximum drawdown, both as parts of the initial capital. None without a drawdown."""
    deepest = max_drawdown(daily)
    return None if deepest == 0 else float(daily.mean()) * periods_per_year / deepest


def expected_shortfall(daily: Returns, share: float = SHORTFALL) -> float | None:
    """Mean return of the worst days, of this share of them and at least one. None without days.

    As many days as lie at or below the quantile by the lower of two neighbours: floor((T - 1) x share) + 1.
    """
    if not len(daily):
        return None
    count = math.floor((len(daily) - 1) * share) + 1
    return float(np.partition(daily, count - 1)[:count].mean())
