"""Case 24: each file that is no model, or one that would do harm, is refused with its own reason, and quickly."""

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_files import contract_model, graph_model, placeholder_model
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.errors import ModelRefused
from gatekeeper.model.verify import read_model, verify, verify_untrusted

CAP = 50 << 20
GOOD = contract_model([0.1] * 7)


@pytest.fixture(autouse=True)
def _within_five_seconds() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 5


def read_reason(path: Path, root: Path | None, cap: int = CAP) -> str:
    with pytest.raises(ModelRefused) as caught:
        read_model(path, root=root, cap=cap)
    assert str(path) in str(caught.value)
    return caught.value.reason


def reason_of(content: bytes) -> str:
    """The reason that `verify` gives, without having run the model."""
    with pytest.raises(ModelRefused) as caught:
        verify(content, cap=CAP)
    return caught.value.reason


def reason_apart(content: bytes) -> str:
    """The reason of the child process alone: what this process must not run."""
    with pytest.raises(ModelRefused) as caught:
        verify_untrusted(content, cap=CAP)
    return caught.value.reason


# Files


def test_a_file_inside_the_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(GOOD)
    (tmp_path / "link.onnx").symlink_to("good.onnx")
    assert read_model(tmp_path / "good.onnx", root=tmp_path, cap=CAP) == GOOD
    assert read_model(tmp_path / "link.onnx", root=tmp_path, cap=CAP) == GOOD
    assert read_model(tmp_path / "good.onnx", root=None, cap=len(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "html"),
        (b"\xef\xbb\xbf\n  <html>", "html"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "html"),
        (b"x" * 2000, "size"),
    ],
)
def test_files_that_are_plainly_no_model(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert read_reason(path, tmp_path, cap=1999) == reason


def test_the_cap_itself_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 1999)
    assert len(read_model(path, root=tmp_path, cap=1999)) == 1999


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "dangling.onnx").symlink_to("nowhere.onnx")
    (tmp_path / "circle.onnx").symlink_to("circle.onnx")
    assert read_reason(tmp_path / "folder.onnx", tmp_path) == "directory"
    assert read_reason(tmp_path / "pipe.onnx", tmp_path) == "special"
    assert read_reason(Path("/dev/zero"), None) == "special"
    assert read_reason(tmp_path / "dangling.onnx", tmp_path) == "dangling"
    assert read_reason(tmp_path / "circle.onnx", tmp_path) == "dangling"
    assert read_reason(tmp_path / "missing.onnx", tmp_path) == "missing"
    assert read_reason(tmp_path / "folder.onnx" / "missing.onnx" / "deep", tmp_path) == "missing"


def test_what_lies_outside_the_root(tmp_path: Path) -> None:
    root = tmp_path / "models"
    root.mkdir()
    (tmp_path / "outside.onnx").write_bytes(GOOD)
    (root / "link.onnx").symlink_to(tmp_path / "outside.onnx")
    (root / "folder").symlink_to(tmp_path)
    for path in (
        root / ".." / "outside.onnx",
        tmp_path / "outside.onnx",
        root / "link.onnx",
        root / "folder" / "outside.onnx",
    ):
        assert read_reason(path, root) == "outside"


