"""Step outputs: what the weekly steps and other tasks hand to the next one, as JSON that any executor carries."""

from typing import TypeVar

from msgspec import Struct, structs

from gatekeeper.documents import serialization
from gatekeeper.documents.evaluation import Training
from gatekeeper.documents.serialization import JsonObject
from gatekeeper.errors import DataError

Output = TypeVar("Output", bound=Struct)


class FittedModel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An estimator in the run's folder."""

    estimator: str
    """Path of its file."""
    estimator_sha256: str
    """Digest of that file."""
    trained: Training
    """Training."""


class ExportedModel(FittedModel, frozen=True, kw_only=True):
    """The same as ONNX."""

    onnx: str
    """Path of its file in the run's folder."""
    onnx_sha256: str
    """Digest of that file."""
    size: int
    """Bytes of that file."""


class RegisteredModel(ExportedModel, frozen=True, kw_only=True):
    """The same as a row of the registry."""

    model_id: int
    """Its id in the registry."""
    sha256: str | None
    """Digest of the registered bytes."""


class Retrained(FittedModel, frozen=True, kw_only=True):
    """Output of `retrain`."""

    run_key: str
    """Key of the weekly run: its steps take no output of another one."""
    summary: str
    """Result of the step in a sentence."""
    dataset: str
    """Path of the run's ideas."""
    dataset_sha256: str
    """Digest of that file."""
    dataset_fingerprint: str
    """sha256 over the ideas themselves."""
    refit: FittedModel | None = None
    """The same recipe and seed on all that is known; left out unless refits are deployed."""
    without_last: tuple[str, ...] = ()
    """Symbols whose last bar was left out; left out if there are none."""


class Exported(Retrained, frozen=True, kw_only=True):
    """Output of `export_onnx`."""

    onnx: str
    """Path of the model's file in the run's folder."""
    onnx_sha256: str
    """Digest of that file."""
    size: int
    """Bytes of that file."""
    refit: ExportedModel | None = None
    """The refit, exported as well."""


class Registered(Exported, frozen=True, kw_only=True):
    """Output of `register`."""

    model_id: int
    """Id of the challenger in the registry."""
    sha256: str | None
    """Digest of its registered bytes."""
    refit: RegisteredModel | None = None
    """The refit, registered as well."""


class Backtested(Registered, frozen=True, kw_only=True):
    """Output of `backtest`."""

    evaluation_id: int
    """Id of the evaluation that stands."""
    challenger_id: int
    """The model that it judged: this week's, or an older one that won the league."""
    verdict: str
    """promote, keep or undecided."""
    kind: str
    """Kind of the weekly run: weekly, bootstrap, recovery or what-if."""
    report: str | None
    """Path of the report."""


class Promoted(Backtested, frozen=True, kw_only=True):
    """Output of `promote`."""

    promoted: bool
    """Whether this run promoted a model."""
    effect: str
    """What changed in the registry, read back from it; `summary` begins with it."""
    promoted_id: int | None = None
    """Id of the model that was."""
    generation: int | None = None
    """Number of that promotion."""
    approved: bool | None = None
    """Whether a person approved; left out if no approval was needed."""
    approval: str | None = None
    """Result of the approval."""


class ApprovalAnswer(Struct, frozen=True):
    """Output of `approve`, for whoever looks at the run: the promotion reads the answer in the registry."""

    approved: bool
    """Whether it was approved."""
    by: str | None
    """User name of the person who answered."""
    summary: str
    """The answer in words."""


class CheckedAct(Struct, frozen=True):
    """Output of `check` of an act by hand."""

    run_key: str
    """Key of the act: `act` takes no output of another run."""
    act: str
    """promote, roll back, hold, release or release quarantine."""
    model_id: int | None
    """The model that the act names."""
    reason: str
    """Why, as the form has it."""
    actor: str
    """Actor who asks for it."""
    generation: int
    """Promotions that there were when it was checked."""
    done: bool
    """Whether it was done already."""
    summary: str
    """Expected effect in a sentence."""


class DoneAct(Struct, frozen=True):
    """Output of `act`."""

    act: str
    """The act."""
    primary: int | None
    """Id of the primary after it."""
    generation: int
    """Promotions that there are after it."""
    summary: str
    """Effect in a sentence."""


class MonitorOutput(Struct, frozen=True, omit_defaults=True):
    """Output of the monitor."""

    summary: str
    """Result in a sentence."""
    rolled_back: int | None
    """Generation in which the model before came back; null if it didn't."""
    check_id: int | None = None
    """Id of the check; left out, as all that follows, if nothing was checked."""
    model_id: int | None = None
    """Id of the primary."""
    tripped: bool | None = None
    """Whether the circuit breaker tripped."""
    drifted: tuple[str, ...] | None = None
    """Columns that drifted."""


def onward(output: type[Output], before: Struct, /, **more: object) -> Output:
    """The output of the next step: all that the one before handed on, with what is new."""
    return output(**{**structs.asdict(before), **more})


def written(output: Struct) -> JsonObject:
    """The output as XCom carries it. Raises DataError for a number that is not finite."""
    return serialization.as_object(output)


def read(value: object, kind: type[Output], before: str, run_key: str | None = None) -> Output:
    """What the task `before` handed on. Raises DataError if it is missing, of another shape, or of another run.

    run_key: that of the run that reads it; None if the output names none.
    """
    way_out = f"Clear {before}, with all tasks after it."
    if value is None:
        raise DataError(
            f"The task {before} handed nothing on: it was marked as success by hand, or its XCom was deleted. {way_out}"
        )
    try:
        output = serialization.converted(value, kind)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"The task {before} handed on what it can't have written ({fault}). {way_out}") from None
    if run_key is not None and (of := getattr(output, "run_key", None)) != run_key:
        raise DataError(
            f"The task {before} handed on the output of the run {of}, but this run is {run_key}: its XCom was changed, "
            f"or a setting was. {way_out}"
        )
    return output
