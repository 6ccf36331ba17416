"""Ageing of models in a rehearsal: annual Sharpe lost with the age of the training data, with standard errors.

Each difference is that of older models less the newest one, on the same ideas and days. Negative: age costs.
"""

from msgspec import Struct


class AgeingDifference(Struct, frozen=True):
    """A difference of annual Sharpe ratios."""

    value: float | None
    """The difference; null if a stream has no Sharpe ratio."""
    error: float | None
    """Its standard error, by a paired block bootstrap."""
    detectable: float | None
    """Smallest true difference that these days would have shown with the rehearsal's power, at 5 % two-sided."""

    @property
    def separable(self) -> bool:
        """Whether it lies further from 0 than chance puts it 95 times of 100."""
        return self.value is not None and self.error is not None and abs(self.value) > 1.96 * self.error


class AgeBin(Struct, frozen=True):
    """Models whose training ended so many weeks before."""

    since_weeks: int
    """Youngest age; from 0 on without the newest model itself."""
    until_weeks: int
    """Oldest age, itself not included."""
    difference: AgeingDifference
    """Mean annual Sharpe of these ages less that of the newest model."""


class HoldoutCost(Struct, frozen=True):
    """The newest model that a holdout allows."""

    holdout_days: int
    """The holdout."""
    difference: AgeingDifference
    """Its annual Sharpe less that of the newest model without a holdout."""


class AgeingCurve(Struct, frozen=True):
    """Ageing from one start date on, to the end."""

    begins: str
    """First day."""
    ends: str
    """Last day."""
    ideas: int
    """Ideas from then on."""
    newest: float | None
    """Annual Sharpe of always the newest model, retrained each week without a holdout."""
    newest_error: float | None
    """Standard error of that."""
    slope: AgeingDifference
    """Change of the annual Sharpe with each year of age, least squares over all weeks of age."""
    bins: list[AgeBin]
    """By age."""
    holdouts: list[HoldoutCost]
    """By holdout."""
    over_first: AgeingDifference | None
    """Annual Sharpe of `newest` less that of the first training; null for the first itself."""


class TrainingAged(Struct, frozen=True):
    """One training window and half-life."""

    train_years: float | None
    """Training window; null for all ideas."""
    half_life_days: float | None
    """Half-life of the weights; null for none."""
    curves: list[AgeingCurve]
    """By start date, the earliest and longest first; empty if no model could be trained."""
    refusal: str | None = None
    """Why there is none."""


class Ageing(Struct, frozen=True):
    """The ageing of a recipe's models."""

    recipe: str
    """Name of the recipe."""
    models: int
    """Trained weeks of each training."""
    oldest_weeks: int
    """Oldest age that the weeks allow, up to 104."""
    block: int
    """Days in a block of the bootstrap."""
    draws: int
    """Draws of the bootstrap."""
    power: float
    """Power of `detectable`."""
    trainings: list[TrainingAged]
    """That of the desk first."""
