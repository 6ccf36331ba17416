"""Verification: only bytes that pass every check become a scorer, and a scorer gives scores or an error."""

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import constant_model, contract_model, foreign_model, graph_model, placeholder_model
from onnx import TensorProto, helper

from gatekeeper.errors import ModelRefused
from gatekeeper.features import FEATURES
from gatekeeper.model.verify import (
    Canary,
    canary_of,
    canary_rows,
    verify,
    verify_exact,
    verify_untrusted,
)

CAP = 1 << 20
COEFFICIENTS = (0.02, -0.03, 4.0, 1.0, 0.5, -0.5, 0.25)
GOOD = contract_model(COEFFICIENTS, -0.5)
ROW = [50.0, 20.0, 0.01, 0.05, 0.0, 0.0, 1.0]


def refusal(content: bytes, **arguments: object) -> ModelRefused:
    with pytest.raises(ModelRefused) as caught:
        verify(content, cap=CAP, **arguments)  # type: ignore[arg-type]
    return caught.value


def logistic_by_hand(rows: np.ndarray, intercept: float) -> list[float]:
    return [
        1 / (1 + math.exp(-(math.fsum(c * float(x) for c, x in zip(COEFFICIENTS, row, strict=True)) + intercept)))
        for row in rows
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 40))
def test_scores_are_those_of_the_formula(seed: int, count: int) -> None:
    """A batch of any size, 0 and 1 too, scores as arithmetic by hand says."""
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1, 1, (count, 7)).astype(np.float32) * np.float32(20)
    scores = verify(GOOD, cap=CAP).score(rows)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx(logistic_by_hand(rows, -0.5), abs=2e-6)


@pytest.mark.parametrize(
    ("content", "recognised", "kind"),
    [
        (GOOD, "input 'input', score from 'score'", "score"),
        (foreign_model("input_name", COEFFICIENTS, -0.5), "input 'float_input', score from 'score'", "score"),
        (
            foreign_model("probabilities", COEFFICIENTS, -0.5),
            "input 'float_input', score from 'probabilities' column 1",
            "probabilities",
        ),
        (
            foreign_model("zipmap", COEFFICIENTS, -0.5),
            "input 'float_input', score from 'output_probability' key 1",
            "zipmap",
        ),
    ],
)
def test_models_of_others_are_recognised(content: bytes, recognised: str, kind: str) -> None:
    """Case 15: whatever the outputs' names and order, the score is the probability of class 1."""
    scorer = verify(content, cap=CAP)
    assert str(scorer.signature) == recognised
    assert scorer.signature.kind == kind
    rows = canary_rows()
    assert scorer.score(rows).tolist() == pytest.approx(logistic_by_hand(rows, -0.5), abs=2e-6)
    assert len(scorer.score(rows[:0])) == 0


def test_metadata_and_sha256_come_along() -> None:
    content = contract_model(COEFFICIENTS, trained_to="2018-01-01T00:00:00+00:00")
    scorer = verify(content, cap=CAP, sha256=hashlib.sha256(content).hexdigest())
    assert scorer.metadata == {"trained_to": "2018-01-01T00:00:00+00:00"}
    assert scorer.sha256 == hashlib.sha256(content).hexdigest()


