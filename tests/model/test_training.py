"""Training: takes what was known in time, refuses data that can't carry a model, and is reproducible."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from gatekeeper.errors import ConfigError, DataError, ModelRefused, TrainingRefused, Unavailable
from gatekeeper.market.ideas import Dataset, instant
from gatekeeper.model.export import export
from gatekeeper.model.recipes import RECIPES
from gatekeeper.model.training import Trained, load_estimator, save_estimator, train, training_ideas
from gatekeeper.settings import Settings

HOUR = np.timedelta64(1, "h")
SETTINGS = Settings(recipe="logistic")

MakeDataset = Callable[..., Dataset]


def shifted(dataset: Dataset, start_hours: list[int], held_hours: list[int], late_hours: list[int]) -> Dataset:
    """The first ideas of `dataset`, moved to start so many hours after the training's end, held and known so late."""
    count = len(start_hours)
    end = instant(dataset.as_of - SETTINGS.holdout)
    time = end + np.array(start_hours) * HOUR
    closed = time + np.array(held_hours) * HOUR
    ideas = replace(
        dataset.ideas.take(slice(0, count)),
        time=time.astype("datetime64[ns]"),
        closed_at=closed.astype("datetime64[ns]"),
        known_at=(closed + np.array(late_hours) * HOUR).astype("datetime64[ns]"),
    )
    return replace(dataset, ideas=ideas)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-40 * 24, 10 * 24), st.integers(0, 21 * 24), st.integers(0, 72)), min_size=1, max_size=30
    )
)
def test_what_is_trained_on_started_in_time_and_was_known_in_time(
    make_dataset: MakeDataset, rows: list[tuple[int, int, int]]
) -> None:
    """Cases 35, 36 and 52: split by time, purged by exit, chosen by start."""
    dataset = shifted(make_dataset(len(rows)), *(list(column) for column in zip(*rows, strict=True)))
    taken = training_ideas(dataset, SETTINGS)
    expected = [row for row in rows if row[0] <= -21 * 24 and row[0] + row[1] + row[2] <= 0]
    assert len(taken) == len(expected)
    end = instant(dataset.as_of - SETTINGS.holdout)
    assert sorted(((taken.time - end) / HOUR).tolist()) == sorted(float(row[0]) for row in expected)


@pytest.mark.parametrize(
    ("start", "held", "late", "taken"),
    [
        (-21 * 24, 21 * 24, 0, 1),  # started just in time, held as long as can be, known at the end itself
        (-21 * 24, 21 * 24, 1, 0),  # known an hour too late
        (-21 * 24 + 1, 1, 0, 0),  # started an hour too late
        (-2 * 24, 24, 0, 0),  # a quick exit: known in time, started too late
        (-22 * 24, 23 * 24, 0, 0),  # straddles the end
    ],
)
def test_boundaries_of_the_training_time(
    make_dataset: MakeDataset, start: int, held: int, late: int, taken: int
) -> None:
    """Cases 36 and 52: an idea that straddles the end, or that only closed early, is not trained on."""
    assert len(training_ideas(shifted(make_dataset(1), [start], [held], [late]), SETTINGS)) == taken


def test_what_comes_after_the_training_changes_nothing(make_dataset: MakeDataset) -> None:
    """Case 35: poison in every idea that may not be known leaves the training as it was."""
    dataset = make_dataset(1200)
    late = dataset.ideas.time > instant(dataset.as_of - SETTINGS.holdout - SETTINGS.longest_hold)
    features = dataset.ideas.features.copy()
    features[late] = 1e8
    poisoned = replace(
        dataset.ideas, features=features, outcome=np.where(late, -dataset.ideas.outcome, dataset.ideas.outcome)
    )
    first, second = train(dataset, SETTINGS), train(replace(dataset, ideas=poisoned), SETTINGS)
    assert late.sum() > 100
    assert first.record() == second.record()
    assert np.array_equal(first.estimator[-1].coef_, second.estimator[-1].coef_)


def test_description_of_the_training(make_dataset: MakeDataset) -> None:
    """trained_to is when the last outcome was known, not the cut-off."""
    dataset = make_dataset(600)
    trained = train(dataset, SETTINGS)
    assert trained.ideas == 600
    assert trained.wins == int((dataset.ideas.outcome > 0).sum())
    assert trained.trained_from.isoformat() == "2012-01-02T00:00:00+00:00"
    assert trained.trained_to.isoformat() == "2013-08-25T00:00:00+00:00"  # 599 days, then two days held
    assert trained.cutoff == dataset.as_of - timedelta(days=365)


@pytest.mark.parametrize("won", [0, 300])
def test_one_class_is_refused_with_the_counts(make_dataset: MakeDataset, won: int) -> None:
    """Case 19: one class only is refused before training, with the counts."""
    dataset = make_dataset(300)
    ideas = replace(dataset.ideas, outcome=np.full(300, 0.01 if won else -0.01))
    with pytest.raises(
        TrainingRefused, match=rf"300 ideas \({won} won, {300 - won} lost\).*GATEKEEPER_MIN_CLASS_IDEAS"
    ):
        train(replace(dataset, ideas=ideas), SETTINGS)


