"""What does the model that answers now say of these ideas?"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.judgement.backtest.contender import keeps
from gatekeeper.model.verify import check_features
from gatekeeper.serving.ladder import Loaded, ModelOrigin, checked, fallbacks, load
from gatekeeper.serving.watch import ServingState, Watch

__all__ = ["Gatekeeper", "Loaded", "ModelOrigin", "Scores", "ServingState", "checked", "fallbacks", "load"]


class Scores:
    """The answer to n ideas: `values` (n,) float32, the probability that each trade wins, and who says so.

    Immutable by its properties: a frozen dataclass takes twice as long to make, a twentieth of a score.
    """

    __slots__ = ("_origin", "_values")

    def __init__(self, values: NDArray[np.float32], origin: ModelOrigin) -> None:
        self._values = values
        self._origin = origin

    def __repr__(self) -> str:
        return f"Scores({self._values}, {self._origin})"

    @property
    def values(self) -> NDArray[np.float32]:
        """(n,) float32."""
        return self._values

    @property
    def approved(self) -> NDArray[np.bool_]:
        """(n,): which ideas are not vetoed, by the very comparison that the backtest makes."""
        return keeps(self._values, self._origin.threshold)

    @property
    def model_id(self) -> int:
        """The id of the model that answered."""
        return self._origin.model_id

    @property
    def version(self) -> str:
        """Its version, as it was when it was loaded."""
        return self._origin.version

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return self._origin.sha256

    @property
    def threshold(self) -> float:
        """An idea that scores under it is vetoed."""
        return self._origin.threshold

    @property
    def degraded(self) -> bool:
        """Did another model answer than the primary?"""
        return self._origin.degraded

    @property
    def reason(self) -> str | None:
        """Why it wasn't the primary from its own file; None where it was."""
        return self._origin.reason


class Gatekeeper(Watch):
    """Scores ideas with the primary of a registry, and follows promotions without a restart.

    Any number of threads may share one. `threshold` is for models that say none of their own.
    """

    def score(self, features: ArrayLike) -> Scores:
        """features: (n, 7) in FEATURES order; n may be 0. Raises DataError for values that are not features, and
        NoModel where no model may answer: there is never a made-up score."""
        rows = check_features(features)
        loaded = self.current()
        return Scores(loaded.scorer.score_checked(rows), loaded.origin)
