"""Conversions that skl2onnx gets wrong and the checker accepts: the proof refuses each, with numbers."""

import re
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from gatekeeper.errors import ExportRefused, TrainingRefused
from gatekeeper.model.export import convert, export
from gatekeeper.model.training import Trained, train
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("known wrong")  # what its tests share is made once

NUMBERS = re.compile(r"differ by up to (\S+) \(allowed 1e-05\) in (\d+) of (\d+) rows; worst row (\d+) \(rsi14=")


@pytest.fixture(scope="module")
def trained(make_dataset) -> Trained:
    """A training that is right; tests put another estimator in."""
    return train(make_dataset(1000), Settings(recipe="logistic"))


@pytest.fixture(scope="module")
def wins(make_dataset) -> np.ndarray:
    return make_dataset(1000).ideas.wins.astype(np.int64)


def refusal_of(trained: Trained, estimator: object, features: np.ndarray, wins: np.ndarray) -> tuple[float, float]:
    """(worst difference, share of rows that are wrong) that the refusal names. Checker and session say nothing."""
    with threadpool_limits(1):
        estimator.fit(features, wins)  # type: ignore[attr-defined]
    content = convert(estimator, {})
    onnx.checker.check_model(content, full_check=True)
    onnxruntime.InferenceSession(content)
    with pytest.raises(ExportRefused) as refusal:
        export(replace(trained, estimator=estimator, features=features))
    found = NUMBERS.search(str(refusal.value))
    assert found is not None, str(refusal.value)
    return float(found[1]), int(found[2]) / int(found[3])


def test_calibration_around_a_pipeline(trained: Trained, wins: np.ndarray) -> None:
    """Case 16 (sklearn-onnx 1246): the sigmoid is laid over probabilities instead of raw scores."""
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    worst, share = refusal_of(trained, CalibratedClassifierCV(inner, method="sigmoid", cv=3), trained.features, wins)
    assert worst > 0.1
    assert share > 0.9


@pytest.mark.parametrize(
    "inner", [LogisticRegression(max_iter=2000), HistGradientBoostingClassifier(early_stopping=False, max_iter=20)]
)
def test_isotonic_calibration(trained: Trained, wins: np.ndarray, inner: object) -> None:
    """Case 17 (sklearn-onnx 1151): a stair instead of the lines between its corners."""
    worst, share = refusal_of(trained, CalibratedClassifierCV(inner, method="isotonic", cv=3), trained.features, wins)
    assert worst > 0.01
    assert share > 0.01


@pytest.mark.parametrize("forest", [RandomForestClassifier, ExtraTreesClassifier])
def test_forests_trained_with_nan(trained: Trained, wins: np.ndarray, forest: type) -> None:
    """Case 17 (sklearn-onnx 1253): which way a missing value goes is lost. Such rows aren't even trained on."""
    features = trained.features.copy()
    features[np.random.default_rng(0).random(features.shape) < 0.1] = np.nan
    worst, share = refusal_of(trained, forest(20, random_state=0), features, wins)
    assert worst > 0.1
    assert share > 0.01


def test_nan_is_refused_before_the_training(make_dataset) -> None:
    """Case 17: the first line of defence."""
    dataset = make_dataset(300)
    features = dataset.ideas.features.copy()
    features[0, 0] = np.nan
    with pytest.raises(TrainingRefused, match="Row 0: rsi14 is nan"):
        train(replace(dataset, ideas=replace(dataset.ideas, features=features)), Settings(recipe="logistic"))


def test_a_scaler_in_front_of_trees(trained: Trained, wins: np.ndarray) -> None:
    """Case 18 (sklearn-onnx 1183): the scaler rounds otherwise, and rows near a threshold turn off."""
    trees = HistGradientBoostingClassifier(early_stopping=False, random_state=0)
    worst, share = refusal_of(trained, make_pipeline(StandardScaler(), trees), trained.features, wins)
    assert worst > 0.001
    assert share > 0


def test_trees_trained_on_float64(trained: Trained, wins: np.ndarray) -> None:
    """Case 18: what was trained on float64 rows answers otherwise on what a server sends. Our training rows are
    float32 from the data set on, so that there is only one answer."""
    rng = np.random.default_rng(0)
    exact = np.abs(trained.features.astype(np.float64)) + rng.uniform(0, 1e-9, trained.features.shape)
    rounded = exact.astype(np.float32)
    trees = HistGradientBoostingClassifier(
        early_stopping=False, max_iter=100, min_samples_leaf=2, max_leaf_nodes=None, max_bins=255, random_state=0
    )
    with threadpool_limits(1):  # as in training
        trees.fit(exact[:250], wins[:250])
        apart = np.abs(trees.predict_proba(exact[:250]) - trees.predict_proba(rounded[:250]))[:, 1]
        assert (apart > 1e-5).sum() > 10
        assert trained.features.dtype == np.float32
        again = trees.fit(rounded[:250].astype(np.float64), wins[:250])
        assert np.array_equal(again.predict_proba(rounded[:250]), again.predict_proba(rounded[:250].astype(np.float64)))


def test_categorical_splits(trained: Trained, wins: np.ndarray) -> None:
    """A split by category is written as one by size."""
    rng = np.random.default_rng(0)
    features = trained.features.copy()
    features[:, 4] = rng.integers(0, 8, len(features))
    likely = np.where(np.isin(features[:, 4], (1, 4, 6)), 0.8, 0.2)
    outcome = (rng.random(len(features)) < likely).astype(np.int64)
    trees = HistGradientBoostingClassifier(early_stopping=False, random_state=0, categorical_features=[4])
    worst, share = refusal_of(trained, trees, features, outcome)
    assert worst > 0.1
    assert share > 0.1