@settings(max_examples=50, deadline=None)
@given(place=st.integers(0, len(GOOD) - 1), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(place: int, change: int) -> None:
    """Cases 21 and 58: other bytes than the registry's are refused by their sha256, wherever they differ."""
    changed = bytearray(GOOD)
    changed[place] ^= change
    assert refusal(bytes(changed), sha256=hashlib.sha256(GOOD).hexdigest()).reason == "sha256"


@settings(max_examples=50, deadline=None)
@given(length=st.integers(0, len(GOOD) - 1))
def test_any_truncated_file_is_refused(length: int) -> None:
    """Cases 21 and 24: a half-written file is refused even without its sha256, but where only a version that it
    doesn't use is cut off: then it answers as the whole."""
    whole_without_ml = len(GOOD) - len(helper.make_opsetid("ai.onnx.ml", 3).SerializeToString()) - 2
    if length == whole_without_ml:
        assert np.array_equal(
            verify(GOOD[:length], cap=CAP).score(canary_rows()), verify(GOOD, cap=CAP).score(canary_rows())
        )
    else:
        assert refusal(GOOD[:length]).reason in {"empty", "not_onnx", "opset", "session", "input", "output"}


def test_a_placeholder_graph_is_refused() -> None:
    """Case 25: Identity, 6 in, 6 out, passes onnx's checker and is not the contract's input."""
    onnx.checker.check_model(placeholder_model(), full_check=True)
    caught = refusal(placeholder_model())
    assert caught.reason == "input"
    assert "[None, 6]" in str(caught)
    assert "[N, 7]" in str(caught)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ([None, 6], TensorProto.FLOAT),
        ([None, 8], TensorProto.FLOAT),
        ([1, 7], TensorProto.FLOAT),
        ([None, None], TensorProto.FLOAT),
        ([7], TensorProto.FLOAT),
        ([None, 7, 1], TensorProto.FLOAT),
        ([None, 7], TensorProto.DOUBLE),
        ([None, 7], TensorProto.INT64),
    ],
)
def test_other_inputs_are_refused(shape: list[int | None], kind: int) -> None:
    graph = graph_model(
        [helper.make_node("Identity", ["x"], ["score"])],
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("score", kind, shape)],
    )
    assert refusal(graph.SerializeToString()).reason == "input"


def test_two_inputs_are_refused() -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 7]) for name in ("a", "b")]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 7])]
    assert (
        refusal(
            graph_model([helper.make_node("Add", ["a", "b"], ["score"])], inputs, outputs).SerializeToString()
        ).reason
        == "input"
    )


def one_output(operator: str, name: str, kind: int, shape: list[object], **attributes: object) -> bytes:
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 7])]
    outputs = [helper.make_tensor_value_info(name, kind, shape)]
    return graph_model(
        [helper.make_node(operator, ["input"], [name], **attributes)], inputs, outputs
    ).SerializeToString()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (one_output("Identity", "variable", TensorProto.FLOAT, ["N", 7]), "output"),
        (one_output("Identity", "score", TensorProto.FLOAT, ["N", 7]), "output"),  # by name, not by shape
        (one_output("ArgMax", "label", TensorProto.INT64, ["N"], axis=1, keepdims=0), "output"),  # only a label
        (one_output("ReduceMax", "score", TensorProto.FLOAT, ["N"], keepdims=0), "output"),  # one number for all
        (one_output("LpNormalization", "score", TensorProto.FLOAT, ["N", 7]), "operator"),
    ],
)
def test_other_outputs_are_refused(content: bytes, reason: str) -> None:
    assert refusal(content).reason == reason


@pytest.mark.parametrize("wrong", ["over", "under", "nan"])
def test_scores_that_are_no_probabilities_are_refused(wrong: str) -> None:
    """A raw margin, or NaN, is never taken for a score."""
    model = onnx.load_model_from_string(GOOD)
    operator = {"over": "Exp", "under": "Neg", "nan": "Log"}[wrong]
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            node.op_type = operator
    assert refusal(model.SerializeToString()).reason == "scores"


def test_a_score_that_depends_on_the_batch_is_refused() -> None:
    """A softmax over the rows gives probabilities, and another one in each company."""
    model = onnx.load_model_from_string(GOOD)
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            node.op_type = "Softmax"
            node.attribute.append(helper.make_attribute("axis", 0))
    assert refusal(model.SerializeToString()).reason == "batch"


@pytest.mark.parametrize(
    ("opsets", "ir_version", "reason"),
    [
        ([("", 21), ("ai.onnx.ml", 3)], 10, None),
        ([("", 21), ("", 21), ("ai.onnx.ml", 1)], 8, None),  # as skl2onnx writes it
        ([("ai.onnx", 17)], 8, None),
        ([("", 22), ("ai.onnx.ml", 3)], 10, "opset"),
        ([("", 21), ("ai.onnx.ml", 4)], 10, "opset"),
        ([("", 21), ("", 20)], 10, "opset"),
        ([("", 21), ("ai.onnx.ml", 3)], 11, "ir"),
        ([("", 21), ("com.microsoft", 1)], 10, "domain"),
    ],
)
def test_versions(opsets: list[tuple[str, int]], ir_version: int, reason: str | None) -> None:
    """Case 20: newer than the deployed runtime is refused; our own exports are exactly one version."""
    model = onnx.load_model_from_string(GOOD)
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*opset) for opset in opsets)
    model.ir_version = ir_version
    content = model.SerializeToString()
    if reason is None:
        assert verify(content, cap=CAP).score(canary_rows()).max() <= 1
    else:
        assert refusal(content).reason == reason
    if (opsets, ir_version) == ([("", 21), ("ai.onnx.ml", 3)], 10):
        verify_exact(content)
    else:
        with pytest.raises(ModelRefused):
            verify_exact(content)


