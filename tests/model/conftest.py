"""Data sets for the model room, made by a formula with a seed."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from gatekeeper.market.ideas import Dataset, Ideas

AS_OF = datetime(2016, 1, 4, 2, tzinfo=UTC)

MakeDataset = Callable[..., Dataset]


def ideas_of(
    features: np.ndarray, outcome: np.ndarray, time: np.ndarray, closed: np.ndarray, known: np.ndarray | None = None
) -> Ideas:
    """Ideas of one symbol, each booked on the day of its exit."""
    n = len(outcome)
    return Ideas(
        symbol=np.full(n, "AAA"),
        strategy=np.full(n, "pullback"),
        time=time.astype("datetime64[ns]"),
        features=features.astype(np.float32),
        outcome=outcome.astype(np.float64),
        closed_at=closed.astype("datetime64[ns]"),
        known_at=(closed if known is None else known).astype("datetime64[ns]"),
        path_start=np.arange(n + 1, dtype=np.int64),
        path_day=closed.astype("datetime64[D]"),
        path_return=outcome.astype(np.float64),
    )


def dataset_of(ideas: Ideas, as_of: datetime = AS_OF) -> Dataset:
    """What was known at `as_of`."""
    days = np.unique(ideas.path_day)
    return Dataset(ideas, days, 365, as_of, as_of, marked=False, source="made", notes=())


def features_of(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 7) float64, plausible, no two rows alike."""
    return np.column_stack(
        [
            rng.uniform(10, 90, n),
            rng.uniform(5, 60, n),
            rng.normal(0, 0.1, n),
            rng.uniform(0.01, 0.3, n),
            rng.normal(0, 0.5, n),
            rng.normal(0, 0.5, n),
            rng.integers(0, 2, n),
        ]
    )


def made(n: int = 600, seed: int = 0) -> Dataset:
    """n ideas, one a day from 2012 on, held for two days; the slower the pull-back the likelier it wins."""
    rng = np.random.default_rng(seed)
    features = features_of(n, rng)
    chance = 1 / (1 + np.exp(-8 * features[:, 2] - (features[:, 0] - 50) / 40))
    outcome = np.where(rng.random(n) < chance, 0.01, -0.01)
    time = np.datetime64("2012-01-02T00:00", "ns") + np.arange(n) * np.timedelta64(24, "h")
    return dataset_of(ideas_of(features, outcome, time, time + np.timedelta64(48, "h")))


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    return made
