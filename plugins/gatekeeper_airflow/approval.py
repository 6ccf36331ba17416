"""Does a person agree? The task that asks one before a promotion, where the desk's `approval` is on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook
from gatekeeper_airflow.links import page_of

if TYPE_CHECKING:
    from gatekeeper.config import Settings
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.documents.step_output import ApprovalAnswer
    from gatekeeper.pipeline import Run
    from gatekeeper.registry import Evaluation, Registry

TASK = "approve"


@dataclass(frozen=True, slots=True)
class Question:
    """What the person reads: a line, and the grounds as Markdown."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class NothingToApprove:
    """There is nothing to ask, and why: it was promoted already, or nothing is to be promoted."""

    promoted: bool
    why: str


def answer(context: Mapping[str, Any], settings: "Settings") -> "ApprovalAnswer | None":
    """What the person said; None where the desk asks nobody.

    Where it would have been asked for, and nobody was asked, nothing is approved.
    """
    from gatekeeper.documents.step_output import ApprovalAnswer, read

    if not settings.approval:
        return None
    given = context["ti"].xcom_pull(task_ids=TASK)
    if not given:
        return ApprovalAnswer(False, None, f"nobody was asked; clear the task {TASK} to ask")
    return read(given, ApprovalAnswer)


def settled(context: Mapping[str, Any], run: "Run") -> tuple["Run", "ApprovalAnswer | None"]:
    """What the weekly step `promote` goes by: the run, with who approved as its actor, and whether it may promote."""
    given = answer(context, run.settings)
    if given is None or not given.by:
        return run, given
    return replace(run, actor=f"{run.actor}, approved by {given.by}"), given


class _Approval(ApprovalOperator):
    """Asks, and waits without a worker. No answer in time is a rejection, and after one the next task is skipped."""

    template_fields = ()  # what is asked is written when it is asked

    def __init__(self, *, desk: str, **kwargs: Any) -> None:
        super().__init__(subject="Promote?", defaults=self.REJECT, **kwargs)
        self.desk = desk

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """What is to be decided."""
        raise NotImplementedError

    def execute(self, context: Any) -> "JsonObject":
        """Asks; where nobody has to be asked, it is skipped and says why."""
        with final_faults():
            settings = RegistryHook(desk=self.desk).settings()
            if not settings.approval:
                raise AirflowSkipException("GATEKEEPER_APPROVAL is off: nobody is asked")
            with RegistryHook(desk=self.desk).get_conn() as registry:
                asked = self.question(context, registry)
                if isinstance(asked, NothingToApprove):
                    return self._settled(asked)
                self._put(context, asked, settings, registry)
        return dict(super().execute(context) or {})

    def _settled(self, asked: NothingToApprove) -> "JsonObject":
        from gatekeeper.documents.step_output import ApprovalAnswer, written

        if not asked.promoted:
            raise AirflowSkipException(f"nobody is asked: {asked.why}")
        self.log.info("nobody is asked: %s", asked.why)
        return written(ApprovalAnswer(True, None, asked.why))

    def _put(self, context: Mapping[str, Any], asked: Question, settings: "Settings", registry: "Registry") -> None:
        from gatekeeper.pipeline import alarms

        hold, hours = registry.current_hold(), f"{settings.approval_timeout_hours:g} hours"
        late = f"No answer within {hours} is a rejection: then nothing is promoted."
        held = [f"**A hold stood when this was asked**, by {hold.actor}: {hold.reason}"] if hold else []
        self.subject, self.body = asked.subject, "\n\n".join([asked.body, *held, late])
        self.response_timeout = timedelta(hours=settings.approval_timeout_hours)
        self.log.info("%s It is asked under Required Actions. %s", asked.subject, late)
        where = f"Answer it in Airflow, under Required Actions of {self.dag_id}, run {context['ti'].run_id}. {late}"
        alarms.tell(settings, registry, alarms.Alarm("approval", str(context["ti"].id), asked.subject, where))

    def execute_complete(self, context: Any, event: dict[str, Any]) -> "JsonObject":
        """Hands the answer on, and says it in the log."""
        from gatekeeper.documents.step_output import ApprovalAnswer, written

        if "error" in event:
            return dict(super().execute_complete(context, event))
        user = event["responded_by_user"]
        by = str(user["name"]) if user else None
        approved = event["chosen_options"] == [self.APPROVE]
        given = ApprovalAnswer(approved, by, _summary(approved, by))
        self.log.info("%s", given.summary)
        context["ti"].xcom_push(key="return_value", value=written(given))  # now: a rejection leaves by an exception
        super().execute_complete(context, event)
        return written(given)


