"""Power analysis: the smallest Sharpe gain that each policy can detect for a given backtest length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.judgement.rule.gains import detectable_gain
from gatekeeper.judgement.rule.verdict import POLICIES, Policy
from gatekeeper.judgement.statistics.student_t import critical_value

WINDOWS = (0.5, 1.0, 2.0, 4.0)
"""Years."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Precision of one evaluation's gain. standard_error: annual Sharpe. years: the window's market days in years."""

    standard_error: float
    years: float
    correlation: float | None
    ideas_a_year: float
    dof: int | None = None
    """Degrees of freedom of the error; None if it is supposed, and taken as exact."""

    def critical(self, z: float) -> float:
        """The number of errors that a bound lies below its gain."""
        return z if self.dof is None else critical_value(z, self.dof)

    def over(self, years: float) -> float:
        """The standard error that a window of `years` such years would have."""
        return self.standard_error * math.sqrt(self.years / years)


@dataclass(frozen=True, slots=True)
class Sight:
    """Power of one policy in one window. detectable: the gain in annual Sharpe that it detects with its power.

    promotes_equals: the probability that one test promotes a model that is exactly as good.
    """

    policy: str
    years: float
    standard_error: float
    detectable: float
    promotes_equals: float


def supposed(correlation: float, years: float, ideas_a_year: float = 0.0) -> Measured:
    """The precision of two streams with this correlation of daily returns, without an evaluation.

    SE = sqrt(2 (1 - rho) / years), the closed form of Jobson & Korkie (1981) for small Sharpe ratios. Raises
    ConfigError.
    """
    if not -1 <= correlation < 1:
        raise ConfigError(f"correlation {correlation} of the two streams must be at least -1 and under 1")
    if not years > 0:
        raise ConfigError(f"a window of {years} years must be over 0")
    return Measured(math.sqrt(2 * (1 - correlation) / years), years, correlation, ideas_a_year)


def measured(document: EvaluationDocument) -> Measured:
    """The precision of an evaluation document's gain (document.py). Raises DataError if its error is undefined."""
    error, champion = document.verdict.standard_error, document.scorecards.champion
    if not error or champion is None:
        raise DataError("this evaluation's gain has no standard error; name the correlation of the two streams instead")
    challenger, periods = document.scorecards.challenger, document.rules.periods_per_year
    days = len(challenger.daily)
    both = np.corrcoef(challenger.daily, champion.daily)[0, 1]
    return Measured(
        standard_error=error,
        years=days / periods,
        correlation=float(both) if np.isfinite(both) else None,
        ideas_a_year=challenger.ideas * periods / days,
        dof=_dof(document),
    )


def sights(policy: Policy, by: Measured, windows: Sequence[float] = WINDOWS) -> list[Sight]:
    """The power of each policy in each window, policy by policy."""
    return [_sight(policy.with_name(name), years, by) for name in POLICIES for years in windows]


def _sight(policy: Policy, years: float, by: Measured) -> Sight:
    normal, error = NormalDist(), by.over(years)
    detectable = detectable_gain(error, by.critical(policy.z), policy)
    hurdle = detectable - normal.inv_cdf(policy.power) * error
    equals = normal.cdf(-hurdle / error) if error > 0 else 0.0
    return Sight(policy.name, years, error, detectable, equals)


def _dof(document: EvaluationDocument) -> int | None:
    """The degrees of freedom that an evaluation of today's edition states."""
    for gate in document.verdict.gates:
        if isinstance(found := gate.numbers.get("degrees_of_freedom"), int):
            return found
    return None
