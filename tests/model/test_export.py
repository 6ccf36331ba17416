"""ONNX export: the file follows the contract and scores as the estimator does."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from gatekeeper.errors import ExportRefused
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import Dataset
from gatekeeper.model.export import convert, export, parity_rows, prove_parity
from gatekeeper.model.recipes import RECIPES
from gatekeeper.model.training import Trained, train
from gatekeeper.model.verify import open_scorer, verify, verify_exact
from gatekeeper.settings import Settings

MakeDataset = Callable[..., Dataset]
RECIPE_NAMES = sorted(RECIPES)


@pytest.fixture(scope="module")
def exported(make_dataset: MakeDataset) -> dict[str, tuple[Trained, bytes]]:
    """Each recipe, trained on 600 ideas, and its file."""
    trained = {name: train(make_dataset(600), Settings(recipe=name)) for name in RECIPE_NAMES}
    return {name: (model, export(model)) for name, model in trained.items()}


def as_skl2onnx_writes_it(estimator: object) -> bytes:
    """The conversion without anything of ours."""
    types = [("input", FloatTensorType([None, 7]))]
    opsets = {"": 21, "ai.onnx.ml": 3}
    model = convert_sklearn(estimator, initial_types=types, options={"zipmap": False}, target_opset=opsets)
    return model.SerializeToString()


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_layout(exported: dict[str, tuple[Trained, bytes]], name: str) -> None:
    """Case 20: opset imports are exactly those that the deployed runtime has, and so is the IR version."""
    content = exported[name][1]
    model = onnx.load_model_from_string(content)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 21), ("ai.onnx.ml", 3)]
    assert model.ir_version == 10
    session = onnxruntime.InferenceSession(content)
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        ("input", "tensor(float)", ["N", 7])
    ]
    assert [(value.name, value.type, value.shape) for value in session.get_outputs()] == [
        ("score", "tensor(float)", ["N"]),
        ("label", "tensor(int64)", ["N"]),
        ("probabilities", "tensor(float)", ["N", 2]),
    ]
    assert "ZipMap" not in {node.op_type for node in model.graph.node}
    verify_exact(content)


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_the_first_output_is_the_probability(exported: dict[str, tuple[Trained, bytes]], name: str) -> None:
    """Case 15: a server that reads the first output's first number gets the probability, not the label 0 or 1."""
    trained, content = exported[name]
    expected = trained.estimator.predict_proba(trained.features)
    score, label, probabilities = onnxruntime.InferenceSession(content).run(None, {"input": trained.features})
    assert np.abs(score - expected[:, 1]).max() <= 1e-5
    assert np.abs(probabilities - expected).max() <= 1e-5
    assert np.array_equal(label, trained.estimator.predict(trained.features))
    assert set(np.unique(label)) == {0, 1}
    assert not np.isin(score, (0, 1)).any()
    theirs = onnxruntime.InferenceSession(as_skl2onnx_writes_it(trained.estimator)).run(
        None, {"input": trained.features}
    )
    assert np.isin(theirs[0], (0, 1)).all()  # what the older order gave


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_metadata(exported: dict[str, tuple[Trained, bytes]], name: str) -> None:
    trained, content = exported[name]
    metadata = verify(content, cap=len(content)).metadata
    assert json.loads(metadata["feature_names"]) == list(FEATURES)
    assert {key: metadata[key] for key in metadata if key != "feature_names"} == {
        "feature_schema": "gatekeeper-7-v1",
        "trained_from": "2012-01-02T00:00:00+00:00",
        "trained_to": "2013-08-25T00:00:00+00:00",
        "estimator": name,
        "data_fingerprint": trained.fingerprint,
    }


def scores(content: bytes, rows: np.ndarray) -> np.ndarray:
    return open_scorer(content, cap=len(content)).score(rows)


@pytest.mark.parametrize("name", RECIPE_NAMES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_any_rows_score_alike(exported: dict[str, tuple[Trained, bytes]], name: str, seed: int) -> None:
    """The proof holds on rows that the export didn't see."""
    trained, content = exported[name]
    rows = parity_rows(trained.features, seed=seed + 1)
    assert prove_parity(scores(content, rows), trained.estimator, rows) <= 1e-5


def test_a_wrong_answer_is_refused_with_numbers(exported: dict[str, tuple[Trained, bytes]]) -> None:
    """The refusal names the worst difference, its row, and how many rows are wrong."""
    one, other = exported["logistic"], exported["hist_gradient_boosting"]
    rows = one[0].features
    expected = one[0].estimator.predict_proba(rows)[:, 1]
    differences = np.abs(expected - other[0].estimator.predict_proba(rows)[:, 1])
    with pytest.raises(ExportRefused) as refusal:
        prove_parity(scores(other[1], rows), one[0].estimator, rows)
    assert f"in {(differences > 1e-5).sum()} of 600 rows; worst row {differences.argmax()} (rsi14=" in str(
        refusal.value
    )
    assert f"differ by up to {differences.max():.4f}" in str(refusal.value)


def test_the_seed_decides_the_bytes(make_dataset: MakeDataset) -> None:
    """The same data and seed give the same bytes; other data other ones."""
    first, second, other = (
        export(train(make_dataset(300, seed), Settings(recipe="hist_gradient_boosting"))) for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


@settings(max_examples=25, deadline=None)
@given(start=st.floats(-1000, 1000, width=32), feature=st.integers(0, 6), size=st.integers(2, 6))
def test_thresholds_between_neighbouring_floats(start: float, feature: int, size: int) -> None:
    """Case 18: values one float32 apart, and the threshold between them no float32: each goes its right way."""
    values = [np.float32(start)]
    for _ in range(size - 1):
        values.append(np.nextafter(values[-1], np.float32(np.inf)))
    rows = np.zeros((40 * size, 7), dtype=np.float32)
    rows[:, feature] = np.repeat(values, 40)
    wins = np.repeat(np.arange(size) % 2, 40)
    estimator = HistGradientBoostingClassifier(early_stopping=False, max_iter=5, min_samples_leaf=10)
    with threadpool_limits(1):
        estimator.fit(rows.astype(np.float64), wins)
    assert prove_parity(scores(convert(estimator, {}), rows), estimator, rows) <= 1e-5


def test_skl2onnx_rounds_such_thresholds_wrongly() -> None:
    """Case 18: without our floor the proof refuses the conversion: half of the rows go the other way."""
    low = np.nextafter(np.float32(1), np.float32(2))  # its mantissa is odd: the middle rounds up, to `high`
    high = np.nextafter(low, np.float32(2))
    rows = np.zeros((80, 7), dtype=np.float32)
    rows[:, 0] = np.repeat([low, high], 40)
    estimator = HistGradientBoostingClassifier(early_stopping=False, max_iter=5, min_samples_leaf=10)
    estimator.fit(rows.astype(np.float64), np.repeat([0, 1], 40))
    with pytest.raises(ExportRefused, match="in 40 of 80 rows"):
        prove_parity(scores(as_skl2onnx_writes_it(estimator), rows), estimator, rows)
    assert prove_parity(scores(convert(estimator, {}), rows), estimator, rows) <= 1e-5


def test_an_estimator_without_converter_is_refused(exported: dict[str, tuple[Trained, bytes]]) -> None:
    with pytest.raises(ExportRefused, match="skl2onnx can't convert dict"):
        export(replace(exported["logistic"][0], estimator={}))