# Graphs


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link", "weights.bin", "*/_ORT_MEM_ADDR_/*"])
def test_external_data(tmp_path: Path, location: str) -> None:
    """By '..', absolute path, symlink, plain or hard-linked name, or address in memory: nothing outside is read."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "weights.bin").write_bytes(np.ones(7, dtype=np.float32).tobytes())
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[7], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value=location)
    as_initializer, as_constant = onnx.load_model_from_string(GOOD), onnx.load_model_from_string(GOOD)
    as_initializer.graph.initializer.append(outside)
    as_constant.graph.node.insert(0, helper.make_node("Constant", [], ["outside"], value=outside))
    with contextlib.chdir(tmp_path):  # where the runtime would look for names without a folder
        assert reason_of(as_initializer.SerializeToString()) == "external"
        assert reason_of(as_constant.SerializeToString()) == "external"


def contract_with(*nodes: onnx.NodeProto, **constants: np.ndarray) -> bytes:
    """The good model, its margin plus 0 times the largest value of `waste`, which `nodes` make."""
    model = onnx.load_model_from_string(GOOD)
    model.graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()
    )
    good = list(model.graph.node)
    at = next(index for index, node in enumerate(good) if node.op_type == "Sigmoid")
    good[at].input[0] = "wasted_margin"
    waste = [
        helper.make_node("ReduceMax", ["waste"], ["largest"], keepdims=0),
        helper.make_node("Min", ["largest", "one"], ["small"]),
        helper.make_node("Sub", ["small", "small"], ["zero"]),
        helper.make_node("Add", ["margin", "zero"], ["wasted_margin"]),
    ]
    del model.graph.node[:]
    model.graph.node.extend([*good[:at], *nodes, *waste, *good[at:]])
    return model.SerializeToString()


def test_a_small_waste_is_allowed() -> None:
    """The models below are refused for their size alone."""
    content = contract_with(
        helper.make_node("Add", ["column", "row"], ["waste"]), column=np.ones((9, 1)), row=np.ones(9)
    )
    assert verify_untrusted(content, cap=CAP) == verify_untrusted(GOOD, cap=CAP)


def test_a_tiny_graph_that_asks_for_40_gigabytes() -> None:
    """131 bytes: a shape, and a tensor of that shape."""
    shape = numpy_helper.from_array(np.array([10_000_000_000], dtype=np.int64))
    nodes = [
        helper.make_node("Constant", [], ["s"], value=shape),
        helper.make_node("ConstantOfShape", ["s"], ["score"]),
    ]
    content = graph_model(
        nodes,
        [helper.make_tensor_value_info("i", TensorProto.FLOAT, ["N", 7])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
    ).SerializeToString()
    assert len(content) < 200
    assert reason_of(content) == "operator"


@pytest.mark.parametrize(
    "operator", ["Expand", "Tile", "Range", "Pad", "RandomNormalLike", "OneHot", "EyeLike", "Resize"]
)
def test_operators_that_make_tensors_out_of_numbers(operator: str) -> None:
    assert reason_of(contract_with(helper.make_node(operator, ["margin"], ["waste"]))) == "operator"


def test_40_gigabytes_out_of_allowed_operators() -> None:
    """A column plus a row; doubling thirty times over. This process stays small, and the child under its cap."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = contract_with(
        helper.make_node("Add", ["column", "row"], ["waste"]), column=np.ones((100_000, 1)), row=np.ones((1, 100_000))
    )
    assert reason_apart(table) == "memory"
    doubling = [
        helper.make_node("Concat", [f"double{i}" if i else "margin"] * 2, [f"double{i + 1}"], axis=1) for i in range(30)
    ]
    assert reason_apart(contract_with(*doubling, helper.make_node("Identity", ["double30"], ["waste"]))) == "memory"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_300_000  # kB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("shape", [[10_000_000_000], [100_000, 100_000], [2**40, 2**40], [-1]])
def test_a_tensor_that_claims_more_than_the_file_holds(shape: list[int]) -> None:
    model = onnx.load_model_from_string(GOOD)
    model.graph.initializer.append(TensorProto(name="claim", data_type=TensorProto.FLOAT, dims=shape))
    assert reason_of(model.SerializeToString()) == "tensor"


def test_sparse_tensors() -> None:
    """A few bytes that the runtime would fill up with zeros."""
    model = onnx.load_model_from_string(GOOD)
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "indices")
    sparse = helper.make_sparse_tensor(values, indices, [10_000_000_000])
    as_constant = onnx.load_model_from_string(GOOD)
    as_constant.graph.node.insert(0, helper.make_node("Constant", [], ["sparse"], sparse_value=sparse))
    model.graph.sparse_initializer.append(sparse)
    assert reason_of(model.SerializeToString()) == "tensor"
    assert reason_of(as_constant.SerializeToString()) == "tensor"


def control_flow(operator: str) -> onnx.NodeProto:
    value = [helper.make_tensor_value_info("v", TensorProto.FLOAT, None)]
    body = helper.make_graph([helper.make_node("Identity", ["margin"], ["v"])], "body", [], value)
    attributes = {"If": ["then_branch", "else_branch"], "Loop": ["body"], "Scan": ["body"]}[operator]
    return helper.make_node(operator, ["margin"], ["waste"], **dict.fromkeys(attributes, body))


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan"])
def test_control_flow(operator: str) -> None:
    assert reason_of(contract_with(control_flow(operator))) == "operator"


def test_a_graph_hidden_in_an_allowed_operator() -> None:
    node = helper.make_node("Identity", ["margin"], ["waste"])
    node.attribute.append(helper.make_attribute("body", control_flow("Loop").attribute[0].g))
    assert reason_of(contract_with(node)) == "operator"


def test_a_graph_that_never_ends() -> None:
    """Within 251 bytes: Loop without a count whose condition stays true."""
    name = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"])],
        "b",
        [name("n", TensorProto.INT64, []), name("c", TensorProto.BOOL, [])],
        [name("d", TensorProto.BOOL, [])],
    )
    true = numpy_helper.from_array(np.array(True))
    nodes = [
        helper.make_node("Constant", [], ["t"], value=true),
        helper.make_node("Loop", ["", "t"], [], body=body),
        helper.make_node("Identity", ["i"], ["score"]),
    ]
    content = graph_model(
        nodes, [name("i", TensorProto.FLOAT, ["N", 7])], [name("score", TensorProto.FLOAT, ["N", 7])]
    ).SerializeToString()
    assert len(content) <= 251
    assert reason_of(content) == "operator"


def test_hours_of_work_out_of_allowed_operators() -> None:
    """Sixty products of matrices that the runtime would work out while it loads the model."""
    products = [helper.make_node("MatMul", [f"big{i}", "big0"], [f"big{i + 1}"]) for i in range(60)]
    content = contract_with(
        helper.make_node("Mul", ["column", "row"], ["big0"]),
        *products,
        helper.make_node("Identity", ["big60"], ["waste"]),
        column=np.full((4000, 1), 0.01),
        row=np.full((1, 4000), 0.01),
    )
    assert reason_apart(content) == "time"


def test_a_tree_that_bites_its_tail() -> None:
    """A branch whose both ways lead back to itself."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["input"],
        ["waste"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
        nodes_values=[0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[1, 0, 0],
        target_treeids=[0],
        target_nodeids=[2],
        target_ids=[0],
        target_weights=[1.0],
    )
    assert reason_apart(contract_with(tree)) in {"session", "time", "crash", "run"}


@pytest.mark.parametrize("domain", ["com.microsoft", "com.example", "ai.onnx.training"])
def test_foreign_domains(domain: str) -> None:
    """Imported or not."""
    unimported = contract_with(helper.make_node("Gelu", ["margin"], ["waste"], domain=domain))
    imported = onnx.load_model_from_string(unimported)
    imported.opset_import.append(helper.make_opsetid(domain, 1))
    assert reason_of(unimported) == "domain"
    assert reason_of(imported.SerializeToString()) == "domain"


def test_functions_of_its_own() -> None:
    """A function could hide any operator behind an allowed name."""
    model = onnx.load_model_from_string(GOOD)
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("", "Sigmoid", ["x"], ["y"], body, [helper.make_opsetid("", 21)]))
    assert reason_of(model.SerializeToString()) == "operator"


@pytest.mark.parametrize("content", [b"\x00" * 100, b"PK\x03\x04" + b"\x00" * 100, b"ORTM" * 50, b"\x08\x0a"])
def test_other_formats(content: bytes) -> None:
    assert reason_of(content) == "not_onnx"


def test_the_child_gives_the_same_reasons() -> None:
    """Registration asks the child process: it says what `verify` says, word for word."""
    for content in (b"ORTM" * 50, contract_with(control_flow("Loop")), placeholder_model()):
        with pytest.raises(ModelRefused) as here:
            verify(content, cap=CAP)
        with pytest.raises(ModelRefused) as apart:
            verify_untrusted(content, cap=CAP)
        assert (apart.value.reason, str(apart.value)) == (here.value.reason, str(here.value))
