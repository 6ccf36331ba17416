"""Canaries: feature rows with the scores of a model at registration, to check that it still gives them."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import ModelRefused
from gatekeeper.features import FEATURES

CANARY_ROWS = 16


@dataclass(frozen=True, slots=True)
class Canary:
    """Rows of features, (k, 7), and their scores at registration, (k,). float32 values, exact in JSON."""

    rows: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]

    def features(self) -> NDArray[np.float32]:
        """The rows as (k, 7) float32."""
        return np.asarray(self.rows, dtype=np.float32).reshape(len(self.rows), len(FEATURES))

    def to_json(self) -> str:
        """The canary as one line of JSON, which `from_json` restores exactly."""
        return json.dumps({"rows": self.rows, "scores": self.scores}, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Canary":
        """The canary from JSON. Raises ModelRefused if `text` holds none."""
        try:
            stored = json.loads(text)
            rows = tuple(tuple(float(value) for value in row) for row in stored["rows"])
            scores = tuple(float(value) for value in stored["scores"])
        except (ValueError, TypeError, KeyError) as fault:
            raise ModelRefused(
                "canary", f"The stored canaries can't be read ({fault}). Register the file again."
            ) from None
        if len(rows) != len(scores) or any(len(row) != len(FEATURES) for row in rows):
            raise ModelRefused("canary", "The stored canaries have the wrong shape. Register the file again.")
        return Canary(rows, scores)


def canary_rows(seed: int = 0) -> NDArray[np.float32]:
    """Canary rows, (k, 7) float32: plausible ideas and extreme values, the same for the same seed."""
    rng = np.random.default_rng(seed)
    low = np.array([10.0, 5.0, -0.3, 0.01, -1.0, -1.0, 0.0])
    high = np.array([90.0, 60.0, 0.3, 0.4, 1.0, 1.0, 1.0])
    rows = rng.uniform(low, high, size=(CANARY_ROWS, len(FEATURES)))
    rows[:, -1] = np.arange(CANARY_ROWS) % 2
    rows[0] = 0.0
    rows[1] = [100.0, 100.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    return rows.astype(np.float32)
