"""Verdicts, gates and policies of the promotion rule, and the numbers that it uses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Verdict
from gatekeeper.documents.rules import POLICIES, Policy
from gatekeeper.judgement.backtest.scorecard import Scorecard

__all__ = ["DEPLOYS", "POLICIES", "Edition", "Gain", "Policy"]

DEPLOYS = ("judged", "refit")
"""Deployed model: the bytes that were judged, or a refit by the same recipe and seed on all data to the as-of."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The challenger's gain a year and its precision; None where undefined.

    In annual Sharpe, or in the annual Sharpe of the wilder of the two streams if their capital is compared.
    """

    value: float | None = None
    standard_error: float | None = None
    bound: float | None = None
    """The lower confidence bound: the gain less `critical` standard errors."""
    p: float | None = None
    """One-sided, of the hypothesis that the policy tests: a gain of at most minus the tolerance."""
    detectable: float | None = None
    """The gain that this window detects with the policy's power."""
    days_needed: int | None = None
    """Market days, of the same kind as these, that would detect the gain of interest; None if none would."""
    critical: float | None = None
    """The policy's z, for the degrees of freedom."""
    dof: int | None = None
    """Degrees of freedom of the error."""
    pooled: float | None = None
    """The standard error by the pooled history alone; None without one."""
    loss: float | None = None
    """What the ideas that only the champion entered lost, as a part of capital; None if that isn't compared."""
    loss_bound: float | None = None
    """Its lower confidence bound."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the judgement: new evaluations go by today's, and each stored one by its own."""

    judge: Callable[..., Verdict]
    """The promotion rule."""
    daily_gain: Callable[[Scorecard, Scorecard, Policy], NDArray[np.float64]]
    """(T,) what each day adds to the annual gain of a challenger over a champion."""
    detectable_gain: Callable[[float, float, Policy], float]
    """The gain that a standard error and a critical value detect."""
