"""Student's t distribution with whole degrees of freedom: tail probabilities and critical values.

Abramowitz & Stegun, 26.7.3 and 26.7.4: finite sums of positive terms, so that a verdict is rechecked without scipy.
"""

import math
from functools import lru_cache

_NEWTON_STEPS = 200


def upper_tail(t: float, dof: int) -> float:
    """The probability that a t-distributed figure is at least `t`."""
    if t < 0:
        return 1 - upper_tail(-t, dof)
    angle = math.atan2(t, math.sqrt(dof))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = dof % 2 == 1
    term = total = (0.0 if dof == 1 else cosine) if odd else 1.0
    for step in range(2 if odd else 1, dof - 1, 2):
        term *= cosine**2 * step / (step + 1)
        total += term
    inside = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return max(0.0, (1 - inside) / 2)


@lru_cache(maxsize=1024)
def critical_value(z: float, dof: int) -> float:
    """The figure that has the same tail probability under t as `z` has under the normal distribution."""
    if z < 0:
        return -critical_value(-z, dof)
    wanted, found = math.erfc(z / math.sqrt(2)) / 2, z
    scale = math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(dof * math.pi)
    # The tail is convex and t's is the heavier, so that Newton's steps come from below and never pass the root.
    for _ in range(_NEWTON_STEPS):
        density = scale * math.exp(-(dof + 1) / 2 * math.log1p(found**2 / dof))
        step = (upper_tail(found, dof) - wanted) / density
        found += step
        if step <= 1e-14 * max(found, 1.0):
            break
    return found
