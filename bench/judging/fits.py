"""Cost of training's checks, the export and the proof of parity, on top of scikit-learn's fit."""

from dataclasses import replace
from typing import Any

import numpy as np
from judges import AS_OF, made_up
from results import ITS_TIME, Result, pair
from threadpoolctl import threadpool_limits

from gatekeeper.market.ideas import Dataset
from gatekeeper.model.export import export
from gatekeeper.model.recipes import RECIPES
from gatekeeper.model.training import train
from gatekeeper.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
NOTE = (
    "one thread each; ours also picks the ideas that may be trained on, checks and fingerprints them, converts the "
    "estimator, and proves the file on every training row and ten thousand more. What bounds ours: that proof scores "
    "every row twice, by scikit-learn and by the runtime, and isn't shortened. For boosted trees these two alone take "
    "0.6 and 0.45 of a fit at 1e6 rows, so no less than twice a fit is possible; for `logistic` they take 0.25, and "
    "the fingerprint half of a fit (140 bytes an idea go into it, where the fit goes over 56 a few times). The "
    "conversion takes a hundredth of a second at any size, as long as `logistic` fits 10,000 rows"
)


def main(*, quick: bool) -> list[Result]:
    """A row for each recipe and size."""
    return [
        beside(recipe, made_up(ideas), rounds=2 if quick else 3 if ideas == SIZES[-1] else 5)
        for recipe in ("logistic", "hist_gradient_boosting")
        for ideas in (SIZES[:1] if quick else SIZES)
    ]


def beside(recipe: str, dataset: Dataset, *, rounds: int) -> Result:
    """All of the dataset's ideas are trained on: its as-of lies a holdout later."""
    settings = Settings(recipe=recipe)
    later = replace(dataset, as_of=AS_OF + settings.holdout)
    features, wins = dataset.ideas.features.astype(np.float64), dataset.ideas.wins.astype(np.int64)
    return pair(
        "Training",
        f"train and export, {recipe}",
        f"{len(dataset.ideas):,} ideas",
        "scikit-learn fit alone",
        lambda: export(train(later, settings)),
        lambda: alone(recipe, settings.seed, features, wins),
        rounds=rounds,
        as_=ITS_TIME,
        at_most=1.3,
        note=NOTE,
    )


def alone(recipe: str, seed: int, features: np.ndarray, wins: np.ndarray) -> Any:
    """What scikit-learn does."""
    with threadpool_limits(1):
        return RECIPES[recipe](seed).fit(features, wins)
