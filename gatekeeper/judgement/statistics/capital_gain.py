"""Capital gain: what one stream made more than another, in the Sharpe units of the wilder one.

For streams that have no Sharpe of their own, or too few trades for one: a stream without trades is a row of zeros.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evidence import Evidence
from gatekeeper.judgement.statistics import hac
from gatekeeper.judgement.statistics.pooled_error import Precision, Slopes, precision

FEWEST_DAYS = 2


@dataclass(frozen=True, slots=True, eq=False)
class CapitalGain:
    """What `a` made more than `b` a period, in standard deviations of the wilder."""

    daily: NDArray[np.float64]
    """(T,) the difference of each period."""
    scale: float
    """The larger of the two standard deviations, ddof 1."""

    @property
    def value(self) -> float:
        """The mean difference."""
        return float(self.daily.mean())

    def precision(self, evidence: Evidence) -> Precision:
        """The error of the mean: HAC, floored by the pooled history."""
        days, deviations = len(self.daily), self.daily - self.daily.mean()
        total = hac.long_run_sum(deviations, hac.bandwidth(deviations[:, np.newaxis]))
        side = Slopes(1 / self.scale)
        return precision(
            math.sqrt(max(total, 0.0) / (days * (days - 1))),
            evidence,
            (side, side),
            days_squared=days * (days - 1),
            most_dof=days - 1,
        )


def capital_gain(a: NDArray[np.float64], b: NDArray[np.float64]) -> CapitalGain | None:
    """The gain of (T,) excess returns over others of the same periods; None if neither row moves."""
    if len(a) != len(b) or len(a) < FEWEST_DAYS:
        return None
    scale = max(float(np.std(a, ddof=1)), float(np.std(b, ddof=1)))
    return CapitalGain((a - b) / scale, scale) if scale > 0 else None
