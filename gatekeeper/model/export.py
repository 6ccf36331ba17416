"""ONNX export: converts an estimator, and proves that the ONNX model gives the same scores."""

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from threadpoolctl import threadpool_limits

from gatekeeper.errors import ExportRefused, ModelRefused
from gatekeeper.features import FEATURE_SCHEMA, FEATURES
from gatekeeper.model.graph import IR_VERSION, OPSETS, OUTPUTS
from gatekeeper.model.training import Trained
from gatekeeper.model.verify import open_scorer, verify, verify_exact

PARITY = 1e-5
RANDOM_ROWS = 5000
NEIGHBOUR_ROWS = 5000
# Round values show first if a threshold was rounded the wrong way.
GRID = (
    (0.0, 20.0, 30.0, 50.0, 70.0, 100.0),
    (0.0, 20.0, 40.0, 100.0),
    (-0.1, 0.0, 0.1),
    (0.0, 0.05, 0.1, 0.2),
    (-1.0, 0.0, 1.0),
    (-1.0, 0.0, 1.0),
    (0.0, 1.0),
)


def export(trained: Trained, *, parity_rows_seed: int = 0) -> bytes:
    """The ONNX file of `trained`. The same data, recipe and seed give the same bytes.

    Raises ExportRefused, with the numbers, if it does not score as the estimator does.
    """
    content = convert(trained.estimator, _metadata(trained))
    rows = parity_rows(trained.features, seed=parity_rows_seed)
    try:
        scorer = open_scorer(content, cap=len(content))
        # One run for both checks: a run takes a third of the time.
        score, label, probabilities = scorer.outputs(OUTPUTS, rows)
        prove_parity(scorer.read(score, len(rows)), trained.estimator, rows)
        verify_exact(content)
        verify(content, cap=len(content))
        _check_outputs(score, label, probabilities)
    except ModelRefused as refusal:
        raise ExportRefused(f"The exported file is not a usable model. {refusal} Use another recipe.") from refusal
    return content


def prove_parity(found: NDArray[np.float32], estimator: Any, rows: NDArray[np.float32]) -> float:
    """The largest difference between (n,) ONNX scores and `estimator.predict_proba` on `rows`, (n, 7) float32.

    Raises ExportRefused if it exceeds 1e-5 in any row, with the worst row and the number of wrong rows.
    """
    with threadpool_limits(1):
        expected = np.asarray(estimator.predict_proba(rows), dtype=np.float64)[:, 1]
    differences = np.abs(found - expected)
    wrong = ~(differences <= PARITY)  # NaN is wrong too
    if wrong.any():
        worst = int(np.argmax(np.where(np.isnan(differences), np.inf, differences)))
        values = ", ".join(f"{name}={value:.9g}" for name, value in zip(FEATURES, rows[worst], strict=True))
        raise ExportRefused(
            f"ONNX and {type(estimator).__name__} differ by up to {differences[worst]:.6g} (allowed {PARITY:g}) in "
            f"{int(wrong.sum())} of {len(rows)} rows; worst row {worst} ({values}): ONNX {found[worst]:.9g}, "
            f"estimator {expected[worst]:.9g}. Use another recipe."
        )
    return float(differences.max(initial=0.0))


