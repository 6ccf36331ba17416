"""Contender: a model that enters a backtest, its scores, and the ideas that it approves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.market.ideas import Ideas

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(n, 7) features to (n,) scores: `Scorer.score` of model/verify.py."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A model that enters a backtest."""

    name: str
    sha256: str
    threshold: float
    score: Score
    trained_to: datetime | None
    created_at: datetime | None = None
    model_id: int | None = None
    refit: "Contender | None" = None
    """The deployed refit: the same recipe and seed on all data to the as-of (refit_agreement.py)."""

    @property
    def seen_to(self) -> datetime | None:
        """The end of its training data; its creation if that is unknown."""
        return self.trained_to or self.created_at


def keeps(scores: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """(n,) bool: approved ideas. A score *under* the threshold is vetoed, in float32, in which 0.7 is not under 0.7."""
    return np.asarray(scores >= np.float32(threshold))


def decided(contender: Contender, ideas: Ideas) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n,) scores of a model, and (n,) bool: approved ideas. Raises DataError for scores that don't fit the ideas."""
    scores = np.asarray(contender.score(ideas.features), dtype=np.float32)
    if scores.shape != (len(ideas),) or not np.isfinite(scores).all():
        raise DataError(
            f"{contender.name} gave scores of shape {scores.shape} for {len(ideas)} ideas, or scores that are "
            "not finite; one finite score for each idea is needed"
        )
    return scores, keeps(scores, contender.threshold)
