"""Student's t distribution: tail probabilities and critical values, so that a verdict is rechecked without scipy."""

import math
from functools import lru_cache

_STEPS = 500
_CLOSE = 1e-15


def upper_tail(t: float, dof: int) -> float:
    """The probability that a t-distributed figure is at least `t`."""
    if t < 0:
        return 1 - upper_tail(-t, dof)
    square = t**2
    if math.isinf(square):
        return 0.0
    share = dof / (dof + square)
    if share < (dof / 2 + 1) / (dof / 2 + 2.5):  # there the fraction converges, and small tails keep their digits
        return _beta_part(share, dof / 2, 0.5) / 2
    return 0.5 - _beta_part(square / (dof + square), 0.5, dof / 2) / 2


@lru_cache(maxsize=1024)
def critical_value(z: float, dof: int) -> float:
    """The figure that has the same tail probability under t as `z` has under the normal distribution."""
    if z <= 0:
        return -critical_value(-z, dof) if z else 0.0
    wanted = math.erfc(z / math.sqrt(2)) / 2
    low, high = z, 2 * z  # t has the heavier tail
    while upper_tail(high, dof) > wanted:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if upper_tail(middle, dof) > wanted else (low, middle)
    return high


def _beta_part(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (modified Lentz's method)."""
    if x <= 0:
        return 0.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for part in (even, odd):
            d, c = 1 / (1 + part * d), 1 + part / c
            fraction *= d * c
        if abs(d * c - 1) < _CLOSE:
            break
    return front * fraction / a
