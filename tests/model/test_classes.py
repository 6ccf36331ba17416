"""Classes of a model: 0 is a lost trade and 1 a won one, and a graph that names others, or another order, is refused.

Case 75: a ZipMap over {1, 2} was accepted, and its key 1 is the losing class. The graphs are scikit-learn's, as its
exporter writes them by default and otherwise, and some made by hand.
"""

from typing import Any

import numpy as np
import onnx
import pytest
from model_files import foreign_model
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from gatekeeper.errors import ModelRefused
from gatekeeper.model.verify import verify, verify_untrusted

CAP = 1 << 22
OPSETS = {"": 21, "ai.onnx.ml": 3}
WAY_OUT = "train it on these two labels, or export an output `score`"

LABELS: dict[str, tuple[Any, Any]] = {
    "1, 2": (1, 2),
    "-1, 1": (-1, 1),
    "'lost', 'won'": ("lost", "won"),
    "'0', '1'": ("0", "1"),
    "5, 7": (5, 7),
}


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(200, 7)).astype(np.float32)
    return features, features[:, 2] > 0


def exported(estimator: Any, labels: np.ndarray, *, zipmap: bool) -> bytes:
    features, _ = rows()
    estimator.fit(features, labels)
    types = [("input", FloatTensorType([None, 7]))]
    options = {id(estimator): {"zipmap": zipmap}}
    model = convert_sklearn(estimator, initial_types=types, options=options, target_opset=OPSETS)
    model.ir_version = 10
    return bytes(_cleaned(model).SerializeToString())


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    versions = {each.domain: each.version for each in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*each) for each in versions.items())
    return model


def refusal(content: bytes) -> str:
    for check in (lambda: verify(content, cap=CAP), lambda: verify_untrusted(content, cap=CAP)):
        with pytest.raises(ModelRefused) as caught:
            check()
    assert caught.value.reason == "output"
    return str(caught.value)


ESTIMATORS = [LogisticRegression(), DecisionTreeClassifier(max_depth=3)]
OTHERS = [RandomForestClassifier(5), MLPClassifier((4,), max_iter=20)]


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("named", LABELS)
def test_two_other_classes_are_refused_by_their_names(named: str, estimator: Any, zipmap: bool) -> None:
    """Case 75: with ZipMap and without, where the classifier's columns are all that there is."""
    _, won = rows()
    lost, other = LABELS[named]
    said = refusal(exported(estimator, np.where(won, other, lost), zipmap=zipmap))
    assert f"The model tells the classes {named} (" in said
    assert WAY_OUT in said


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_three_classes_are_refused(estimator: Any, zipmap: bool) -> None:
    features, won = rows()
    said = refusal(exported(estimator, won.astype(int) + (features[:, 0] > 1), zipmap=zipmap))
    assert "The model tells the classes 0, 1, 2 (" in said


@pytest.mark.filterwarnings("ignore")  # twenty rounds are no fit, and need not be one
@pytest.mark.parametrize("estimator", OTHERS, ids=lambda each: type(each).__name__)
def test_so_are_classes_that_only_a_table_of_labels_names(estimator: Any) -> None:
    """Of graphs without a classifier: without ZipMap, the table behind the label says which classes there are."""
    _, won = rows()
    assert "The model tells the classes 1, 2 (" in refusal(exported(estimator, np.where(won, 2, 1), zipmap=False))


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("kind", [int, bool])
def test_lost_and_won_are_read_as_scikit_learn_has_them(estimator: Any, zipmap: bool, kind: type) -> None:
    features, won = rows()
    content = exported(estimator, won.astype(kind), zipmap=zipmap)
    scores = verify(content, cap=CAP).score(features)
    assert scores == pytest.approx(estimator.predict_proba(features)[:, 1], abs=1e-5)


def edited(content: bytes, op: str, **labels: list[Any]) -> bytes:
    """The same graph, whose nodes of this operator name other labels."""
    model = onnx.load_from_string(content)
    for node in model.graph.node:
        if node.op_type == op:
            kept = [each for each in node.attribute if not each.name.startswith("classlabels")]
            del node.attribute[:]
            node.attribute.extend([*kept, *(helper.make_attribute(*each) for each in labels.items())])
    return bytes(model.SerializeToString())


def test_columns_in_another_order_are_refused() -> None:
    """The first column is that of 1 then: the score would be the probability of losing."""
    _, won = rows()
    content = exported(LogisticRegression(), won.astype(int), zipmap=False)
    said = refusal(edited(content, "LinearClassifier", classlabels_ints=[1, 0]))
    assert "columns of 'probabilities' are of the classes 1, 0 (LinearClassifier)" in said


def test_a_zipmap_with_its_keys_the_other_way_round_contradicts_its_classifier() -> None:
    _, won = rows()
    content = exported(LogisticRegression(), won.astype(int), zipmap=True)
    said = refusal(edited(content, "ZipMap", classlabels_int64s=[1, 0]))
    assert "order its classes differently" in said


def test_a_zipmap_alone_is_read_by_its_keys() -> None:
    """With no classifier behind it, its keys are all that names the columns: in whichever order, 1 is the winner."""
    rows_ = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
    plain = foreign_model("zipmap", (0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.5))
    turned = edited(plain, "ZipMap", classlabels_int64s=[1, 0])
    scores = [verify(content, cap=CAP).score(rows_) for content in (plain, turned)]
    assert scores[1] == pytest.approx(1 - scores[0], abs=1e-6)
    for labels in ([1, 2], [-1, 1], [2, 1]):
        said = refusal(edited(plain, "ZipMap", classlabels_int64s=labels))
        assert f"the classes {labels[0]}, {labels[1]} (ZipMap)" in said


@pytest.mark.parametrize(("columns", "said"), [(3, "tells 3 classes apart"), (1, "tells 1 class apart")])
def test_probabilities_of_another_width_are_refused(columns: int, said: str) -> None:
    """Of a graph that names no class at all."""
    weights = numpy_helper.from_array(np.ones((7, columns), dtype=np.float32), "weights")
    nodes = [
        helper.make_node("MatMul", ["input", "weights"], ["m"]),
        helper.make_node("Softmax", ["m"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 7])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", columns])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    told = refusal(bytes(model.SerializeToString()))
    assert said in told
    assert WAY_OUT in told


def test_an_output_named_score_says_itself_what_it_is() -> None:
    """Whatever the classes behind it: that is the way out of all these refusals."""
    _, won = rows()
    model = onnx.load_from_string(exported(LogisticRegression(), np.where(won, 2, 1), zipmap=False))
    nodes = [
        helper.make_node("Constant", [], ["second"], value=numpy_helper.from_array(np.array([1]), "second")),
        helper.make_node("Constant", [], ["flat"], value=numpy_helper.from_array(np.array([-1]), "flat")),
        helper.make_node("Gather", ["probabilities", "second"], ["column"], axis=1),
        helper.make_node("Reshape", ["column", "flat"], ["score"]),
    ]
    model.graph.node.extend(nodes)
    model.graph.output.extend([helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])])
    features, _ = rows()
    fitted = LogisticRegression().fit(features, np.where(won, 2, 1))
    scores = verify(bytes(model.SerializeToString()), cap=CAP).score(features)
    assert scores == pytest.approx(fitted.predict_proba(features)[:, 1], abs=1e-5)
