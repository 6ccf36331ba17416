"""ONNX graph inspection: allows only the operators, versions and tensors that scoring needs, without running it."""

import math
from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from onnx import AttributeProto, ModelProto, TensorProto

from gatekeeper.errors import ModelRefused

OPSETS = (("", 21), ("ai.onnx.ml", 3))
IR_VERSION = 10
OUTPUTS = ("score", "label", "probabilities")

# The output size of every operator here follows from its inputs, and it reads nothing else. Excluded on purpose:
# control flow (Loop, If, Scan), which may never end; operators that make a tensor from a number (ConstantOfShape,
# Expand, Tile, Range, Pad, Resize, OneHot, EyeLike); random numbers, sequences, strings and images.
_ARITHMETIC = "Abs Add Ceil Clip Div Erf Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum"
_ACTIVATION = (
    "Celu Elu Gelu HardSigmoid HardSwish LeakyRelu LogSoftmax Mish PRelu Relu Selu Sigmoid Softmax Softplus Softsign "
    "Tanh ThresholdedRelu"
)
_LOGIC = "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor"
_LINEAR = "BatchNormalization Dropout Gemm LayerNormalization MatMul"
_REDUCTION = (
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare TopK"
)
_SHAPE = (
    "Cast CastLike Concat Constant Flatten Gather GatherElements GatherND Identity Reshape Shape Size Slice Split "
    "Squeeze Transpose Unsqueeze"
)
_ML = (
    "ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor "
    "Normalizer SVMClassifier SVMRegressor Scaler TreeEnsembleClassifier TreeEnsembleRegressor ZipMap"
)
OPERATORS = {
    "": frozenset(" ".join((_ARITHMETIC, _ACTIVATION, _LOGIC, _LINEAR, _REDUCTION, _SHAPE)).split()),
    "ai.onnx.ml": frozenset(_ML.split()),
}


def parse(content: bytes) -> ModelProto:
    """`content` parsed as ONNX. Raises ModelRefused if it is not ONNX or is truncated."""
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ModelRefused(
            "not_onnx", f"The {len(content):,} bytes are not an ONNX file, or a truncated one."
        ) from None
    if not model.ir_version or not model.graph.node:
        raise ModelRefused("not_onnx", f"The {len(content):,} bytes hold no ONNX graph.")
    return model


def inspect(model: ModelProto, size: int) -> None:
    """Raise ModelRefused unless versions, operators and tensors are allowed. size: of the file, in bytes."""
    _check_versions(model)
    if model.functions or model.training_info:
        raise ModelRefused("operator", "The model contains functions or training graphs. Export it without them.")
    if model.graph.sparse_initializer:
        raise ModelRefused("tensor", "The model has sparse tensors. Export it with dense ones.")
    for tensor in model.graph.initializer:
        _check_tensor(tensor, size)
    for node in model.graph.node:
        _check_node(node, size)


def verify_exact(content: bytes) -> None:
    """Raise ModelRefused unless `content` has the layout of Gatekeeper's export: versions, input, outputs in order."""
    model = parse(content)
    opsets = tuple((opset.domain, opset.version) for opset in model.opset_import)
    if opsets != OPSETS:
        raise ModelRefused("opset", f"The opset imports are {list(opsets)}. Gatekeeper's exports have {list(OPSETS)}.")
    if model.ir_version != IR_VERSION:
        raise ModelRefused("ir", f"The IR version is {model.ir_version}. Gatekeeper's exports have {IR_VERSION}.")
    inputs = [value.name for value in model.graph.input]
    if inputs != ["input"]:
        raise ModelRefused("input", f"The inputs are {inputs}. Gatekeeper's exports have ['input'].")
    outputs = tuple(value.name for value in model.graph.output)
    if outputs != OUTPUTS:
        raise ModelRefused(
            "output", f"The outputs are {list(outputs)}. Gatekeeper's exports have {list(OUTPUTS)}, in this order."
        )


def _check_versions(model: ModelProto) -> None:
    if model.ir_version > IR_VERSION:
        raise ModelRefused(
            "ir", f"The IR version {model.ir_version} is newer than {IR_VERSION}. Export with IR version {IR_VERSION}."
        )
    highest = dict(OPSETS)
    seen: dict[str, int] = {}
    for opset in model.opset_import:
        domain = _domain(opset.domain)
        if domain not in highest:
            raise ModelRefused(
                "domain",
                f"Operators of the domain {_shown(domain)} are not allowed, only those of '' and 'ai.onnx.ml'.",
            )
        if opset.version > highest[domain]:
            raise ModelRefused(
                "opset",
                f"Version {opset.version} of the opset {domain!r} is newer than {highest[domain]}. Export a lower one.",
            )
        if seen.setdefault(domain, opset.version) != opset.version:
            raise ModelRefused(
                "opset", f"The opset {domain!r} is imported in the versions {seen[domain]} and {opset.version}."
            )


def _check_node(node: onnx.NodeProto, size: int) -> None:
    domain = _domain(node.domain)
    if domain not in OPERATORS:
        raise ModelRefused("domain", f"The operator {_shown(node.op_type)} is of the domain {_shown(domain)}.")
    if node.op_type not in OPERATORS[domain]:
        raise ModelRefused("operator", f"The operator {_shown(node.op_type)} is not allowed.")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ModelRefused("operator", f"The operator {_shown(node.op_type)} contains a graph.")
        for tensor in _tensors(attribute):
            _check_tensor(tensor, size)


def _tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ModelRefused("tensor", "The model has sparse tensors. Export it with dense ones.")
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors


def _check_tensor(tensor: TensorProto, size: int) -> None:
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise ModelRefused(
            "external", f"The tensor {_shown(tensor.name)} lies outside the file. Export the model as one file."
        )
    # No type packs more than two elements into a byte; the runtime would allocate a larger claimed shape.
    if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > 2 * size:
        raise ModelRefused(
            "tensor",
            f"The tensor {_shown(tensor.name)} claims the shape {list(tensor.dims)[:8]}, larger than the file.",
        )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _shown(name: str) -> str:
    return repr(name[:60])  # a name from the file: quoted and short, so that it can't forge a log line
