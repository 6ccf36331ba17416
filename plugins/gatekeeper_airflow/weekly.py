"""Weekly steps as Airflow tasks, with the weekly run taken from the task's context."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook
from gatekeeper_airflow.links import EvaluationLink

if TYPE_CHECKING:
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.documents.step_output import Retrained
    from gatekeeper.pipeline import Run
    from gatekeeper.registry import Registry

from gatekeeper.logs import logger

log = logger("gatekeeper")

MARKS = {True: "passed", False: "did not pass", None: "not asked"}


class StepOperator(BaseOperator):
    """The weekly step `step` of a desk; `step_output` is the output of the step before it.

    It logs its result in a few lines. It is idempotent: it may run again, on any machine.
    """

    template_fields: Sequence[str] = ("step_output",)
    ui_color: ClassVar[str] = "#e8f1f8"

    def __init__(self, *, step: str, desk: str, step_output: Any = None, **kwargs: Any) -> None:
        super().__init__(task_id=step, **kwargs)
        self.step = step
        self.desk = desk
        self.step_output = step_output

    def execute(self, context: Any) -> "JsonObject":
        """Run the step."""
        from gatekeeper import pipeline
        from gatekeeper.documents import step_output
        from gatekeeper.registry import Registry
        from gatekeeper_airflow import run_note

        with final_faults():
            run = weekly_run(context, self.desk, reads=self.step == "retrain")
            log.info("desk %s, as-of %s", self.desk, f"{run.as_of:%Y-%m-%d %H:%M} UTC")
            with Registry.configured(run.settings) as registry:
                output = pipeline.take(self.step, run, registry, self.step_output)
                effect = getattr(output, "effect", "")
                reasons = output.summary.removeprefix(effect).strip().split("; ")
                for line in filter(None, (*self.grounds(registry, output), *reasons, effect)):
                    log.info("%s", line)
            if effect:
                run_note.write(context, effect)
            return step_output.written(output)

    def grounds(self, registry: "Registry", output: "Retrained") -> Iterator[str]:  # noqa: ARG002  # JudgingOperator uses both
        """The log lines before the summary."""
        yield from ()


class JudgingOperator(StepOperator):
    """A step with an evaluation: logs the gates with their numbers, and links to the evaluation's page."""

    operator_extra_links = (EvaluationLink(),)
    evaluation_id: int | None = None

    def grounds(self, registry: "Registry", output: "Retrained") -> Iterator[str]:
        """The evaluation, its gates unless the step before has logged them, and the path of its report."""
        from gatekeeper.documents.step_output import Backtested

        if not isinstance(output, Backtested):
            return
        self.evaluation_id = output.evaluation_id
        evaluation = registry.evaluation(self.evaluation_id)
        window, champion = evaluation.document.window, evaluation.champion
        against = f"against model {champion}" if champion else "without a champion"
        yield (
            f"evaluation {evaluation.id} ({evaluation.kind}): model {evaluation.challenger} {against}, on "
            f"{window.days} market days from {window.start:%Y-%m-%d}"
        )
        if (self.step_output or {}).get("evaluation_id") != evaluation.id:
            for gate in evaluation.document.verdict.gates:
                yield f"{gate.name} {MARKS[gate.passed]}: {gate.text}"
        yield f"report: {evaluation.report}"


def as_of(context: Mapping[str, Any]) -> datetime:
    """The as-of of a run: the given one, else the end of its data interval, else the time it was due.

    A given one is in the run's conf: the form's prefilled value counts only if somebody submitted the form. Raises
    AsOfError.
    """
    from gatekeeper.errors import AsOfError
    from gatekeeper.pipeline import parse_as_of

    run = context["dag_run"]
    given = (run.conf or {}).get("as_of")
    if given and run.run_type == "backfill":
        raise AsOfError(
            f"This backfill has the as-of {given}, which would apply to each of its weeks. Create it again with the "
            "field As-of empty, so that each week has its own."
        )
    if given:
        return parse_as_of(str(given))
    return (run.data_interval_end or run.run_after).astimezone(UTC)


def weekly_run(context: Mapping[str, Any], desk: str | None = None, *, reads: bool = True) -> "Run":
    """The weekly run of a task's context. Raises ConfigError for an unknown parameter, AsOfError.

    reads: whether the task reads the source; only then is its as-of checked against the data.
    """
    from gatekeeper import pipeline
    from gatekeeper.errors import ConfigError

    given = dict(context["dag_run"].conf or {})
    unknown = sorted(set(given) - {"as_of", *pipeline.PARAMETERS})
    if unknown:
        raise ConfigError(
            f"The run's conf has the unknown parameter {', '.join(unknown)}. "
            f"It takes as_of, {', '.join(pipeline.PARAMETERS)}."
        )
    return pipeline.start(
        as_of(context),
        now=datetime.now(UTC),
        settings=RegistryHook(desk=desk).settings(),
        parameters={name: given[name] for name in pipeline.PARAMETERS if name in given},
        actor="airflow",
        reads=reads,
    )
