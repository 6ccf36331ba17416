"""Training window and half-life: the ideas inside the window, each with its weight, or a refusal with the numbers."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from gatekeeper.errors import ConfigError, DataError, TrainingRefused
from gatekeeper.market.ideas import Dataset, instant
from gatekeeper.model.export import export
from gatekeeper.model.recipes import RECIPES
from gatekeeper.model.training import Trained, equal_ideas, sample_weights, save_estimator, train, training_ideas
from gatekeeper.settings import Settings

MakeDataset = Callable[..., Dataset]
DAY = np.timedelta64(1, "D")
NANOSECOND = np.timedelta64(1, "ns")


def started(dataset: Dataset, before_the_end: list[np.timedelta64]) -> Dataset:
    """The first ideas of `dataset`, each so long before the training's end."""
    time = instant(dataset.as_of - timedelta(days=365)) - np.array(before_the_end, dtype="timedelta64[ns]")
    ideas = dataset.ideas.take(slice(0, len(before_the_end)))
    return replace(dataset, ideas=replace(ideas, time=time, closed_at=time + DAY, known_at=time + DAY))


@pytest.mark.parametrize(
    ("before", "taken"),
    [
        (np.timedelta64(4383, "h"), 1),  # half a year of 365.25 days, exactly
        (np.timedelta64(4383, "h") + NANOSECOND, 0),
        (21 * DAY, 1),  # the longest hold
        (21 * DAY - NANOSECOND, 0),
    ],
)
def test_the_window_is_cut_to_the_instant(make_dataset: MakeDataset, before: np.timedelta64, taken: int) -> None:
    dataset = started(make_dataset(1), [before])
    assert len(training_ideas(dataset, Settings(train_years=0.5))) == taken
    assert len(training_ideas(dataset, Settings())) == int(before >= 21 * DAY)


def test_the_window_of_a_refit_ends_at_the_as_of(make_dataset: MakeDataset) -> None:
    """One idea a day over 599 days, and an as-of in the middle of it: half a year less the longest hold."""
    dataset = make_dataset(600)
    cutoff = dataset.as_of.replace(year=2013, month=6, day=3)
    found = training_ideas(dataset, Settings(train_years=0.5), cutoff)
    age = (instant(cutoff) - found.time) / DAY
    assert (age.min(), age.max()) == (pytest.approx(21 + 2 / 24), pytest.approx(182 + 2 / 24))
    assert len(found) == 162


def test_a_weight_halves_with_each_half_life(make_dataset: MakeDataset) -> None:
    """By hand: 0.5 ** (age / half-life), the age counted to the training's end."""
    dataset = started(make_dataset(4), [100 * DAY, 200 * DAY, 50 * DAY, np.timedelta64(36, "h")])
    end = dataset.as_of - timedelta(days=365)
    weights = sample_weights(dataset.ideas, end, 100.0)
    assert weights == pytest.approx([0.5, 0.25, math.sqrt(0.5), 0.5**0.015], abs=1e-15)
    assert equal_ideas(weights[:2]) == pytest.approx(0.75**2 / 0.3125)
    assert equal_ideas(np.full(7, 0.3)) == pytest.approx(7)


def test_both_recipes_fit_with_these_weights(make_dataset: MakeDataset) -> None:
    """Against scikit-learn's own fit, called by hand."""
    dataset = make_dataset(600)
    end = dataset.as_of - timedelta(days=365)
    weights = 0.5 ** (((instant(end) - dataset.ideas.time) / DAY) / 300)
    rows, won = dataset.ideas.features.astype(np.float64), (dataset.ideas.outcome > 0).astype(int)
    by_hand = {name: build(0) for name, build in RECIPES.items()}
    by_hand["logistic"].fit(rows, won, logisticregression__sample_weight=weights)
    by_hand["hist_gradient_boosting"].fit(rows, won, sample_weight=weights)
    for name, theirs in by_hand.items():
        ours = train(dataset, Settings(recipe=name, half_life_days=300)).estimator
        plain = train(dataset, Settings(recipe=name)).estimator
        assert ours.predict_proba(rows) == pytest.approx(theirs.predict_proba(rows), abs=1e-9)
        assert np.abs(ours.predict_proba(rows) - plain.predict_proba(rows)).max() > 1e-3


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_the_bytes_are_those_of_the_training_data_and_weights(make_dataset: MakeDataset, recipe: str) -> None:
    """A window that holds all changes no score; where something is set, the file says so."""
    dataset = make_dataset(500)

    def made(**chosen: float) -> Trained:
        return train(dataset, Settings(recipe=recipe, **chosen))

    def digest(**chosen: float) -> str:
        return hashlib.sha256(export(made(**chosen))).hexdigest()

    assert made().fingerprint == made(train_years=100).fingerprint == made(half_life_days=300).fingerprint
    assert made(train_years=3).fingerprint != made().fingerprint
    # The end is 2015-01-04 02:00, so the window begins on 2012-01-04 at 08:00, after that day's idea.
    assert made(train_years=3).trained_from.isoformat() == "2012-01-05T00:00:00+00:00"
    assert len({digest(), digest(train_years=3), digest(half_life_days=300), digest(half_life_days=301)}) == 4
    assert b"train_years" not in export(made())
    assert b"half_life_days" not in export(made())
    assert b"half_life_days\x12\x03300" in export(made(half_life_days=300))


