"""Training: selects the ideas known by the cut-off and fits the recipe."""

import hashlib
import json
import warnings
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gatekeeper.documents.evaluation import Training
from gatekeeper.errors import ConfigError, DataError, ModelRefused, TrainingRefused
from gatekeeper.files import write_whole
from gatekeeper.market.ideas import Dataset, Ideas, instant, moment
from gatekeeper.model.recipes import RECIPES, Recipe, recipe
from gatekeeper.model.verify import check_features
from gatekeeper.settings import PREFIX, Settings

__all__ = ["RECIPES", "Recipe", "Trained", "load_estimator", "recipe", "save_estimator", "train", "training_ideas"]

YEAR = timedelta(days=365.25)

# The one type of histogram boosting that skops does not know: arrays of nodes. Trusted only in files of known sha256.
TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted estimator and its training data.

    features: (n, 7) float32, the training rows. trained_from: the start of the first idea. trained_to: the time the
    last outcome became known. cutoff: the latest time allowed. fingerprint: a digest of the training ideas.
    train_years and half_life_days: as they were set.
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
    train_years: float | None = None
    half_life_days: float | None = None

    def record(self) -> Training:
        """All fields but estimator and features, for documents and for `restore`."""
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
            train_years=self.train_years,
            half_life_days=self.half_life_days,
        )

    @staticmethod
    def restore(made: Training, path: Path, sha256: str, dataset: Dataset, settings: Settings) -> "Trained":
        """A Trained from the results of `record` and `save_estimator`, with the rows of the same dataset.

        Raises DataError if dataset or settings differ from those of the training, ModelRefused for an untrusted type.
        """
        ideas = training_ideas(dataset, settings, made.cutoff)
        if (found := ideas.fingerprint()) != made.fingerprint:
            raise DataError(
                f"The training ideas have the fingerprint {found}, but the estimator was trained on "
                f"{made.fingerprint}. Train again."
            )
        for name in ("recipe", "seed", "train_years", "half_life_days"):
            if getattr(settings, name) != getattr(made, name):
                raise DataError(
                    f"{PREFIX}{name.upper()}={getattr(settings, name)}, but the estimator was trained with "
                    f"{getattr(made, name)}. Train again."
                )
        return _describe(load_estimator(path, sha256), ideas, made.cutoff, settings)


def training_ideas(dataset: Dataset, settings: Settings, cutoff: datetime | None = None) -> Ideas:
    """The ideas to train on: started at least the longest hold before the cut-off, with an outcome known by it.

    The cut-off defaults to the start of the holdout; for a refit it is the as-of itself. Ideas are selected by start,
    not by close: of the last weeks' ideas only the quick exits are known, which would be a biased sample. With
    `train_years` the ideas of so many years before the cut-off, its first instant included.
    """
    train_end = dataset.as_of - settings.holdout if cutoff is None else cutoff
    ideas = dataset.ideas
    started = ideas.time <= instant(train_end - settings.longest_hold)
    if settings.train_years is not None:
        started &= ideas.time >= instant(train_end - settings.train_years * YEAR)
    return ideas.take(started & (ideas.known_at <= instant(train_end)))


def sample_weights(ideas: Ideas, cutoff: datetime, half_life_days: float) -> NDArray[np.float64]:
    """(n,) 0.5 ** (age / half-life): an idea's age is the time from its start to the cut-off."""
    age = (instant(cutoff) - ideas.time) / np.timedelta64(1, "D")
    return np.asarray(0.5 ** (age / half_life_days), dtype=np.float64)


def equal_ideas(weights: NDArray[np.float64]) -> float:
    """The number of equally weighted ideas that tell as much as these. Kish (1965)."""
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def train(dataset: Dataset, settings: Settings, cutoff: datetime | None = None) -> Trained:
    """Fit the recipe of `settings` on the training ideas of this cut-off, with one thread.

    Raises ConfigError for an unknown recipe, and TrainingRefused for too few ideas, too few of one class, or
    features that are not finite.
    """
    build = RECIPES.get(settings.recipe)
    if build is None:
        raise ConfigError(f"GATEKEEPER_RECIPE={settings.recipe!r} is unknown. Known: {', '.join(sorted(RECIPES))}.")
    until = dataset.as_of - settings.holdout if cutoff is None else cutoff
    ideas = training_ideas(dataset, settings, until)
    _refuse_poor(ideas, until, settings)
    estimator = build(settings.seed)
    weights = {}
    if settings.half_life_days is not None:
        weights[_weights_argument(estimator, settings.recipe)] = sample_weights(ideas, until, settings.half_life_days)
    # float64 gives the same optimum to 1e-6 on every processor; the values are exactly those of float32.
    with threadpool_limits(1):
        estimator.fit(ideas.features.astype(np.float64), ideas.wins.astype(np.int64), **weights)
    return _describe(estimator, ideas, until, settings)


def save_estimator(trained: Trained, folder: Path) -> tuple[Path, str]:
    """Write the estimator to a skops file in `folder`; returns its path and the sha256 (hex) of its bytes.

    skops writes other bytes each time, so the sha256 identifies this file, not the estimator. It is part of the file
    name, so that a second run of the same week does not overwrite the first one's file.
    """
    content: bytes = _skops().dumps(trained.estimator)
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"estimator-{sha256[:16]}.skops"
    write_whole(path, content)
    return path, sha256


