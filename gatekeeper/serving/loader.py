"""Scoring in process: `Gatekeeper` scores ideas with the model that answers now."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.judgement.backtest.contender import keeps
from gatekeeper.model.verify import check_features
from gatekeeper.serving.ladder import Loaded, ModelOrigin, checked, fallbacks, load
from gatekeeper.serving.watch import ServingState, Watch

__all__ = ["Gatekeeper", "Loaded", "ModelOrigin", "Scores", "ServingState", "checked", "fallbacks", "load"]


class Scores:
    """Scores of n ideas: `values`, (n,) float32, the probability that each trade wins, and their origin.

    Immutable by properties: a frozen dataclass takes twice as long to make, which costs 5 % of a score.
    """

    __slots__ = ("_origin", "_values")

    def __init__(self, values: NDArray[np.float32], origin: ModelOrigin) -> None:
        self._values = values
        self._origin = origin

    def __repr__(self) -> str:
        return f"Scores({self._values}, {self._origin})"

    @property
    def values(self) -> NDArray[np.float32]:
        """The scores, (n,) float32."""
        return self._values

    @property
    def approved(self) -> NDArray[np.bool_]:
        """Which ideas are approved, (n,) bool, by the same comparison as in the backtest."""
        return keeps(self._values, self._origin.threshold)

    @property
    def model_id(self) -> int:
        """The id of the model that answered."""
        return self._origin.model_id

    @property
    def version(self) -> str:
        """The model's version when it was loaded."""
        return self._origin.version

    @property
    def sha256(self) -> str:
        """The sha256 of the model's bytes."""
        return self._origin.sha256

    @property
    def threshold(self) -> float:
        """The threshold: an idea that scores below it is vetoed."""
        return self._origin.threshold

    @property
    def degraded(self) -> bool:
        """Whether another model than the primary answered."""
        return self._origin.degraded

    @property
    def reason(self) -> str | None:
        """Why it was not the primary from its own file; None if it was."""
        return self._origin.reason


class Gatekeeper(Watch):
    """Scores ideas with the primary of a registry, and follows promotions without a restart.

    Any number of threads may share one. `threshold` is for models without one of their own.
    """

    def score(self, features: ArrayLike) -> Scores:
        """Score n ideas. features: (n, 7) in FEATURES order; n may be 0.

        Raises DataError for values that are not features, NoModel if no model may answer, ModelRefused for scores that
        are not numbers from 0 to 1.
        """
        rows = check_features(features)
        loaded = self.current()
        return Scores(loaded.scorer.score_checked(rows), loaded.origin)
