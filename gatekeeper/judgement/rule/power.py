"""What can be seen with these ideas: which gain does a window show, and how sure is each policy in it?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.judgement.rule.verdict import POLICIES, Policy

WINDOWS = (0.5, 1.0, 2.0, 4.0)
"""Years."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How sure a gain was in one evaluation. standard_error: annual Sharpe. years: of its window, in market days."""

    standard_error: float
    years: float
    correlation: float | None
    ideas_a_year: float

    def over(self, years: float) -> float:
        """The standard error of a window of so many years of such days."""
        return self.standard_error * math.sqrt(self.years / years)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one policy sees in one window. detectable: the gain in annual Sharpe that it shows with its power.

    promotes_equals: how often one look puts in a model that is exactly as good.
    """

    policy: str
    years: float
    standard_error: float
    detectable: float
    promotes_equals: float


def supposed(correlation: float, years: float, ideas_a_year: float = 0.0) -> Measured:
    """Without an evaluation: two streams whose daily returns correlate so. SE = sqrt(2 (1 - rho) / years).

    The closed form of Jobson & Korkie (1981) for small Sharpe ratios. Raises ConfigError.
    """
    if not -1 <= correlation < 1:
        raise ConfigError(f"correlation {correlation} of two streams: at least -1 and under 1")
    if not years > 0:
        raise ConfigError(f"a window of {years} years: must be over 0")
    return Measured(math.sqrt(2 * (1 - correlation) / years), years, correlation, ideas_a_year)


def measured(document: EvaluationDocument) -> Measured:
    """Of an evaluation document (document.py). Raises DataError where it holds no error of a gain."""
    error, champion = document.verdict.standard_error, document.scorecards.champion
    if not error or champion is None:
        raise DataError("this evaluation has no gain with an error; name the correlation of the two streams instead")
    challenger, periods = document.scorecards.challenger, document.rules.periods_per_year
    days = len(challenger.daily)
    both = np.corrcoef(challenger.daily, champion.daily)[0, 1]
    return Measured(
        standard_error=error,
        years=days / periods,
        correlation=float(both) if np.isfinite(both) else None,
        ideas_a_year=challenger.ideas * periods / days,
    )


def sights(policy: Policy, by: Measured, windows: Sequence[float] = WINDOWS) -> list[Sight]:
    """Each policy in each window, policy by policy."""
    return [_sight(policy.with_name(name), years, by.over(years)) for name in POLICIES for years in windows]


def _sight(policy: Policy, years: float, error: float) -> Sight:
    normal = NormalDist()
    sure, able = -normal.inv_cdf(policy.alpha), normal.inv_cdf(policy.power)
    hurdle = policy.margin
    if policy.tolerance is not None:
        hurdle = max(hurdle, sure * error - policy.tolerance)
    equals = normal.cdf(-hurdle / error) if error > 0 else 0.0
    return Sight(policy.name, years, error, hurdle + able * error, equals)