def load_estimator(path: Path, sha256: str) -> Any:
    """The estimator that `save_estimator` wrote, after a check of its sha256 and types.

    Raises DataError for a missing or changed file, ModelRefused for an untrusted type.
    """
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise DataError(f"Can't read the estimator {path}: {fault.strerror or fault}. Train again.") from fault
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise DataError(f"{path} was changed: its sha256 is {found}, not {sha256}. Train again.")
    skops = _skops()
    try:
        unknown = set(skops.get_untrusted_types(data=content))
        if strange := unknown - TRUSTED_TYPES:
            raise ModelRefused("type", f"{path} holds untrusted types: {', '.join(sorted(strange))}. Train again.")
        return skops.loads(content, trusted=sorted(unknown))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, ImportError) as fault:
        raise DataError(f"{path} is not a skops file of these versions ({fault!s:.200}). Train again.") from fault


def _refuse_poor(ideas: Ideas, cutoff: datetime, settings: Settings) -> None:
    count, wins = len(ideas), int(ideas.wins.sum())
    counts = f"{count} ideas ({wins} won, {count - wins} lost)"
    until = (cutoff - settings.longest_hold).date()
    span, way_out = f"by {until}", "Choose a later as-of"
    if settings.train_years is not None:
        span = f"from {(cutoff - settings.train_years * YEAR).date()} to {until}"
        way_out = f"Raise GATEKEEPER_TRAIN_YEARS={settings.train_years:g}, choose a later as-of"
    if count < settings.min_ideas:
        raise TrainingRefused(
            f"Only {counts} started {span}; training needs at least {settings.min_ideas} (GATEKEEPER_MIN_IDEAS). "
            f"{way_out} or a source with more history."
        )
    if min(wins, count - wins) < settings.min_class_ideas:
        raise TrainingRefused(
            f"Only {counts} started {span}; training needs at least {settings.min_class_ideas} won and as many "
            f"lost (GATEKEEPER_MIN_CLASS_IDEAS). {way_out} or another source."
        )
    if settings.half_life_days is not None:
        _refuse_light(ideas, sample_weights(ideas, cutoff, settings.half_life_days), counts, settings)
    try:
        check_features(ideas.features)
    except DataError as fault:
        raise TrainingRefused(f"The {counts} can't be trained on. {fault} Repair the source.") from None


def _refuse_light(ideas: Ideas, weights: NDArray[np.float64], counts: str, settings: Settings) -> None:
    """Raise TrainingRefused if the weighted ideas tell no more than fewer than the floors ask for."""
    worth, won, lost = (equal_ideas(weights[which]) for which in (slice(None), ideas.wins, ~ideas.wins))
    if worth < settings.min_ideas or min(won, lost) < settings.min_class_ideas:
        raise TrainingRefused(
            f"The {counts} weigh as much as {worth:.0f} equal ones ({won:.0f} won, {lost:.0f} lost); training needs at "
            f"least {settings.min_ideas} (GATEKEEPER_MIN_IDEAS), {settings.min_class_ideas} won and as many lost "
            f"(GATEKEEPER_MIN_CLASS_IDEAS). Raise GATEKEEPER_HALF_LIFE_DAYS={settings.half_life_days:g} or leave it "
            "empty."
        )


def _weights_argument(estimator: Any, recipe_name: str) -> str:
    """The argument of `fit` for the weights: those of a pipeline are its last step's. Raises ConfigError."""
    from sklearn.utils.validation import has_fit_parameter

    name, final = estimator.steps[-1] if hasattr(estimator, "steps") else ("", estimator)
    if not has_fit_parameter(final, "sample_weight"):
        raise ConfigError(
            f"The recipe {recipe_name} can't weigh ideas: {type(final).__name__} takes no sample_weight. Leave "
            "GATEKEEPER_HALF_LIFE_DAYS empty, or choose another recipe."
        )
    return f"{name}__sample_weight" if name else "sample_weight"


def _describe(estimator: Any, ideas: Ideas, cutoff: datetime, settings: Settings) -> Trained:
    return Trained(
        estimator=estimator,
        features=ideas.features,
        recipe=settings.recipe,
        seed=settings.seed,
        ideas=len(ideas),
        wins=int(ideas.wins.sum()),
        trained_from=moment(ideas.time.min()),
        trained_to=moment(ideas.known_at.max()),
        cutoff=cutoff,
        fingerprint=ideas.fingerprint(),
        train_years=settings.train_years,
        half_life_days=settings.half_life_days,
    )


def _parameters(estimator: Any) -> str:
    """The plain parameters of the estimator and its steps, as JSON: the content of the recipe."""
    plain = (bool, int, float, str, type(None))
    return json.dumps({name: value for name, value in estimator.get_params().items() if isinstance(value, plain)})


def _skops() -> ModuleType:
    """The module skops.io, imported without the deprecation warnings of other modules that it triggers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import skops.io
    module: ModuleType = skops.io
    return module
