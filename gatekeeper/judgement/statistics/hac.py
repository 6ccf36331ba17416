"""HAC variance: the long-run variance of autocorrelated figures, with the Parzen kernel and Andrews' bandwidth."""

import math

import numpy as np
from numpy.typing import NDArray

_STILL = 1e-20
"""Sum of squares, in units of a variance, of a column that moves on its last day alone, but for rounding."""


def bandwidth(deviations: NDArray[np.float64], *, unit_free: bool = True) -> float:
    """Andrews (1991), eq. 6.2 and 6.4, for the Parzen kernel, one AR(1) with intercept for each column that moves.

    unit_free: of the (T, k) columns each divided by its standard deviation.
    """
    if unit_free:
        spread = deviations.std(axis=0)
        deviations = deviations / np.where(spread > 0, spread, 1.0)
    before, after = deviations[:-1], deviations[1:]
    x, y = before - before.mean(axis=0), after - after.mean(axis=0)
    spread = np.sum(x * x, axis=0)
    moving = spread > (_STILL if unit_free else 0.0)
    rho = np.sum(x * y, axis=0)[moving] / spread[moving]
    noise = np.mean((y[:, moving] - rho * x[:, moving]) ** 2, axis=0) ** 2
    # A root of exactly 1 has no finite answer; it never comes from returns, but must not become NaN.
    gap = np.where(rho == 1, np.finfo(float).eps, 1 - rho)
    denominator = float(np.sum(noise / gap**4))
    if denominator == 0:
        return 0.0
    alpha = float(np.sum(4 * rho**2 * noise / gap**8)) / denominator
    return float(2.6614 * (alpha * len(deviations)) ** 0.2)


def long_run_sum(deviations: NDArray[np.float64], bandwidth: float) -> float:
    """T x the long-run variance of (T,) figures, given as deviations from their mean."""
    total = float(deviations @ deviations)
    for lag in range(1, min(len(deviations), math.ceil(bandwidth))):
        total += 2 * _parzen(lag / bandwidth) * float(deviations[lag:] @ deviations[:-lag])
    return total


def _parzen(x: float) -> float:
    return 1 - 6 * x**2 + 6 * x**3 if x <= 0.5 else 2 * (1 - x) ** 3
