"""Which ideas may a model learn from, and what did it learn?"""

import hashlib
import json
import warnings
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gatekeeper.config import Settings
from gatekeeper.documents.evaluation import Training
from gatekeeper.errors import ConfigError, DataError, ModelRefused, TrainingRefused
from gatekeeper.files import write_whole
from gatekeeper.market.ideas import Dataset, Ideas, instant, moment
from gatekeeper.model.recipes import RECIPES, Recipe, recipe
from gatekeeper.model.verify import check_features

__all__ = ["RECIPES", "Recipe", "Trained", "load_estimator", "recipe", "save_estimator", "train", "training_ideas"]

# The one type of histogram boosting that skops doesn't know: arrays of nodes. Trusted in files of known sha256 only.
TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted estimator and what it was fitted on.

    features: (n, 7) float32, the training rows. trained_from: start of the first idea. trained_to: when the last
    outcome became known. cutoff: nothing later was allowed. fingerprint: of the training ideas.
    """

    estimator: Any  # scikit-learn ships no types
    features: NDArray[np.float32]
    recipe: str
    seed: int
    ideas: int
    wins: int
    trained_from: datetime
    trained_to: datetime
    cutoff: datetime
    fingerprint: str

    def record(self) -> Training:
        """All but estimator and features, for documents: `restore` makes a Trained of it again."""
        return Training(
            recipe=self.recipe,
            seed=self.seed,
            parameters=_parameters(self.estimator),
            ideas=self.ideas,
            wins=self.wins,
            trained_from=self.trained_from,
            trained_to=self.trained_to,
            cutoff=self.cutoff,
            fingerprint=self.fingerprint,
        )

    @staticmethod
    def restore(made: Training, path: Path, sha256: str, dataset: Dataset, settings: Settings) -> "Trained":
        """What `record` and `save_estimator` kept, with the training rows out of the same dataset.

        Raises DataError where the dataset or the settings are not those of the training.
        """
        ideas = training_ideas(dataset, settings, made.cutoff)
        if (found := ideas.fingerprint()) != made.fingerprint:
            raise DataError(
                f"the training ideas have fingerprint {found}; the estimator was trained on {made.fingerprint}; "
                "train again"
            )
        estimator = load_estimator(path, sha256)
        return _describe(estimator, ideas, made.cutoff, made.recipe, made.seed)


def training_ideas(dataset: Dataset, settings: Settings, cutoff: datetime | None = None) -> Ideas:
    """The ideas that may be trained on: started a longest hold before the cut-off, and known by it.

    It is the start of the holdout, or what is given: the as-of itself for a refit. By start, not by close: of the ideas
    of the last weeks only the quick exits would be known, and they differ.
    """
    train_end = dataset.as_of - settings.holdout if cutoff is None else cutoff
    ideas = dataset.ideas
    started = ideas.time <= instant(train_end - settings.longest_hold)
    return ideas.take(started & (ideas.known_at <= instant(train_end)))


def train(dataset: Dataset, settings: Settings, cutoff: datetime | None = None) -> Trained:
    """Fit the recipe of `settings` on `training_ideas` of this cut-off, with one thread.

    Raises ConfigError for an unknown recipe, and TrainingRefused for too few ideas, too few of one class, or
    features that are not finite.
    """
    build = RECIPES.get(settings.recipe)
    if build is None:
        raise ConfigError(f"GATEKEEPER_RECIPE={settings.recipe!r} is unknown; known: {', '.join(sorted(RECIPES))}")
    until = dataset.as_of - settings.holdout if cutoff is None else cutoff
    ideas = training_ideas(dataset, settings, until)
    _refuse_poor(ideas, until, settings)
    estimator = build(settings.seed)
    # In float64 the optimum is the same to 1e-6 on every processor; the values are those of float32, exactly.
    with threadpool_limits(1):
        estimator.fit(ideas.features.astype(np.float64), ideas.wins.astype(np.int64))
    return _describe(estimator, ideas, until, settings.recipe, settings.seed)


def save_estimator(trained: Trained, folder: Path) -> tuple[Path, str]:
    """Write the estimator into `folder` as a skops file; returns its path, and the sha256 (hex) of its bytes.

    skops files of one estimator differ in their bytes: the sha256 binds this file, it identifies nothing. It is part
    of the name, so that a second run of the same week leaves the first one's file alone.
    """
    content: bytes = _skops().dumps(trained.estimator)
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"estimator-{sha256[:16]}.skops"
    write_whole(path, content)
    return path, sha256


def load_estimator(path: Path, sha256: str) -> Any:
    """The estimator that `save_estimator` wrote, if the bytes are those of `sha256` and hold known types only.

    Raises DataError for a missing or other file, and ModelRefused for a type that nobody trusts.
    """
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise DataError(f"can't read the estimator {path}: {fault.strerror or fault}; train again") from fault
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise DataError(f"{path} holds sha256 {found}, not {sha256}: it has changed; train again")
    skops = _skops()
    try:
        unknown = set(skops.get_untrusted_types(data=content))
        if strange := unknown - TRUSTED_TYPES:
            raise ModelRefused("type", f"{path} holds types that nobody trusts: {', '.join(sorted(strange))}")
        return skops.loads(content, trusted=sorted(unknown))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, ImportError) as fault:
        raise DataError(f"{path} is no skops file of these versions ({fault!s:.200}); train again") from fault


def _refuse_poor(ideas: Ideas, cutoff: datetime, settings: Settings) -> None:
    count, wins = len(ideas), int(ideas.wins.sum())
    counts = f"{count} ideas ({wins} won, {count - wins} lost)"
    until = (cutoff - settings.longest_hold).date()
    if count < settings.min_ideas:
        raise TrainingRefused(
            f"{counts} started by {until}; training takes at least {settings.min_ideas} (GATEKEEPER_MIN_IDEAS); "
            "choose a later as-of or a source with more history"
        )
    if min(wins, count - wins) < settings.min_class_ideas:
        raise TrainingRefused(
            f"{counts} started by {until}; training takes at least {settings.min_class_ideas} won and as many lost "
            "(GATEKEEPER_MIN_CLASS_IDEAS); choose a later as-of or another source"
        )
    try:
        check_features(ideas.features)
    except DataError as fault:
        raise TrainingRefused(f"{counts}; {fault}; mend the source") from None


def _describe(estimator: Any, ideas: Ideas, cutoff: datetime, recipe_name: str, seed: int) -> Trained:
    return Trained(
        estimator=estimator,
        features=ideas.features,
        recipe=recipe_name,
        seed=seed,
        ideas=len(ideas),
        wins=int(ideas.wins.sum()),
        trained_from=moment(ideas.time.min()),
        trained_to=moment(ideas.known_at.max()),
        cutoff=cutoff,
        fingerprint=ideas.fingerprint(),
    )


def _parameters(estimator: Any) -> str:
    """All plain parameters of the estimator and its steps, as JSON: what the recipe's name stood for."""
    plain = (bool, int, float, str, type(None))
    return json.dumps({name: value for name, value in estimator.get_params().items() if isinstance(value, plain)})


def _skops() -> ModuleType:
    """skops.io. Its import looks at every module's old names, each with a warning of its own: those are silenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import skops.io
    module: ModuleType = skops.io
    return module
