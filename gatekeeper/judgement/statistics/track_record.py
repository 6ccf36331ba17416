"""Track record statistics: probabilistic and deflated Sharpe ratio, and minimum track record length."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from gatekeeper.errors import DataError
from gatekeeper.judgement.statistics.sharpe import sharpe_ratio

_NORMAL = NormalDist()
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of a record of daily returns: Sharpe per period (ddof 1), skewness and kurtosis (population; 3 is
    normal), number of periods. A record whose Sharpe is undefined has no moments."""

    sharpe: float
    skewness: float
    kurtosis: float
    periods: int

    @classmethod
    def of(cls, returns: ArrayLike) -> "Moments | None":
        """The moments of (T,) returns per period; None if their Sharpe is undefined."""
        sharpe = sharpe_ratio(returns, 1)
        if sharpe is None:
            return None
        row = np.asarray(returns, dtype=np.float64)
        deviation = (row - row.mean()) / np.abs(row - row.mean()).max()
        spread = float(np.mean(deviation**2))
        skewness, kurtosis = (float(np.mean(deviation**power)) / spread ** (power / 2) for power in (3, 4))
        return cls(sharpe, skewness, kurtosis, len(row))

    @property
    def variance(self) -> float:
        """T - 1 times the variance of the estimated Sharpe. Mertens (2002); Bailey & López de Prado (2012), eq. 9."""
        return 1 - self.skewness * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2


def probabilistic_sharpe(record: Moments, benchmark: float = 0.0) -> float | None:
    """The probability that the true Sharpe is over `benchmark` (per period). Bailey & López de Prado (2012), eq. 11.

    None if the moments give a variance that is not positive.
    """
    if record.variance <= 0:
        return None
    return _NORMAL.cdf((record.sharpe - benchmark) * math.sqrt(record.periods - 1) / math.sqrt(record.variance))


def expected_maximum(trials: int) -> float:
    """The expected maximum of `trials` independent standard normals: the best of so many trials without skill.

    Bailey & López de Prado (2014), eq. 1, an approximation for large numbers; 0 for one. Raises DataError.
    """
    if trials < 1:
        raise DataError(f"trials={trials} must be at least 1")
    if trials == 1:
        return 0.0
    return (1 - _EULER) * _NORMAL.inv_cdf(1 - 1 / trials) + _EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))


def deflated_sharpe(record: Moments, trials: int, variance: float) -> float | None:
    """Deflated Sharpe ratio: the probability that the true Sharpe is over the best of `trials` without skill.

    variance: of the Sharpes per period among the trials. Bailey & López de Prado (2014), eq. 2. Raises DataError.
    """
    if not (math.isfinite(variance) and variance >= 0):
        raise DataError(f"variance={variance} of the trials' Sharpes must be a number, 0 or more")
    return probabilistic_sharpe(record, expected_maximum(trials) * math.sqrt(variance))


def minimum_track_record(record: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float | None:
    """Minimum track record length: periods needed to show a Sharpe over `benchmark` with that confidence.

    Bailey & López de Prado (2012), eq. 13. None if no length is enough: the Sharpe isn't over the benchmark.
    """
    if not 0.5 < confidence < 1:
        raise DataError(f"confidence={confidence} must lie between 0.5 and 1")
    if record.sharpe <= benchmark or record.variance <= 0:
        return None
    return 1 + record.variance * (_NORMAL.inv_cdf(confidence) / (record.sharpe - benchmark)) ** 2
