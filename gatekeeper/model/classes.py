"""Classes of a model: which of them its graph names, so that the winning one is never guessed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from gatekeeper.errors import ModelRefused

LOST, WON = 0, 1
CLASSIFIERS = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
ZIPMAP = "ZipMap"
SHAPING = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators between a label and what names it, which change no label."""

LABELS = ("classlabels_ints", "classlabels_int64s", "classlabels_strings", "values_int64s", "values_strings")
MOST_SHOWN = 5

Labels = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Classes in the order of their columns, and the operator that names them."""

    by: str
    labels: Labels

    def __str__(self) -> str:
        shown = [repr(each)[:30] for each in self.labels[:MOST_SHOWN]]
        more = f" and {len(self.labels) - MOST_SHOWN} more" if len(self.labels) > MOST_SHOWN else ""
        return f"{', '.join(shown)}{more} ({self.by})"


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a graph: by output, those of the nearest classifiers or ZipMap; and those that a label may be."""

    of_output: Mapping[str, tuple[Named, ...]]
    of_labels: tuple[Named, ...]

    def refuse_others(self, output: str, kind: str) -> None:
        """Raise ModelRefused unless the classes behind this score output are 0 and 1, the trade lost or won.

        Columns must be in this order; a ZipMap has keys, so its order may be any. An output `score` says itself what
        it is, and a graph may name no class.
        """
        if kind == "score":
            return
        named = self.of_output.get(output, ())
        _refuse_others((*named, *self.of_labels))
        orders = {each.labels for each in named}
        if len(orders) > 1:
            raise ModelRefused(
                "output",
                f"The model's operators order its classes differently: {'; '.join(map(str, named))}. {_wanted()}",
            )
        if kind == "probabilities" and orders - {(LOST, WON)}:
            raise ModelRefused("output", f"The columns of {output!r:.60} are of the classes {named[0]}. {_wanted()}")

    def refuse_any_others(self) -> None:
        """Raise ModelRefused if any of the graph's classes are others: why none of its outputs is a score."""
        _refuse_others((*(each for found in self.of_output.values() for each in found), *self.of_labels))


def _refuse_others(named: Sequence[Named]) -> None:
    for each in named:
        if sorted(each.labels, key=str) != [LOST, WON] or not all(type(label) is int for label in each.labels):
            raise ModelRefused("output", f"The model tells the classes {each} apart. {_wanted()}")


def _wanted() -> str:
    return (
        "A model here tells 0 (the trade lost) from 1 (it won), in this order: train it on these two labels, or export "
        "an output `score`, float [N], that is the probability of winning."
    )


def refused_width(output: str, columns: int) -> ModelRefused:
    """The refusal of probabilities that are not of two classes."""
    counted = f"{columns} class{'es' * (columns != 1)}"
    return ModelRefused("output", f"The output {output!r:.60} tells {counted} apart, one a column. {_wanted()}")


def refused_keys(output: str, keys: Sequence[object]) -> ModelRefused:
    """The refusal of a ZipMap's row with other keys than 0 and 1."""
    shown = ", ".join(repr(key)[:30] for key in list(keys)[:MOST_SHOWN])
    return ModelRefused("output", f"The output {output!r:.60} has the classes {shown or '(none)'}. {_wanted()}")


def named_in(model: ModelProto) -> Classes:
    """The classes that a graph names. Raises ModelRefused for labels that are no text."""
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output if name}
    constants = {each.name: each for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            constants.update((node.output[0], each.t) for each in node.attribute if each.name == "value")
    outputs = [each.name for each in graph.output]
    of_output = {name: tuple(_behind(name, made_by)) for name in outputs}
    labels = [found for name in outputs for found in _of_label(name, made_by, constants)]
    return Classes(of_output, tuple(labels))


def _behind(output: str, made_by: Mapping[str, NodeProto]) -> Iterator[Named]:
    """What the nearest classifiers name, and a ZipMap on the way to them."""
    open_, seen = [output], {output}
    while open_:
        node = made_by.get(open_.pop())
        if node is None:
            continue
        if node.op_type == ZIPMAP or node.op_type in CLASSIFIERS:
            yield Named(node.op_type, _labels(node))
            if node.op_type != ZIPMAP:
                continue
        fresh = [name for name in node.input if name not in seen]
        seen.update(fresh)
        open_ += fresh


def _of_label(output: str, made_by: Mapping[str, NodeProto], constants: Mapping[str, TensorProto]) -> Iterator[Named]:
    """The labels that an output may give, where its graph looks them up in a table."""
    node = made_by.get(output)
    while node is not None and node.op_type in SHAPING and node.input:
        node = made_by.get(node.input[0])
    if node is None:
        return
    if node.op_type == "LabelEncoder":
        yield Named(node.op_type, _labels(node))
    elif node.op_type in ("ArrayFeatureExtractor", "Gather") and node.input and node.input[0] in constants:
        table = constants[node.input[0]]
        if table.data_type in (TensorProto.INT32, TensorProto.INT64, TensorProto.STRING):
            yield Named(node.op_type, tuple(_plain(each) for each in numpy_helper.to_array(table).ravel().tolist()))


def _labels(node: NodeProto) -> Labels:
    for attribute in node.attribute:
        if attribute.name in LABELS and (attribute.ints or attribute.strings):
            return tuple(_plain(each) for each in (*attribute.ints, *attribute.strings))
    return ()


def _plain(label: object) -> int | str:
    if isinstance(label, bytes):
        try:
            return label.decode("utf-8")
        except UnicodeDecodeError:
            raise ModelRefused("not_onnx", "The model's class labels are not valid text. Export it again.") from None
    return label if isinstance(label, int) else str(label)