def parity_rows(features: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """The rows of a parity proof, (k, 7) float32.

    These are the training rows, their nearest neighbours in float32, a grid of round values, and random rows in and
    around the training rows' range.
    """
    some = features[:NEIGHBOUR_ROWS]
    infinity = np.float32(np.inf)
    columns = np.ascontiguousarray(features.T, dtype=np.float64)  # six times as fast as along rows of seven
    low, high = np.nanmin(columns, axis=1), np.nanmax(columns, axis=1)
    span = np.maximum(high - low, 1e-3)
    random = np.random.default_rng(seed).uniform(low - span / 2, high + span / 2, (RANDOM_ROWS, len(FEATURES)))
    random[::2, -1] = np.round(np.clip(random[::2, -1], 0, 1))  # half of them as real ideas: bought or sold
    return np.concatenate(
        [
            features,
            np.nextafter(some, infinity),
            np.nextafter(some, -infinity),
            np.array(list(product(*GRID)), dtype=np.float32),
            random.astype(np.float32),
        ]
    )


def convert(estimator: Any, metadata: Mapping[str, str]) -> bytes:
    """`estimator` as ONNX in Gatekeeper's layout, without proof. Raises ExportRefused if skl2onnx can't convert it."""
    model = _converted(estimator)
    _floor_thresholds(model, estimator)
    _lay_out(model)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _converted(estimator: Any) -> ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    try:
        model: ModelProto = convert_sklearn(
            estimator,
            initial_types=[("input", FloatTensorType([None, len(FEATURES)]))],
            options={"zipmap": False},
            target_opset=dict(OPSETS),
        )
    except (MissingConverter, MissingShapeCalculator, NotImplementedError, RuntimeError, ValueError) as fault:
        why = " ".join(str(fault).split())[:200]
        raise ExportRefused(f"skl2onnx can't convert {type(estimator).__name__}: {why}. Use another recipe.") from fault
    names = [value.name for value in model.graph.output]
    if sorted(names) != ["label", "probabilities"]:
        raise ExportRefused(f"skl2onnx gave the outputs {names} for {type(estimator).__name__}. Use another recipe.")
    return model


def _lay_out(model: ModelProto) -> None:
    """Set Gatekeeper's layout: outputs score, label, probabilities; fixed versions; no random bytes."""
    del model.opset_import[:]  # skl2onnx writes one domain twice, and ai.onnx.ml as version 1
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in OPSETS)
    model.ir_version = IR_VERSION
    graph = model.graph
    graph.name = "gatekeeper"  # skl2onnx gives it a random name
    graph.doc_string = model.doc_string = ""
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "gatekeeper_win"))
    graph.node.append(
        helper.make_node("Gather", ["probabilities", "gatekeeper_win"], ["score"], "gatekeeper_score", axis=1)
    )
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", len(FEATURES)]))
    types = {"score": TensorProto.FLOAT, "label": TensorProto.INT64, "probabilities": TensorProto.FLOAT}
    for name in OUTPUTS:
        shape: list[str | int] = ["N", 2] if name == "probabilities" else ["N"]
        graph.output.append(helper.make_tensor_value_info(name, types[name], shape))


def _floor_thresholds(model: ModelProto, estimator: Any) -> None:
    """Round each threshold of histogram boosting down to float32.

    The estimator compares float32 values with float64 thresholds. skl2onnx rounds those to the nearest float32
    (sklearn-onnx 1192): rounded up onto a value of the data, `x <= threshold` turns true for that value.
    """
    thresholds = _thresholds(estimator)
    if thresholds is None:
        return
    with np.errstate(over="ignore"):  # beyond float32 the floor is its largest number, or infinity as it was
        floored = thresholds.astype(np.float32)
    over = floored.astype(np.float64) > thresholds
    floored[over] = np.nextafter(floored[over], np.float32(-np.inf))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "TreeEnsembleClassifier" and attribute.name == "nodes_values":
                if len(attribute.floats) != len(floored):
                    raise ExportRefused(
                        f"{len(attribute.floats)} of {len(floored)} tree nodes were exported. Use another recipe."
                    )
                attribute.floats[:] = floored.tolist()


def _thresholds(estimator: Any) -> NDArray[np.float64] | None:
    """The thresholds of all nodes of all trees in skl2onnx's order, 0 for leaves; None for other estimators."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    final = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if not isinstance(final, HistGradientBoostingClassifier):
        return None
    # `_predictors` is private; skl2onnx reads it too, and the parity proof checks the result.
    nodes = [tree.nodes for trees in final._predictors for tree in trees]
    return np.concatenate([np.where(tree["is_leaf"], 0.0, tree["num_threshold"]) for tree in nodes])


def _check_outputs(score: NDArray[np.float32], label: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
    """Check that `label` and `probabilities`, which other servers read, agree with `score`. Raises ModelRefused."""
    clear = np.abs(score - 0.5) > PARITY
    if not np.array_equal(label[clear], (score[clear] > 0.5).astype(np.int64)):
        raise ModelRefused("output", "`label` is not the likelier class.")
    if not np.array_equal(probabilities[:, 1], score, equal_nan=True):
        raise ModelRefused("output", "`score` is not column 1 of `probabilities`.")
    if not np.allclose(probabilities.sum(axis=1), 1, rtol=0, atol=PARITY, equal_nan=True):
        raise ModelRefused("output", "`probabilities` do not add up to 1.")


def _metadata(trained: Trained) -> dict[str, str]:
    return {
        "feature_names": json.dumps(FEATURES),
        "feature_schema": FEATURE_SCHEMA,
        "trained_from": trained.trained_from.isoformat(),
        "trained_to": trained.trained_to.isoformat(),
        "estimator": trained.recipe,
        "data_fingerprint": trained.fingerprint,
        **({} if trained.train_years is None else {"train_years": f"{trained.train_years:g}"}),
        **({} if trained.half_life_days is None else {"half_life_days": f"{trained.half_life_days:g}"}),
    }
