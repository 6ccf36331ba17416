"""Does this graph hold only what scoring seven features needs? Looked at, never run."""

import math
from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from onnx import AttributeProto, ModelProto, TensorProto

from gatekeeper.errors import ModelRefused

OPSETS = (("", 21), ("ai.onnx.ml", 3))
IR_VERSION = 10
OUTPUTS = ("score", "label", "probabilities")

# Every operator here gives outputs whose size follows from its inputs' and reads nothing but them. Left out on
# purpose: control flow (Loop, If, Scan: they need not end), everything that makes a tensor out of a number
# (ConstantOfShape, Expand, Tile, Range, Pad, Resize, OneHot, EyeLike), random numbers, sequences, strings, images.
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
    """`content` as ONNX. Raises ModelRefused where it is not, or is cut off."""
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ModelRefused(
            "not_onnx", f"the {len(content):,} bytes are no ONNX file, or one that was cut off"
        ) from None
    if not model.ir_version or not model.graph.node:
        raise ModelRefused("not_onnx", f"the {len(content):,} bytes hold no ONNX graph")
    return model


def inspect(model: ModelProto, size: int) -> None:
    """Raise ModelRefused unless versions, operators and tensors are ones that scoring needs; `size`: of the file."""
    _check_versions(model)
    if model.functions or model.training_info:
        raise ModelRefused("operator", "the model brings functions or training graphs of its own; export it without")
    if model.graph.sparse_initializer:
        raise ModelRefused("tensor", "the model has sparse tensors; export it with dense ones")
    for tensor in model.graph.initializer:
        _check_tensor(tensor, size)
    for node in model.graph.node:
        _check_node(node, size)


def verify_exact(content: bytes) -> None:
    """Raise ModelRefused unless `content` is laid out as our own export writes it: versions, input, outputs' order."""
    model = parse(content)
    opsets = tuple((opset.domain, opset.version) for opset in model.opset_import)
    if opsets != OPSETS:
        raise ModelRefused("opset", f"opset imports are {list(opsets)}; our exports have exactly {list(OPSETS)}")
    if model.ir_version != IR_VERSION:
        raise ModelRefused("ir", f"IR version is {model.ir_version}; our exports have exactly {IR_VERSION}")
    inputs = [value.name for value in model.graph.input]
    if inputs != ["input"]:
        raise ModelRefused("input", f"inputs are {inputs}; our exports have exactly ['input']")
    outputs = tuple(value.name for value in model.graph.output)
    if outputs != OUTPUTS:
        raise ModelRefused(
            "output", f"outputs are {list(outputs)}; our exports have exactly {list(OUTPUTS)}, in this order"
        )


def _check_versions(model: ModelProto) -> None:
    if model.ir_version > IR_VERSION:
        raise ModelRefused(
            "ir", f"IR version {model.ir_version} is newer than {IR_VERSION}; export with IR {IR_VERSION}"
        )
    highest = dict(OPSETS)
    seen: dict[str, int] = {}
    for opset in model.opset_import:
        domain = _domain(opset.domain)
        if domain not in highest:
            raise ModelRefused(
                "domain", f"operators of domain {_shown(domain)} are not allowed; known: '', 'ai.onnx.ml'"
            )
        if opset.version > highest[domain]:
            raise ModelRefused(
                "opset", f"opset {domain!r} {opset.version} is newer than {highest[domain]}; export lower"
            )
        if seen.setdefault(domain, opset.version) != opset.version:
            raise ModelRefused("opset", f"opset {domain!r} is imported as {seen[domain]} and as {opset.version}")


def _check_node(node: onnx.NodeProto, size: int) -> None:
    domain = _domain(node.domain)
    if domain not in OPERATORS:
        raise ModelRefused("domain", f"operator {_shown(node.op_type)} is of the foreign domain {_shown(domain)}")
    if node.op_type not in OPERATORS[domain]:
        raise ModelRefused("operator", f"operator {_shown(node.op_type)} is not one that scoring needs")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ModelRefused("operator", f"operator {_shown(node.op_type)} carries a graph inside")
        for tensor in _tensors(attribute):
            _check_tensor(tensor, size)


def _tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ModelRefused("tensor", "the model has sparse tensors; export it with dense ones")
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors


def _check_tensor(tensor: TensorProto, size: int) -> None:
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise ModelRefused(
            "external", f"tensor {_shown(tensor.name)} lies outside the file; export the model as one file"
        )
    # Two elements a byte are the most that any type packs; a claim over that would be filled up by the runtime.
    if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > 2 * size:
        raise ModelRefused(
            "tensor", f"tensor {_shown(tensor.name)} claims the shape {list(tensor.dims)[:8]}, not in the file"
        )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _shown(name: str) -> str:
    return repr(name[:60])  # a name from the file: quoted and short, so that it can't forge a log line