@pytest.mark.parametrize(("count", "refused"), [(199, True), (200, False)])
def test_too_few_ideas_are_refused(make_dataset: MakeDataset, count: int, refused: bool) -> None:
    """200 ideas are enough, 199 are not."""
    if refused:
        with pytest.raises(TrainingRefused, match=r"199 ideas .*at least 200 \(GATEKEEPER_MIN_IDEAS\)"):
            train(make_dataset(count), SETTINGS)
    else:
        assert train(make_dataset(count), SETTINGS).ideas == 200


@pytest.mark.parametrize(("wins", "refused"), [(19, True), (20, False)])
def test_too_few_of_one_class_are_refused(make_dataset: MakeDataset, wins: int, refused: bool) -> None:
    """20 of the rarer class are enough, 19 are not."""
    dataset = make_dataset(300)
    ideas = replace(dataset.ideas, outcome=np.where(np.arange(300) < wins, 0.01, -0.01))
    if refused:
        with pytest.raises(TrainingRefused, match=r"19 won, 281 lost"):
            train(replace(dataset, ideas=ideas), SETTINGS)
    else:
        assert train(replace(dataset, ideas=ideas), SETTINGS).wins == 20


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_features_that_are_not_finite_are_refused(make_dataset: MakeDataset, value: float) -> None:
    """A NaN in the training rows is named by row and feature, and nothing is trained."""
    dataset = make_dataset(300)
    features = dataset.ideas.features.copy()
    features[7, 3] = value
    with pytest.raises(TrainingRefused, match="Row 7: bbWidth is"):
        train(replace(dataset, ideas=replace(dataset.ideas, features=features)), SETTINGS)


def test_an_unknown_recipe_names_the_known_ones(make_dataset: MakeDataset) -> None:
    with pytest.raises(ConfigError, match=r"'forest' is unknown\. Known: hist_gradient_boosting, logistic"):
        train(make_dataset(300), Settings(recipe="forest"))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_saved_and_restored_it_is_the_same(make_dataset: MakeDataset, tmp_path: Path, recipe: str) -> None:
    """What travels between the tasks answers to the last bit as before."""
    dataset, chosen = make_dataset(400), Settings(recipe=recipe)
    trained = train(dataset, chosen)
    path, sha256 = save_estimator(trained, tmp_path / "step")
    again = Trained.restore(trained.record(), path, sha256, dataset, chosen)
    assert again.record() == trained.record()
    assert np.array_equal(again.features, trained.features)
    rows = trained.features
    assert np.array_equal(again.estimator.predict_proba(rows), trained.estimator.predict_proba(rows))
    assert [file.name for file in (tmp_path / "step").iterdir()] == [f"estimator-{sha256[:16]}.skops"]


def test_other_bytes_other_data_and_other_types_are_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """A skops file is bound by its sha256, to its data, and holds only types that are trusted."""
    dataset = make_dataset(400)
    trained = train(dataset, SETTINGS)
    path, sha256 = save_estimator(trained, tmp_path)
    with pytest.raises(DataError, match=r"The training ideas have the fingerprint"):
        Trained.restore(trained.record(), path, sha256, make_dataset(401), SETTINGS)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="was changed"):
        load_estimator(path, sha256)
    path.unlink()
    with pytest.raises(DataError, match="Can't read"):
        load_estimator(path, sha256)
    strange = replace(trained, estimator={"run": print})
    with pytest.raises(ModelRefused, match=r"untrusted types: builtins\.print"):
        load_estimator(*save_estimator(strange, tmp_path))


def test_an_estimator_that_cannot_be_written_leaves_nothing(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """A file where the folder should be: a clear error, no half-written file."""
    target = tmp_path / "step"
    target.touch()
    with pytest.raises(Unavailable, match="nothing has changed"):
        save_estimator(train(make_dataset(300), SETTINGS), target)
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


SCRIPT = """
import hashlib, sys
from pathlib import Path
from gatekeeper.settings import Settings
from gatekeeper.market.ideas import Dataset
from gatekeeper.model.export import export
from gatekeeper.model.training import train
print(hash("gatekeeper"))
dataset = Dataset.load(Path(sys.argv[1]), sys.argv[2])
for recipe in ("hist_gradient_boosting", "logistic"):
    print(hashlib.sha256(export(train(dataset, Settings(recipe=recipe, seed=3)))).hexdigest())
"""


def test_two_processes_give_the_same_bytes(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """The same data and seed give the same ONNX bytes, whatever hash seed and number of threads a process has."""
    path = tmp_path / "dataset.npz"
    sha256 = make_dataset(500).save(path)
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), sha256],
        env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "4", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs, *answers = ended.stdout.split()
    assert int(theirs) != hash("gatekeeper")
    dataset = Dataset.load(path, sha256)
    with threadpool_limits(1):
        ours = [
            hashlib.sha256(export(train(dataset, Settings(recipe=recipe, seed=3)))).hexdigest()
            for recipe in ("hist_gradient_boosting", "logistic")
        ]
    assert answers == ours
    assert len(set(answers)) == 2
