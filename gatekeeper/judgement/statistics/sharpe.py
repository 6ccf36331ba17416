"""Sharpe ratios: annualisation, the difference of two with its HAC standard error, and maximum drawdown."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.errors import DataError
from gatekeeper.judgement.statistics import hac

FEWEST_DAYS = 5
"""The small-sample factor of the difference divides by T - 4."""

_CONSTANT = 1e-10
"""Returns that spread less than this part of their size are constant but for rounding: no Sharpe, never 7e16."""


@dataclass(frozen=True, slots=True)
class SharpeDifference:
    """The Sharpe of `a` minus that of `b`, per period (annual: x sqrt(periods)); None if undefined."""

    delta: float | None
    standard_error: float | None
    p_one_sided: float | None
    bandwidth: float | None


def sharpe_ratio(returns: ArrayLike, periods_per_year: float = 252, *, autocorrelated: bool = False) -> float | None:
    """Annual Sharpe ratio of (T,) simple returns per period, as fractions, less the risk-free rate already; ddof 1.

    With `autocorrelated` the annual figure allows for autocorrelated returns (`annual_factor`), otherwise days count
    as independent. None for fewer than 2 returns, and for constant or non-finite ones: never 0, never infinite. Raises
    DataError for anything that is not a row of numbers.
    """
    if not (math.isfinite(periods_per_year) and periods_per_year > 0):
        raise DataError(f"periods_per_year={periods_per_year} must be a positive number, such as 252 or 365")
    row = _row(returns)
    per_period = _per_period(row)
    if per_period is None:
        return None
    factor = annual_factor(_lag_one(row), periods_per_year) if autocorrelated else math.sqrt(periods_per_year)
    return None if factor is None else per_period * factor


def annual_factor(rho: float, periods: float) -> float | None:
    """The factor from the Sharpe per period to the annual one, if returns follow an AR(1) with that autocorrelation.

    Lo (2002), eq. 20 with rho_k = rho^k, in closed form; sqrt(periods) for 0. None unless -1 < rho < 1 and the year's
    variance is positive.
    """
    if not -1 < rho < 1:
        return None
    inflation = 1 + 2 * rho / (1 - rho) * (1 - (1 - rho**periods) / (periods * (1 - rho)))
    return math.sqrt(periods / inflation) if inflation > 0 else None


def excess_returns(
    returns: ArrayLike, exposed: ArrayLike, risk_free: float, periods_per_year: float
) -> NDArray[np.float64]:
    """(T,) returns less the risk-free rate on what was exposed, (T,) parts of capital that lay in open positions.

    risk_free: a yearly rate, turned into one per period geometrically. Returns and exposure scale together, so the
    Sharpe of the excess is that of any size of the same trades. Raises DataError for rows of unequal length.
    """
    row, held = _row(returns), _row(exposed)
    if len(row) != len(held):
        raise DataError(f"{len(row)} returns against exposure in {len(held)} periods; each period needs both")
    return row - risk_free_per_period(risk_free, periods_per_year) * held


def sharpe_difference(a: ArrayLike, b: ArrayLike, *, unit_free: bool = True) -> SharpeDifference:
    """Sharpe of `a` minus Sharpe of `b`, both (T,) returns of the same T periods, with its standard error.

    Ledoit & Wolf (2008), sec. 3.1: delta method on the four moments, HAC variance with the Parzen kernel and Andrews'
    AR(1) automatic bandwidth, factor T/(T - 4). The bandwidth is that of the moments in units of their own spread, so
    that returns in percent and in fractions have the same error; edition 1 of the judgement took them as they are
    (`unit_free` False). p is one-sided, for "a is no better than b", and None where the error is zero. Needs 5 periods;
    with fewer only `delta` is there. Raises DataError for rows of unequal length.
    """
    first, second = _row(a), _row(b)
    if len(first) != len(second):
        raise DataError(f"{len(first)} returns against {len(second)}; a difference needs the same periods for both")
    sharpe_a, sharpe_b = _per_period(first), _per_period(second)
    if sharpe_a is None or sharpe_b is None:
        return SharpeDifference(None, None, None, None)
    delta = sharpe_a - sharpe_b
    if len(first) < FEWEST_DAYS:
        return SharpeDifference(delta, None, None, None)
    deviations, gradient = _moments(_computable(first), _computable(second))
    bandwidth = hac.bandwidth(deviations, unit_free=unit_free)
    error = _standard_error(deviations, gradient, bandwidth)
    p = 0.5 * math.erfc(delta / error / math.sqrt(2)) if error > 0 else None
    return SharpeDifference(delta, error, p, bandwidth)


def daily_influence(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """(T,) each period's contribution to the Sharpe of `a` minus that of `b`; the mean is the difference per period.

    The delta method of `sharpe_difference`, period by period: its long-run variance is that of the difference x T.
    Both rows need a Sharpe. Raises DataError for rows of unequal length, or without.
    """
    first, second = _row(a), _row(b)
    if len(first) != len(second):
        raise DataError(f"{len(first)} returns against {len(second)}; a difference needs the same periods for both")
    sharpe_a, sharpe_b = _per_period(first), _per_period(second)
    if sharpe_a is None or sharpe_b is None:
        raise DataError("the Sharpe of one of the two is undefined, so their difference is as well")
    deviations, gradient = _moments(_computable(first), _computable(second))
    return np.asarray(sharpe_a - sharpe_b + deviations @ gradient)


def sharpe_error(returns: ArrayLike) -> float | None:
    """Standard error of the Sharpe per period of (T,) returns: that of `sharpe_difference`, for one row by itself.

    None for fewer than 5 periods, and if the Sharpe is undefined. Annual: x sqrt(periods).
    """
    row = _row(returns)
    if len(row) < FEWEST_DAYS or sharpe_ratio(row, 1) is None:
        return None
    scaled = _computable(row)
    deviations, gradient = (of_both[..., ::2] for of_both in _moments(scaled, scaled))
    return _standard_error(deviations, gradient, hac.bandwidth(deviations))


def max_drawdown(returns: ArrayLike) -> float:
    """Largest fall of 1 + the running sum of (T,) returns from its peak, in units of the initial capital, >= 0.

    Additive, since each trade is a fixed fraction of the *initial* capital. The start counts as a peak.
    """
    equity = np.concatenate(([0.0], np.cumsum(_row(returns))))
    return float(np.max(np.maximum.accumulate(equity) - equity))


def risk_free_per_period(yearly: float, periods_per_year: float) -> float:
    """The rate per period that compounds to the yearly rate, a fraction."""
    if not (math.isfinite(yearly) and yearly > -1):
        raise DataError(f"risk_free={yearly} must be a yearly rate as a fraction over -1, such as 0.05")
    return math.expm1(math.log1p(yearly) / periods_per_year)


def _row(returns: ArrayLike) -> NDArray[np.float64]:
    try:
        row = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"returns must be numbers, one for each period ({error})") from None
    if row.ndim != 1:
        raise DataError(f"returns of shape {row.shape} must be one row, shape (T,)")
    return row


def _per_period(returns: NDArray[np.float64]) -> float | None:
    if len(returns) < 2 or not np.isfinite(returns).all():
        return None
    size = float(np.abs(returns).max())
    if size == 0:
        return None
    scaled = returns / size
    spread = float(np.std(scaled, ddof=1))
    if spread <= _CONSTANT:
        return None
    return float(np.mean(scaled)) / spread


def _lag_one(returns: NDArray[np.float64]) -> float:
    """Lag-1 autocorrelation around one mean; the estimate lies within -1 and 1."""
    deviations = (returns - returns.mean()) / float(np.abs(returns).max())
    return float(deviations[1:] @ deviations[:-1]) / float(deviations @ deviations)


def _computable(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The returns, rescaled if so tiny or huge that their eighth powers would not be finite."""
    size = float(np.abs(returns).max())
    return returns if 1e-30 < size < 1e30 else returns / size


def _moments(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deviations (T, 4) of a, b, a², b² from their means, and the gradient (4,) of the difference by these means."""
    mu_a, mu_b, var_a, var_b = a.mean(), b.mean(), a.var(), b.var()
    gamma_a, gamma_b = float(np.mean(a**2)), float(np.mean(b**2))
    deviations = np.column_stack((a - mu_a, b - mu_b, a**2 - gamma_a, b**2 - gamma_b))
    gradient = np.array(
        (
            gamma_a / var_a**1.5,
            -gamma_b / var_b**1.5,
            -0.5 * mu_a / var_a**1.5,
            0.5 * mu_b / var_b**1.5,
        )
    )
    return deviations, gradient


def _standard_error(deviations: NDArray[np.float64], gradient: NDArray[np.float64], bandwidth: float) -> float:
    periods = len(deviations)
    variance = hac.long_run_sum(deviations @ gradient, bandwidth) / (periods - 4)  # the mean over T, times T / (T - 4)
    # Where one row is a multiple of the other the true variance is zero, and rounding may fall to either side.
    floor = 1e-27 * float((deviations**2 @ gradient**2).sum()) / (periods - 4)
    return math.sqrt(variance / periods) if variance > floor else 0.0