class WeeklyApproval(_Approval):
    """Between `backtest` and `promote`: asks where the verdict is to promote."""

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """The verdict with every gate's numbers."""
        from gatekeeper.documents.step_output import Backtested, read

        backtested = read(context["ti"].xcom_pull(task_ids="backtest"), Backtested)
        evaluation = registry.evaluation(backtested.evaluation_id)
        if any(promotion.run_key == evaluation.run_key for promotion in registry.promotions()):
            return NothingToApprove(True, f"model {evaluation.deploys_id} was promoted by this look already")
        if evaluation.verdict != "promote" or evaluation.kind == "what-if":
            return NothingToApprove(False, f"{evaluation.kind}: {evaluation.document.verdict.message}")
        verdict = evaluation.document.verdict
        _refuse_stale(context, registry, evaluation)
        place = "as the first primary"
        if evaluation.faced_id is not None:
            place = f"in place of {registry.model(evaluation.faced_id).version}"
        rows = [
            f"| {gate.name} | {'passed' if gate.passed else 'did not pass'} | {_cell(gate.text)} |"
            for gate in verdict.gates
        ]
        return Question(
            f"Promote {registry.model(evaluation.deploys_id).version} {place}?",
            "\n".join(
                [
                    f"As-of {evaluation.as_of:%Y-%m-%d %H:%M} UTC, [evaluation {evaluation.id}]"
                    f"({page_of(self.desk, evaluation.id)}): {verdict.message}",
                    "",
                    "| gate | | numbers |",
                    "|---|---|---|",
                    *rows,
                ]
            ),
        )


class ManualApproval(_Approval):
    """Between `check` and `act` of `gatekeeper_promote`: asks where a model is to be promoted.

    Roll back and hold are brakes, which never wait; a release lets through only what will be asked about.
    """

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:  # noqa: ARG002  # what `check` handed on is enough
        """Which model, on whose word, and why."""
        from gatekeeper.documents.step_output import CheckedAct, read

        checked = read(context["ti"].xcom_pull(task_ids="check"), CheckedAct)
        if checked.act != "promote":
            return NothingToApprove(False, f"to {checked.act} needs no approval")
        if checked.done:
            return NothingToApprove(True, checked.summary)
        return Question(
            f"Promote model {checked.model_id} by hand?",
            f"{checked.actor} asks for it: {checked.reason}\n\nWhen this was asked: {checked.summary}.",
        )


def _refuse_stale(context: Mapping[str, Any], registry: "Registry", evaluation: "Evaluation") -> None:
    """Where a task asks once more, Airflow clears the answer and goes on showing the words of the first time."""
    from gatekeeper.errors import PromotionRefused

    if context["ti"].try_number == 1:
        return
    asked = (one.id for one in registry.pages.look(evaluation.run_key) if one.verdict == "promote")  # of no other
    others = [number for number in asked if number != evaluation.id]
    if others:
        raise PromotionRefused(
            f"Airflow would show what it asked first in this run, perhaps about evaluation {others[0]} and not "
            f"{evaluation.id}; trigger a new run of as-of {evaluation.as_of:%Y-%m-%dT%H:%M:%SZ}, which is the same look"
        )


def _summary(approved: bool, by: str | None) -> str:
    if approved:
        return f"approved by {by}"
    why = f"rejected by {by}" if by else "nobody answered in time, which is a rejection"
    return f"{why}: nothing is promoted"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
