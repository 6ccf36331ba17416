"""Hostile model files, built by hand, each with the reason for which it must be refused."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from model_files import constant_model, contract_model, foreign_model, graph_model, placeholder_model
from onnx import TensorProto, helper, numpy_helper

GOOD = contract_model([0.1] * 7)
FOREIGN_DOMAINS = ("com.microsoft", "com.example", "ai.onnx.training")
OUTSIDE = ("../secret", "/etc/passwd", "link", "weights.bin", "*/_ORT_MEM_ADDR_/*")
"""By '..', absolute path, symlink, plain or hard-linked name, or address in memory."""
CLAIMED = ((10_000_000_000,), (100_000, 100_000), (2**40, 2**40), (-1,))
MAKES_TENSORS = ("Expand", "Tile", "Range", "Pad", "RandomNormalLike", "OneHot", "EyeLike", "Resize")


def changed(change: Callable[[onnx.ModelProto], object], content: bytes = GOOD) -> bytes:
    """A good model with one change."""
    model = onnx.load_model_from_string(content)
    change(model)
    return model.SerializeToString()


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


def control_flow(operator: str) -> onnx.NodeProto:
    value = [helper.make_tensor_value_info("v", TensorProto.FLOAT, None)]
    body = helper.make_graph([helper.make_node("Identity", ["margin"], ["v"])], "body", [], value)
    attributes = {"If": ["then_branch", "else_branch"], "Loop": ["body"], "Scan": ["body"]}[operator]
    return helper.make_node(operator, ["margin"], ["waste"], **dict.fromkeys(attributes, body))


def external(location: str) -> tuple[bytes, bytes]:
    """A tensor that lies outside the file: as an initializer, and in a constant."""
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[7], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value=location)
    constant = helper.make_node("Constant", [], ["outside"], value=outside)
    return (
        changed(lambda model: model.graph.initializer.append(outside)),
        changed(lambda model: model.graph.node.insert(0, constant)),
    )


def forty_gigabytes() -> bytes:
    """131 bytes: a shape, and a tensor of that shape."""
    shape = numpy_helper.from_array(np.array([10_000_000_000], dtype=np.int64))
    return graph_model(
        [helper.make_node("Constant", [], ["s"], value=shape), helper.make_node("ConstantOfShape", ["s"], ["score"])],
        [helper.make_tensor_value_info("i", TensorProto.FLOAT, ["N", 7])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
    ).SerializeToString()


def never_ending() -> bytes:
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
    return graph_model(
        nodes, [name("i", TensorProto.FLOAT, ["N", 7])], [name("score", TensorProto.FLOAT, ["N", 7])]
    ).SerializeToString()


def hidden_graph() -> bytes:
    node = helper.make_node("Identity", ["margin"], ["waste"])
    node.attribute.append(helper.make_attribute("body", control_flow("Loop").attribute[0].g))
    return contract_with(node)


def own_function() -> bytes:
    """A function could hide any operator behind an allowed name."""
    body = [helper.make_node("Identity", ["x"], ["y"])]
    function = helper.make_function("", "Sigmoid", ["x"], ["y"], body, [helper.make_opsetid("", 21)])
    return changed(lambda model: model.functions.append(function))


def foreign_domain(domain: str) -> tuple[bytes, bytes]:
    """Not imported, and imported."""
    unimported = contract_with(helper.make_node("Gelu", ["margin"], ["waste"], domain=domain))
    return unimported, changed(lambda model: model.opset_import.append(helper.make_opsetid(domain, 1)), unimported)


def claiming(shape: tuple[int, ...]) -> bytes:
    tensor = TensorProto(name="claim", data_type=TensorProto.FLOAT, dims=shape)
    return changed(lambda model: model.graph.initializer.append(tensor))


def sparse() -> tuple[bytes, bytes]:
    """A few bytes that the runtime would fill up with zeros: as an initializer, and in a constant."""
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "indices")
    tensor = helper.make_sparse_tensor(values, indices, [10_000_000_000])
    constant = helper.make_node("Constant", [], ["sparse"], sparse_value=tensor)
    return (
        changed(lambda model: model.graph.sparse_initializer.append(tensor)),
        changed(lambda model: model.graph.node.insert(0, constant)),
    )


def table_of_40_gigabytes() -> bytes:
    """Out of allowed operators: a column plus a row."""
    return contract_with(
        helper.make_node("Add", ["column", "row"], ["waste"]), column=np.ones((100_000, 1)), row=np.ones((1, 100_000))
    )


def doubling() -> bytes:
    """Out of allowed operators: thirty times over."""
    twice = [
        helper.make_node("Concat", [f"double{i}" if i else "margin"] * 2, [f"double{i + 1}"], axis=1) for i in range(30)
    ]
    return contract_with(*twice, helper.make_node("Identity", ["double30"], ["waste"]))


def hours_of_work() -> bytes:
    """Sixty products of matrices that the runtime would work out while it loads the model."""
    products = [helper.make_node("MatMul", [f"big{i}", "big0"], [f"big{i + 1}"]) for i in range(60)]
    return contract_with(
        helper.make_node("Mul", ["column", "row"], ["big0"]),
        *products,
        helper.make_node("Identity", ["big60"], ["waste"]),
        column=np.full((4000, 1), 0.01),
        row=np.full((1, 4000), 0.01),
    )


def biting_its_tail() -> bytes:
    """A tree with a branch whose both ways lead back to itself."""
    return contract_with(
        helper.make_node(
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
    )


def other_operator(old: str, new: str, **attributes: object) -> bytes:
    """The good model with one operator for another."""

    def change(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == old:
                node.op_type = new
                node.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())

    return changed(change)


def newer(*, ir: int = 10, opset: int = 21) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        model.ir_version = ir
        model.opset_import[0].version = opset

    return changed(change)


def fixed_batch() -> bytes:
    return changed(lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1))


def _pairs(name: str, made: tuple[bytes, bytes], reason: str) -> dict[str, tuple[bytes, str]]:
    return {f"{name} (1)": (made[0], reason), f"{name} (2)": (made[1], reason)}


def contents(cap: int) -> Mapping[str, tuple[bytes, str]]:
    """Bytes by name, and why `verify` refuses them before it runs anything that could do harm; `cap`: in bytes."""
    every: dict[str, tuple[bytes, str]] = {
        "empty": (b"", "empty"),
        "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs"),
        "web page": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "html"),
        "store's error page": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "html"),
        "over the cap": (b"x" * (cap + 1), "size"),
        "half a file": (GOOD[: len(GOOD) // 2], "not_onnx"),
        "zeros": (b"\x00" * 100, "not_onnx"),
        "zip": (b"PK\x03\x04" + b"\x00" * 100, "not_onnx"),
        "another runtime format": (b"ORTM" * 50, "not_onnx"),
        "placeholder": (placeholder_model(), "input"),
        "fixed batch": (fixed_batch(), "input"),
        "40 GB in 131 bytes": (forty_gigabytes(), "operator"),
        "never ending": (never_ending(), "operator"),
        "hidden graph": (hidden_graph(), "operator"),
        "own function": (own_function(), "operator"),
        "label only": (changed(_only_the_label), "output"),
        "raw margin": (other_operator("Sigmoid", "Exp"), "scores"),
        "negative": (other_operator("Sigmoid", "Neg"), "scores"),
        "not a number": (other_operator("Sigmoid", "Log"), "scores"),
        "depends on its batch": (other_operator("Sigmoid", "Softmax", axis=0), "batch"),
        "newer operators": (newer(opset=22), "opset"),
        "newer format": (newer(ir=11), "ir"),
        "other features": (contract_model([0.1] * 7, feature_schema="gatekeeper-9-v2"), "features"),
        "another model": (constant_model(0.999), "canary"),
        "another tool's model": (foreign_model("zipmap"), "canary"),
        **_pairs("sparse", sparse(), "tensor"),
    }
    for operator in ("Loop", "If", "Scan"):
        every[operator] = (contract_with(control_flow(operator)), "operator")
    for operator in MAKES_TENSORS:
        every[operator] = (contract_with(helper.make_node(operator, ["margin"], ["waste"])), "operator")
    for location in OUTSIDE:
        every.update(_pairs(f"external data {location}", external(location), "external"))
    for domain in FOREIGN_DOMAINS:
        every.update(_pairs(domain, foreign_domain(domain), "domain"))
    for shape in CLAIMED:
        every[f"claims {list(shape)}"] = (claiming(shape), "tensor")
    return every


def _only_the_label(model: onnx.ModelProto) -> None:
    kept = [output for output in model.graph.output if output.name == "label"]
    del model.graph.output[:]
    model.graph.output.extend(kept)


BOMBS: Mapping[str, tuple[Callable[[], bytes], frozenset[str]]] = {
    "a table of 40 GB": (table_of_40_gigabytes, frozenset({"memory"})),
    "doubling": (doubling, frozenset({"memory"})),
    "hours of work": (hours_of_work, frozenset({"time"})),
    "a tree that bites its tail": (biting_its_tail, frozenset({"session", "time", "crash", "run"})),
}
"""Only running them shows what they are: never in this process. What a child process may call each."""


def _nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


def _outside(path: Path) -> None:
    elsewhere = path.parents[2] / "outside.onnx"
    elsewhere.write_bytes(GOOD)
    path.symlink_to(elsewhere)


ODD_FILES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "missing": (_nothing, "missing"),
    "folder": (lambda path: path.mkdir(), "directory"),
    "named pipe": (os.mkfifo, "special"),
    "link to nowhere": (lambda path: path.symlink_to("nowhere.onnx"), "dangling"),
    "link in a circle": (lambda path: path.symlink_to(path.name), "dangling"),
    "link out of the folder": (_outside, "outside"),
}
"""What may lie at a model's path instead of a file, and its reason."""
