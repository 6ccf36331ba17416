"""Model verification and scoring: checks ONNX bytes, and scores features with them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from math import hypot
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from gatekeeper.errors import DataError, ModelRefused
from gatekeeper.features import FEATURE_SCHEMA, FEATURES
from gatekeeper.model import classes
from gatekeeper.model.canary import Canary, canary_rows
from gatekeeper.model.files import read_model, refuse_other_content
from gatekeeper.model.graph import inspect, parse, verify_exact
from gatekeeper.model.untrusted import verify_untrusted

__all__ = [
    "Canary",
    "Scorer",
    "Signature",
    "canary_of",
    "canary_rows",
    "check_features",
    "open_scorer",
    "read_model",
    "verify",
    "verify_exact",
    "verify_untrusted",
]

LARGEST_FEATURE = 1e9
# Rows of one run. Each operator writes its result for all rows; larger ones would not fit the processor's cache.
AT_ONCE = 50_000
FLOAT32 = np.dtype(np.float32)
ONE_ROW = (1, len(FEATURES))
PLAIN = frozenset({float, int, bool})
CANARY_TOLERANCE = 1e-5
MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")  # the keys of the latter are refused
# A softmax in float32 may exceed 1 by this much; more is not a probability.
OVERSHOOT = 1e-6

# The runtime's error classes share no base class but Exception.
RUNTIME_ERRORS = (
    runtime.EPFail,
    runtime.Fail,
    runtime.InvalidArgument,
    runtime.InvalidGraph,
    runtime.InvalidProtobuf,
    runtime.NotImplemented,
    runtime.RuntimeException,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Signature:
    """The model's signature: its input, the output that holds the score, and that output's kind.

    score: float [N] or [N, 1]. probabilities: float [N, 2], column 1. zipmap: a list of {0: p, 1: p}, key 1.
    """

    input: str
    score_output: str
    kind: Literal["score", "probabilities", "zipmap"]

    def __str__(self) -> str:
        how = {"score": "", "probabilities": " column 1", "zipmap": " key 1"}[self.kind]
        return f"input {self.input!r}, score from {self.score_output!r}{how}"


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A verified model. Any number of threads may call `score` at once."""

    session: Any  # onnxruntime ships no types
    signature: Signature
    sha256: str
    metadata: Mapping[str, str]
    run: Callable[..., Any] = field(
        repr=False
    )  # of the inner session, without the wrapper that checks inputs by name on each call

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability that each trade wins, (n,) float32. features: (n, 7) in FEATURES order; n may be 0.

        Raises DataError for another shape, ModelRefused if the model fails or a score is not a number from 0 to 1.
        """
        rows = np.ascontiguousarray(features, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != len(FEATURES):
            raise DataError(f"The features have the shape {rows.shape}. A model takes (n, {len(FEATURES)}).")
        return self.score_checked(rows)

    def score_checked(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """`score` for rows from `check_features`, without another check."""
        if len(rows) > AT_ONCE:
            return self._score_in_parts(rows)
        try:
            output = self.run([self.signature.score_output], {self.signature.input: rows}, None)[0]
        except (MemoryError, *RUNTIME_ERRORS) as fault:
            raise _failed(fault, len(rows)) from None
        # A fast path for one row: the runtime takes about 10 microseconds, and `read` would add half of that.
        if len(rows) == 1 and type(output) is np.ndarray and output.shape == (1,) and 0.0 <= output.item() <= 1.0:
            return output
        return self.read(output, len(rows))

    def outputs(self, names: Sequence[str], rows: NDArray[np.float32]) -> list[Any]:
        """The raw outputs of these names. Raises ModelRefused if the model fails."""
        try:
            found: list[Any] = self.run(list(names), {self.signature.input: rows}, None)
        except (MemoryError, *RUNTIME_ERRORS) as fault:
            raise _failed(fault, len(rows)) from None
        return found

    def read(self, output: Any, count: int, first: int = 0) -> NDArray[np.float32]:
        """The scores, (count,), from the raw score output. first: the row number of the first one, for messages.

        Raises ModelRefused for a score that is not a number from 0 to 1.
        """
        scores = self._read(output, count)
        wrong = ~((scores >= -OVERSHOOT) & (scores <= 1 + OVERSHOOT))  # NaN is wrong too
        if wrong.any():
            row = int(wrong.argmax())
            raise ModelRefused("scores", f"Row {first + row} scores {scores[row]}. A score is a number from 0 to 1.")
        return np.clip(scores, np.float32(0), np.float32(1))

    def _score_in_parts(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score in parts of similar size, since the runtime may round a single row differently."""
        scores, first = np.empty(len(rows), dtype=np.float32), 0
        for part in np.array_split(rows, -(-len(rows) // AT_ONCE)):
            found = self.outputs([self.signature.score_output], part)[0]
            scores[first : first + len(part)] = self.read(found, len(part), first)
            first += len(part)
        return scores

    def _read(self, output: Any, count: int) -> NDArray[np.float32]:
        kind, name = self.signature.kind, self.signature.score_output
        if kind == "zipmap":
            return self._read_maps(output, count)
        scores = np.asarray(output)
        if kind == "score" and scores.shape in ((count,), (count, 1)):
            return scores.reshape(count)
        if kind == "probabilities" and scores.shape == (count, 2):
            return scores[:, 1]
        if kind == "probabilities" and scores.ndim == 2 and len(scores) == count:
            raise classes.refused_width(name, scores.shape[1])
        raise ModelRefused("output", f"The output {name!r} has the shape {scores.shape} for {count} rows.")

    def _read_maps(self, output: Any, count: int) -> NDArray[np.float32]:
        name = self.signature.score_output
        for row in output:
            if len(row) != 2 or 0 not in row or 1 not in row:
                raise classes.refused_keys(name, list(row))
        if len(output) != count:
            raise ModelRefused("output", f"The output {name!r} has {len(output)} scores for {count} rows.")
        return np.asarray([row[1] for row in output], dtype=np.float32)


def verify(content: bytes, *, sha256: str | None = None, cap: int, canary: Canary | None = None) -> Scorer:
    """Run every check that a model must pass before it may answer, the cheap ones first. Raises ModelRefused.

    It runs the model in this process: for untrusted bytes, call `verify_untrusted` first, once.
    """
    scorer = open_scorer(content, sha256=sha256, cap=cap)
    _check_batches(scorer)
    if canary is not None:
        _check_canary(scorer, canary)
    return scorer


def open_scorer(content: bytes, *, sha256: str | None = None, cap: int) -> Scorer:
    """A scorer after the checks of `verify` that don't run the model: enough for comparisons, not for serving."""
    refuse_other_content(content, cap=cap)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ModelRefused("sha256", f"The bytes have sha256 {digest}; registered is {sha256}.")
    metadata, named = _inspected(content)  # the parsed graph is freed before the session parses its own
    _check_features_wanted(metadata)
    session = _session(content)
    try:
        signature = _signature(session, named)
    except UnicodeDecodeError:
        raise ModelRefused(
            "not_onnx", "The names of the model's inputs and outputs are not valid text. Export it again."
        ) from None
    named.refuse_others(signature.score_output, signature.kind)
    inner = getattr(session, "_sess", session)  # saves a third of the time of one row; else the wrapper is used
    return Scorer(session, signature, digest, metadata, inner.run)


def canary_of(scorer: Scorer, rows: NDArray[np.float32]) -> Canary:
    """The canary of a scorer on `rows`, (k, 7), for all later comparisons."""
    return Canary(
        rows=tuple(tuple(float(value) for value in row) for row in rows),
        scores=tuple(float(score) for score in scorer.score(rows)),
    )


def check_features(features: ArrayLike) -> NDArray[np.float32]:
    """`features` as (n, 7) float32; numbers in FEATURES order, n may be 0.

    Raises DataError, which names row and feature, for a value that is not a finite number from -1e9 to 1e9.
    """
    # A fast path for one row, as bots send: each call of numpy would take a tenth of the model's time. No number
    # exceeds the root of the sum of squares, and NaN stays NaN, so a row that passes here also passes below.
    try:
        if type(features) is np.ndarray:
            if (
                features.dtype is FLOAT32
                and features.shape == ONE_ROW
                and hypot(*features.tolist()[0]) <= LARGEST_FEATURE
            ):
                return features
        elif (
            isinstance(features, list)
            and len(features) == 1
            and isinstance(row := features[0], list)
            and len(row) == len(FEATURES)
            and PLAIN.issuperset(map(type, row))
            and hypot(*row) <= LARGEST_FEATURE
        ):
            return np.array(features, FLOAT32)
    except OverflowError:  # an integer too large for a float
        pass
    return _check_rows(features)


def _check_rows(features: ArrayLike) -> NDArray[np.float32]:
    try:
        raw = np.asarray(features)
    except (ValueError, OverflowError):
        raw = None
    if raw is None or raw.dtype.kind not in "biuf":
        raise DataError(_first_fault(features))
    if raw.shape == (0,):
        return np.empty((0, len(FEATURES)), dtype=np.float32)
    if raw.ndim != 2 or raw.shape[1] != len(FEATURES):
        raise DataError(f"The features have the shape {raw.shape}. {_wanted()}")
    # min and max of an array with NaN are NaN, and every comparison with NaN is false.
    if raw.size and not (float(raw.min()) >= -LARGEST_FEATURE and float(raw.max()) <= LARGEST_FEATURE):
        wrong = ~(np.abs(raw.astype(np.float64)) <= LARGEST_FEATURE)
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise DataError(_fault(row, column, raw[row, column]))
    return raw.astype(np.float32)


def _first_fault(features: Any) -> str:
    """The message for features that numpy can't read as numbers."""
    rows = features if isinstance(features, Sequence) and not isinstance(features, str) else []
    for row, values in enumerate(rows):
        if not isinstance(values, (Sequence, np.ndarray)) or isinstance(values, str):
            return f"Row {row} is {values!r:.60}, not a row of numbers. {_wanted()}"
        if len(values) != len(FEATURES):
            return f"Row {row} has {len(values)} features. {_wanted()}"
        for column, value in enumerate(values):
            if not isinstance(value, (int, float)) or not abs(value) <= LARGEST_FEATURE:
                return _fault(row, column, value)
    return f"The features are not numbers. {_wanted()}"


def _fault(row: int, column: int, value: object) -> str:
    shown = str(value) if isinstance(value, (int, float, np.number)) else repr(value)
    return f"Row {row}: {FEATURES[column]} is {shown:.60}. A feature is a finite number from -1e9 to 1e9."


def _wanted() -> str:
    return f"Each row has the {len(FEATURES)} numbers {', '.join(FEATURES)}, in this order."


def _inspected(content: bytes) -> tuple[dict[str, str], classes.Classes]:
    """The metadata of `content` and the classes that its graph names, after its inspection. Raises ModelRefused."""
    model = parse(content)
    inspect(model, len(content))
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    if not all(isinstance(text, str) for pair in metadata.items() for text in pair):  # bad UTF-8 comes as bytes
        raise ModelRefused("not_onnx", "The model's metadata are not valid text. Export it again.")
    return metadata, classes.named_in(model)


def _check_features_wanted(metadata: Mapping[str, str]) -> None:
    """Raise ModelRefused if the metadata name other features: the model would score, and be wrong."""
    schema = metadata.get("feature_schema")
    if schema not in (None, FEATURE_SCHEMA):
        raise ModelRefused("features", f"The model needs the feature schema {schema!r:.60}, not {FEATURE_SCHEMA!r}.")
    if (text := metadata.get("feature_names")) is None:
        return
    try:
        names = loads(text)
    except (ValueError, RecursionError):
        names = text
    if names != list(FEATURES):
        raise ModelRefused("features", f"The model needs the features {names!r:.200}, not {list(FEATURES)}.")


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena would keep the memory of the largest batch, for each session
    options.log_severity_level = 4  # errors are raised; the runtime would print them too
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # No fallback: it prints a message and tries the same provider again.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except MemoryError:
        raise ModelRefused("memory", "The model runs out of memory while it is loaded.") from None
    except RUNTIME_ERRORS as fault:
        reason = "memory" if _is_memory(fault) else "session"
        raise ModelRefused(
            reason, f"onnxruntime {onnxruntime.__version__} can't load the model: {_short(fault)}."
        ) from None


def _signature(session: Any, named: classes.Classes) -> Signature:
    inputs = session.get_inputs()
    shown = ", ".join(f"{value.name!r:.60} {value.type} {value.shape}" for value in inputs)
    # A fixed number of rows ([1, 7]) can't take a batch; another number of columns means other features.
    fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(inputs[0].shape) == 2
    if not fits or isinstance(inputs[0].shape[0], int) or inputs[0].shape[1] != len(FEATURES):
        raise ModelRefused("input", f"The model's inputs are {shown or '(none)'}. It needs one float input [N, 7].")
    return Signature(inputs[0].name, *_score_output(session.get_outputs(), named))


def _score_output(
    outputs: Sequence[Any], named: classes.Classes
) -> tuple[str, Literal["score", "probabilities", "zipmap"]]:
    for output in outputs:
        if output.name == "score" and output.type == "tensor(float)":
            return output.name, "score"
    for output in outputs:
        if output.name == "probabilities" and output.type == "tensor(float)":
            return output.name, "probabilities"
    pairs = [output.name for output in outputs if output.type == "tensor(float)" and output.shape[1:] == [2]]
    if len(pairs) == 1:
        return pairs[0], "probabilities"
    maps = [output.name for output in outputs if output.type in MAPS]
    if len(maps) == 1:
        return maps[0], "zipmap"
    named.refuse_any_others()
    shown = ", ".join(f"{output.name!r:.60} {output.type} {output.shape}" for output in outputs)
    raise ModelRefused(
        "output",
        f"The model's outputs are {shown or '(none)'}. It needs `score` float [N], `probabilities` float [N, 2] or "
        "ZipMap's {0: p, 1: p}.",
    )


def _check_batches(scorer: Scorer) -> None:
    """Check batches of 0, 1 and n rows, and that a row's score does not depend on its batch. Raises ModelRefused."""
    rows = canary_rows()
    scorer.score(rows[:0])
    together = scorer.score(rows)
    for index in (0, 1, len(rows) - 1):
        alone = float(scorer.score(rows[index : index + 1])[0])
        if abs(alone - float(together[index])) > CANARY_TOLERANCE:
            raise ModelRefused("batch", f"A row scores {alone} alone, but {together[index]} in a batch of {len(rows)}.")


def _check_canary(scorer: Scorer, canary: Canary) -> None:
    scores = scorer.score(canary.features())
    differences = np.abs(scores - np.asarray(canary.scores))
    if len(scores) and not float(differences.max()) <= CANARY_TOLERANCE:
        worst = int(differences.argmax())
        raise ModelRefused(
            "canary",
            f"Canary row {worst} scores {scores[worst]}; at registration it scored {canary.scores[worst]} "
            f"(allowed difference {CANARY_TOLERANCE:g}).",
        )


def _failed(fault: Exception, count: int) -> ModelRefused:
    if _is_memory(fault):
        return ModelRefused("memory", f"The model runs out of memory on {count} rows.")
    return ModelRefused("run", f"The model fails on {count} rows: {_short(fault)}.")


def _is_memory(fault: Exception) -> bool:
    if isinstance(fault, MemoryError):
        return True
    text = str(fault).lower()
    return "bad_alloc" in text or "bad allocation" in text or "failed to allocate" in text or "out of memory" in text


def _short(fault: Exception) -> str:
    return repr(" ".join(str(fault).split())[:200])
