"""Small ONNX model files for tests of every room, built by hand, without scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSETS = (("", 21), ("ai.onnx.ml", 3))
FEATURE_COUNT = 7


def contract_model(coefficients: Sequence[float], intercept: float = 0.0, **metadata: str) -> bytes:
    """A model as our own export writes it: P(win) = 1 / (1 + exp(-(features · coefficients + intercept))).

    Other coefficients give other bytes and another sha256, the same ones the same bytes.
    """
    return _finish(_linear_nodes(coefficients, intercept, "input"), "input", _contract_outputs(), metadata)


def constant_model(score: float) -> bytes:
    """A contract model that gives every idea the same score, strictly between 0 and 1."""
    return contract_model([0.0] * FEATURE_COUNT, float(np.log(score / (1 - score))))


def foreign_model(
    kind: Literal["input_name", "probabilities", "zipmap"],
    coefficients: Sequence[float] = (0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.5),
    intercept: float = 0.0,
) -> bytes:
    """A model that another tool made and that we accept; it scores as `contract_model(coefficients, intercept)` does.

    input_name: the contract's outputs, the input called `float_input`. probabilities: label first, then
    probabilities [N, 2], no `score`. zipmap: label, then a list of {0: p, 1: p} (skl2onnx's default).
    """
    nodes = _linear_nodes(coefficients, intercept, "float_input")
    outputs = _contract_outputs()
    if kind == "input_name":
        return _finish(nodes, "float_input", outputs, {})
    if kind == "probabilities":
        return _finish(nodes, "float_input", outputs[1:], {})
    nodes.append(
        helper.make_node(
            "ZipMap", ["probabilities"], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
        )
    )
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    return _finish(nodes, "float_input", [outputs[1], helper.make_value_info("output_probability", maps)], {})


def graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *,
    initializers: Sequence[onnx.TensorProto] = (),
    opsets: Sequence[tuple[str, int]] = OPSETS,
    ir_version: int = 10,
) -> onnx.ModelProto:
    """Any graph at all: what hostile tests start from."""
    graph = helper.make_graph(list(nodes), "gatekeeper", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version, producer_name="tests")


def placeholder_model() -> bytes:
    """Identity, 6 in, 6 out: passes onnx's checker, and is no gatekeeper (case 25)."""
    return graph_model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 6])],
    ).SerializeToString(deterministic=True)


def _linear_nodes(coefficients: Sequence[float], intercept: float, input_name: str) -> list[onnx.NodeProto]:
    weights = np.asarray(coefficients, dtype=np.float32).reshape(FEATURE_COUNT, 1)
    constants: Mapping[str, np.ndarray] = {
        "weights": weights,
        "bias": np.asarray([intercept], dtype=np.float32),
        "one": np.asarray([1.0], dtype=np.float32),
        "flat": np.asarray([-1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))
        for name, value in constants.items()
    ]
    return [
        *nodes,
        helper.make_node("Gemm", [input_name, "weights", "bias"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["win"]),
        helper.make_node("Sub", ["one", "win"], ["loss"]),
        helper.make_node("Concat", ["loss", "win"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        helper.make_node("Reshape", ["win", "flat"], ["score"]),
    ]


def _contract_outputs() -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2]),
    ]


def _finish(
    nodes: Sequence[onnx.NodeProto],
    input_name: str,
    outputs: Sequence[onnx.ValueInfoProto],
    metadata: Mapping[str, str],
) -> bytes:
    inputs = [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["N", FEATURE_COUNT])]
    wanted = {output.name for output in outputs}
    # What nobody reads would only raise a warning at each load.
    kept = [node for node in nodes if "score" in wanted or not {"score", "flat"} & set(node.output)]
    model = graph_model(kept, inputs, outputs)
    helper.set_model_props(model, dict(metadata))
    return bytes(model.SerializeToString(deterministic=True))
