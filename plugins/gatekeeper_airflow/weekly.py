"""Which look is this task part of, and what came of it? One weekly step as a task, its look from the run's context."""

import logging
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

log = logging.getLogger("gatekeeper")

MARKS = {True: "passed", False: "did not pass", None: "not asked"}


class StepOperator(BaseOperator):
    """The weekly step `step` of a desk; `step_output` is what the step before it returned.

    Its log says in a few lines what came of it. It may run again, here or elsewhere, and comes to the same end.
    """

    template_fields: Sequence[str] = ("step_output",)
    ui_color: ClassVar[str] = "#e8f1f8"

    def __init__(self, *, step: str, desk: str, step_output: Any = None, **kwargs: Any) -> None:
        super().__init__(task_id=step, **kwargs)
        self.step = step
        self.desk = desk
        self.step_output = step_output

    def execute(self, context: Any) -> "JsonObject":
        """Runs the step."""
        from gatekeeper import pipeline
        from gatekeeper.documents import step_output
        from gatekeeper.registry import Registry
        from gatekeeper_airflow import approval

        with final_faults():
            run, answer = look(context, self.desk, reads=self.step == "retrain"), None
            log.info("desk %s, as-of %s", self.desk, f"{run.as_of:%Y-%m-%d %H:%M} UTC")
            if self.step == "promote":
                run, answer = approval.settled(context, run)
            with Registry.configured(run.settings) as registry:
                output = pipeline.take(self.step, run, registry, self.step_output, answer)
                for line in (*self.grounds(registry, output), *output.summary.split("; ")):
                    log.info("%s", line)
            return step_output.written(output)

    def grounds(self, registry: "Registry", output: "Retrained") -> Iterator[str]:  # noqa: ARG002  # JudgingOperator's need them
        """What the log says before the summary."""
        yield from ()


class JudgingOperator(StepOperator):
    """A step that goes by an evaluation: its log has the gates with their numbers, and a button leads to the page."""

    operator_extra_links = (EvaluationLink(),)
    evaluation_id: int | None = None

    def grounds(self, registry: "Registry", output: "Retrained") -> Iterator[str]:
        """The evaluation, with every gate where the step before hasn't told them yet, and where its report is."""
        from gatekeeper.documents.step_output import Backtested

        if not isinstance(output, Backtested):
            return
        self.evaluation_id = output.evaluation_id
        evaluation = registry.evaluation(self.evaluation_id)
        window, champion = evaluation.document.window, evaluation.champion
        against = f"against model {champion}" if champion else "with no champion to face"
        yield (
            f"evaluation {evaluation.id} ({evaluation.kind}): model {evaluation.challenger} {against}, on "
            f"{window.days} market days from {window.start:%Y-%m-%d}"
        )
        if (self.step_output or {}).get("evaluation_id") != evaluation.id:
            for gate in evaluation.document.verdict.gates:
                yield f"{gate.name} {MARKS[gate.passed]}: {gate.text}"
        yield f"report: {evaluation.report}"


def as_of(context: Mapping[str, Any]) -> datetime:
    """The as-of that was given with the run, else the end of its data interval, else (a manual run without a logical
    date) the moment it was due.

    Given is what stands in the run's conf: the form's prefilled value counts only where someone sent the form.
    """
    from gatekeeper.errors import AsOfError
    from gatekeeper.pipeline import parse_as_of

    run = context["dag_run"]
    given = (run.conf or {}).get("as_of")
    if given and run.run_type == "backfill":
        raise AsOfError(
            f"this backfill was given the as-of {given}, which would be that of each of its weeks; each has its own: "
            "give the backfill again with the field As-of empty"
        )
    if given:
        return parse_as_of(str(given))
    return (run.data_interval_end or run.run_after).astimezone(UTC)


def look(context: Mapping[str, Any], desk: str | None = None, *, reads: bool = True) -> "Run":
    """The run of this task's context. Keys that the form doesn't know fail it, and so does an as-of that can't be.

    reads: does the task read the source? Those after it needn't ask again whether it has this as-of.
    """
    from gatekeeper import pipeline
    from gatekeeper.errors import ConfigError

    given = dict(context["dag_run"].conf or {})
    unknown = sorted(set(given) - {"as_of", *pipeline.PARAMETERS})
    if unknown:
        raise ConfigError(
            f"unknown parameter {', '.join(unknown)} in the run's conf; "
            f"it takes as_of, {', '.join(pipeline.PARAMETERS)}"
        )
    return pipeline.start(
        as_of(context),
        now=datetime.now(UTC),
        settings=RegistryHook(desk=desk).settings(),
        parameters={name: given[name] for name in pipeline.PARAMETERS if name in given},
        actor="airflow",
        reads=reads,
    )