def test_the_record_says_what_was_set(make_dataset: MakeDataset, tmp_path: Path) -> None:
    chosen = Settings(recipe="logistic", train_years=3, half_life_days=400)
    dataset = make_dataset(600)
    trained = train(dataset, chosen)
    assert (trained.record().train_years, trained.record().half_life_days) == (3, 400)
    path, sha256 = save_estimator(trained, tmp_path)
    assert Trained.restore(trained.record(), path, sha256, dataset, chosen).record() == trained.record()
    otherwise = chosen.model_copy(update={"half_life_days": None})
    with pytest.raises(DataError, match=r"HALF_LIFE_DAYS=None, but the estimator was trained with 400\.0\. Train aga"):
        Trained.restore(trained.record(), path, sha256, dataset, otherwise)


@pytest.mark.parametrize(
    ("count", "chosen", "said"),
    [
        (
            1200,
            {"train_years": 0.6},
            r"Only 199 ideas \(\d+ won, \d+ lost\) started from 2014-05-29 to 2014-12-14; .* at least 200 "
            r"\(GATEKEEPER_MIN_IDEAS\)\. Raise GATEKEEPER_TRAIN_YEARS=0\.6, choose a later as-of",
        ),
        (
            1200,
            {"train_years": 0.6, "min_ideas": 10, "min_class_ideas": 150},
            r"started from 2014-05-29 to 2014-12-14; .*150 won and as many lost .*Raise GATEKEEPER_TRAIN_YEARS=0\.6",
        ),
        # One idea a day, halving every 50 days: 2 x 50 / ln 2 = 144 equal ones.
        (
            1100,
            {"half_life_days": 50},
            r"The 1078 ideas .* weigh as much as 144 equal ones \(\d+ won, \d+ lost\); .*at least 200 "
            r"\(GATEKEEPER_MIN_IDEAS\).*Raise GATEKEEPER_HALF_LIFE_DAYS=50 or leave it empty",
        ),
        (1100, {"half_life_days": 50, "min_ideas": 10, "min_class_ideas": 90}, r"as 144 equal ones .*90 won"),
        (1100, {"half_life_days": 0.01}, r"weigh as much as \d equal ones"),
    ],
)
def test_too_little_left_is_refused_with_the_numbers(
    make_dataset: MakeDataset, count: int, chosen: dict[str, float], said: str
) -> None:
    """The floors hold for what the window leaves, and for what the weights leave of it."""
    with pytest.raises(TrainingRefused, match=said):
        train(make_dataset(count), Settings(**{"recipe": "logistic", **chosen}))


def test_a_recipe_that_can_not_weigh_is_refused(make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    monkeypatch.setitem(RECIPES, "neighbours", lambda _: KNeighborsClassifier())
    with pytest.raises(ConfigError, match=r"neighbours can't weigh ideas: KNeighborsClassifier takes no sample_weight"):
        train(make_dataset(400), Settings(recipe="neighbours", half_life_days=365))


@pytest.mark.parametrize("chosen", [{"train_years": 2.0}, {"half_life_days": 200.0}])
def test_what_comes_after_the_training_changes_nothing(make_dataset: MakeDataset, chosen: dict[str, float]) -> None:
    """Case 35, with a window and with weights: poison in every later idea leaves the training as it was."""
    dataset, settings = make_dataset(1200), Settings(**{"recipe": "logistic", **chosen})
    late = dataset.ideas.time > instant(dataset.as_of - settings.holdout - settings.longest_hold)
    features = np.where(late[:, None], 1e8, dataset.ideas.features).astype(np.float32)
    poisoned = replace(
        dataset.ideas, features=features, outcome=np.where(late, -dataset.ideas.outcome, dataset.ideas.outcome)
    )
    first, second = train(dataset, settings), train(replace(dataset, ideas=poisoned), settings)
    assert first.record() == second.record()
    assert np.array_equal(first.estimator[-1].coef_, second.estimator[-1].coef_)
