"""Approval tasks: ask a person before a promotion, if the desk's setting `approval` is on."""

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
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.documents.step_output import ApprovalAnswer
    from gatekeeper.pipeline import Run
    from gatekeeper.registry import Evaluation, Registry
    from gatekeeper.settings import Settings

TASK = "approve"


@dataclass(frozen=True, slots=True)
class Question:
    """The question: a subject line, and the grounds as Markdown."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class NothingToApprove:
    """The reason why nothing is asked: it was promoted already, or nothing is to be promoted."""

    promoted: bool
    why: str


def answer(context: Mapping[str, Any], settings: "Settings") -> "ApprovalAnswer | None":
    """The person's answer; None if the desk asks nobody.

    If the desk asks for approval and nobody was asked, the answer is a rejection.
    """
    from gatekeeper.documents.step_output import ApprovalAnswer, read

    if not settings.approval:
        return None
    given = context["ti"].xcom_pull(task_ids=TASK)
    if not given:
        return ApprovalAnswer(False, None, f"nobody was asked for approval; clear the task {TASK} to ask")
    return read(given, ApprovalAnswer)


def with_answer(context: Mapping[str, Any], run: "Run") -> tuple["Run", "ApprovalAnswer | None"]:
    """Run of the weekly step `promote` with the approver in its actor, and the answer; None if the desk asks nobody."""
    given = answer(context, run.settings)
    if given is None or not given.by:
        return run, given
    return replace(run, actor=f"{run.actor}, approved by {given.by}"), given


class _Approval(ApprovalOperator):
    """Asks, and waits without a worker. No answer in time is a rejection, and after a rejection the next task is
    skipped."""

    template_fields = ()  # subject and body are set when the task runs

    def __init__(self, *, desk: str, **kwargs: Any) -> None:
        super().__init__(subject="Promote?", defaults=self.REJECT, **kwargs)
        self.desk = desk

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """The question, or the reason why nothing is asked."""
        raise NotImplementedError

    def execute(self, context: Any) -> "JsonObject":
        """Ask; the task is skipped, with the reason, if nobody has to be asked."""
        with final_faults():
            settings = RegistryHook(desk=self.desk).settings()
            if not settings.approval:
                raise AirflowSkipException("Nobody is asked, since GATEKEEPER_APPROVAL is off.")
            with RegistryHook(desk=self.desk).get_conn() as registry:
                asked = self.question(context, registry)
                if isinstance(asked, NothingToApprove):
                    return self._without_question(asked)
                self._put(context, asked, settings, registry)
        return dict(super().execute(context) or {})

    def _without_question(self, asked: NothingToApprove) -> "JsonObject":
        from gatekeeper.documents.step_output import ApprovalAnswer, written

        if not asked.promoted:
            raise AirflowSkipException(f"Nobody is asked: {asked.why}.")
        self.log.info("Nobody is asked: %s.", asked.why)
        return written(ApprovalAnswer(True, None, asked.why))

    def _put(self, context: Mapping[str, Any], asked: Question, settings: "Settings", registry: "Registry") -> None:
        from gatekeeper.pipeline import alarms

        hold, hours = registry.current_hold(), f"{settings.approval_timeout_hours:g} hours"
        late = f"Without an answer within {hours}, it is rejected and nothing is promoted."
        held = [f"**A hold was in force when this was asked**, by {hold.actor}: {hold.reason}"] if hold else []
        self.subject, self.body = asked.subject, "\n\n".join([asked.body, *held, late])
        self.response_timeout = timedelta(hours=settings.approval_timeout_hours)
        self.log.info("%s Answer it under Required Actions. %s", asked.subject, late)
        where = f"Answer it in Airflow, under Required Actions of {self.dag_id}, run {context['ti'].run_id}. {late}"
        alarms.tell(settings, registry, alarms.Alarm("approval", str(context["ti"].id), asked.subject, where))

    def execute_complete(self, context: Any, event: dict[str, Any]) -> "JsonObject":
        """Log the answer and pass it on."""
        from gatekeeper.documents.step_output import ApprovalAnswer, written

        if "error" in event:
            return dict(super().execute_complete(context, event))
        user = event["responded_by_user"]
        by = str(user["name"]) if user else None
        approved = event["chosen_options"] == [self.APPROVE]
        given = ApprovalAnswer(approved, by, _summary(approved, by))
        self.log.info("%s", given.summary)
        context["ti"].xcom_push(key="return_value", value=written(given))  # now, since a rejection raises
        super().execute_complete(context, event)
        return written(given)


class WeeklyApproval(_Approval):
    """The approval between `backtest` and `promote`: asks if the verdict is to promote."""

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """The question, with the verdict and every gate's numbers."""
        from gatekeeper.documents.step_output import Backtested, read

        backtested = read(context["ti"].xcom_pull(task_ids="backtest"), Backtested)
        evaluation = registry.evaluation(backtested.evaluation_id)
        if any(promotion.run_key == evaluation.run_key for promotion in registry.promotions()):
            return NothingToApprove(True, f"this weekly run has promoted model {evaluation.deploys_id} already")
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
    """The approval between `check` and `act` of `gatekeeper_promote`: asks if a model is to be promoted.

    Rollback and hold are safety acts and never wait; after a release, the next promotion is asked about.
    """

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:  # noqa: ARG002  # the output of `check` suffices
        """The question, with the model, the actor and the reason."""
        from gatekeeper.documents.step_output import CheckedAct, read

        checked = read(context["ti"].xcom_pull(task_ids="check"), CheckedAct)
        if checked.act != "promote":
            return NothingToApprove(False, f"the act {checked.act!r} needs no approval")
        if checked.done:
            return NothingToApprove(True, checked.summary)
        return Question(
            f"Promote model {checked.model_id} by hand?",
            f"{checked.actor} asks for it: {checked.reason}\n\nState when this was asked: {checked.summary}.",
        )


def _refuse_stale(context: Mapping[str, Any], registry: "Registry", evaluation: "Evaluation") -> None:
    """Raise PromotionRefused if Airflow would show the text of another evaluation.

    When a cleared task asks again, Airflow clears the answer but shows the text of the first time.
    """
    from gatekeeper.errors import PromotionRefused

    if context["ti"].try_number == 1:
        return
    recorded = registry.pages.evaluations_of(evaluation.run_key)
    asked = (one.id for one in recorded if one.verdict == "promote")  # of no other
    others = [number for number in asked if number != evaluation.id]
    if others:
        raise PromotionRefused(
            f"Airflow would show the first question of this run, perhaps about evaluation {others[0]} instead of "
            f"{evaluation.id}. Trigger a new run with the as-of {evaluation.as_of:%Y-%m-%dT%H:%M:%SZ}, which counts as "
            "the same weekly run."
        )


def _summary(approved: bool, by: str | None) -> str:
    if approved:
        return f"approved by {by}"
    answered = f"rejected by {by}" if by else "rejected, since nobody answered in time"
    return f"{answered}: nothing is promoted"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