@pytest.mark.parametrize("kind", ["input_name", "probabilities", "zipmap"])
def test_models_of_others_are_not_exact(kind: str) -> None:
    with pytest.raises(ModelRefused):
        verify_exact(foreign_model(kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"feature_schema": "gatekeeper-7-v1"}, None),
        ({"feature_schema": "gatekeeper-9-v2"}, "features"),
        ({"feature_names": str(list(FEATURES)).replace("'", '"')}, None),
        ({"feature_names": str(list(reversed(FEATURES))).replace("'", '"')}, "features"),
        ({"feature_names": "rsi14"}, "features"),
        ({"feature_names": "[" * 100_000}, "features"),
    ],
)
def test_a_model_that_wants_other_features_is_refused(metadata: dict[str, str], reason: str | None) -> None:
    """In another order it would answer, and be wrong."""
    content = contract_model(COEFFICIENTS, **metadata)
    if reason is None:
        assert verify(content, cap=CAP).metadata == metadata
    else:
        assert refusal(content).reason == reason


def test_canaries_vouch_for_the_scores() -> None:
    """Scores within 1e-5 of those at registration pass, others don't; through JSON nothing is lost."""
    canary = canary_of(verify(GOOD, cap=CAP), canary_rows())
    assert Canary.from_json(canary.to_json()) == canary
    assert len(canary.rows) == len(canary.scores) == 16
    assert verify(GOOD, cap=CAP, canary=canary).sha256 == hashlib.sha256(GOOD).hexdigest()
    off = replace(canary, scores=(*canary.scores[:-1], canary.scores[-1] + 2e-5))
    assert refusal(GOOD, canary=off).reason == "canary"
    near = replace(canary, scores=tuple(score + 5e-6 for score in canary.scores))
    assert verify(GOOD, cap=CAP, canary=near)
    assert refusal(constant_model(0.6), canary=canary).reason == "canary"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"rows": [[1, 2]], "scores": [0.5]}', '{"rows": [], "scores": [0.5]}']
)
def test_unreadable_canaries_are_refused(text: str) -> None:
    with pytest.raises(ModelRefused, match="Register the file again"):
        Canary.from_json(text)


def test_an_untrusted_model_gives_the_same_canaries() -> None:
    """The child process answers what this process would."""
    for content in (GOOD, foreign_model("zipmap")):
        assert verify_untrusted(content, cap=CAP) == canary_of(verify(content, cap=CAP), canary_rows())


def test_one_thread_each() -> None:
    """Case 28: forty sessions that have scored add no thread to the process."""
    rows = np.resize(canary_rows(), (5000, 7))
    first = verify(GOOD, cap=CAP)
    first.score(rows)
    before = len(list(Path("/proc/self/task").iterdir()))
    scorers = [verify(GOOD, cap=CAP) for _ in range(40)]
    assert all(len(scorer.score(rows)) == 5000 for scorer in scorers)
    assert len(list(Path("/proc/self/task").iterdir())) == before
    options = first.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_reloading_keeps_no_memory() -> None:
    """Case 26, this room's share: 1,000 verified loads grow the process by less than 10 MB."""
    for _ in range(50):
        verify(GOOD, cap=CAP)
    before = _resident()
    for _ in range(1000):
        verify(GOOD, cap=CAP)
    assert _resident() - before < 10_000_000


def test_a_scoring_server_needs_no_training_library() -> None:
    """Checking and scoring import numpy, onnx and onnxruntime, and nothing of what training needs."""
    heavy = {"sklearn", "skl2onnx", "skops", "pandas", "scipy", "matplotlib", "talib"}
    script = "import sys, gatekeeper.model.verify, gatekeeper.model.recipes; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "onnxruntime" in found
    assert not heavy & set(found)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
