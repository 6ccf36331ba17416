"""Approval tasks: ask a person before a promotion, if the desk's setting `approval` is on.

Question and answer are rows of the registry, which the promotion reads. What Airflow shows (the state of the task, its
XComs) is for people, and promotes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from gatekeeper.texts import code, markdown
from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook
from gatekeeper_airflow.links import model_page_of, page_of
from gatekeeper_airflow.question_text import gain

if TYPE_CHECKING:
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.registry import Evaluation, Registry
    from gatekeeper.registry.promotion.approvals import Asker
    from gatekeeper.settings import Settings

NOBODY_ASKED = ("scheduled", "asset_triggered")  # types of runs that no person starts


@dataclass(frozen=True, slots=True)
class Question:
    """The question: a subject line, the grounds as Markdown, and what exactly would be promoted, by which run."""

    subject: str
    body: str
    run_key: str
    model_id: int
    evaluation_id: int | None


@dataclass(frozen=True, slots=True)
class NothingToApprove:
    """The reason why nothing is asked: it was promoted already, or nothing is to be promoted."""

    promoted: bool
    why: str


def asker(run: Any) -> "Asker":
    """The user who started this run. A backfill's name is not trusted to be that of who asked."""
    from gatekeeper.registry.promotion.approvals import Asker

    kind, name = str(getattr(run.run_type, "value", run.run_type)), run.triggering_user_name or None
    if kind in NOBODY_ASKED:
        return Asker(None, known=True)
    return Asker(name, known=name is not None and kind != "backfill")


def question_of(run: Any) -> str:
    """The name of a run's question in the registry."""
    return f"{run.dag_id}/{run.run_id}"


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

        run, approvers = context["dag_run"], settings.approver_names
        who = asker(run)
        who.refuse_nobody(approvers)
        registry.approvals.ask(
            run_key=asked.run_key,
            model_id=asked.model_id,
            evaluation_id=asked.evaluation_id,
            question=question_of(run),
            asked_by=who.name if who.known else None,
        )
        hours = f"{settings.approval_timeout_hours:g} hours"
        late = f"Without an answer within {hours}, it is rejected and nothing is promoted."
        held = [
            f"**A hold was in force when this was asked**, by {code(one.actor)}: {code(one.reason)}"
            for one in registry.holds()
        ]
        self.subject = asked.subject
        self.body = "\n\n".join([asked.body, *held, _may_answer(who, approvers), late])
        self.response_timeout = timedelta(hours=settings.approval_timeout_hours)
        self.log.info("%s Answer it under Required Actions. %s", asked.subject, late)
        where = f"Answer it in Airflow, under Required Actions of {self.dag_id}, run {run.run_id}. {late}"
        alarms.tell(settings, registry, alarms.Alarm("approval", str(context["ti"].id), asked.subject, where))

    def execute_complete(self, context: Any, event: dict[str, Any]) -> "JsonObject":
        """Write the answer into the registry, then pass it on. `event` comes from Airflow's API server or scheduler
        (3.3), or from a trigger (before)."""
        from gatekeeper.documents.step_output import ApprovalAnswer, written
        from gatekeeper.registry.promotion import approvals

        if "error" in event:
            return dict(super().execute_complete(context, event))
        user, run = event["responded_by_user"], context["dag_run"]
        by = str(user["name"] or "") if user else None  # a nameless one is refused
        approves = event["chosen_options"] == [self.APPROVE]
        with final_faults():
            settings = RegistryHook(desk=self.desk).settings()
            with RegistryHook(desk=self.desk).get_conn() as registry:
                answer = approvals.EXPIRED
                if by is not None:
                    asker(run).refuse(by, settings.approver_names)
                    answer = approvals.APPROVED if approves else approvals.REJECTED
                found = registry.approvals.answer(question_of(run), answer=answer, by=by)
                summary, approved = approvals.in_words(found), found.answer == approvals.APPROVED
                if not approved:
                    summary = registry.effect(None, summary)
                    self._tell_no(context, settings, registry, summary)
        self.log.info("%s", summary)
        given = written(ApprovalAnswer(approved, by, summary))
        context["ti"].xcom_push(key="return_value", value=given)  # now, since a rejection raises
        super().execute_complete(context, event if approved else {**event, "chosen_options": [self.REJECT]})
        return given

    def _tell_no(self, context: Mapping[str, Any], settings: "Settings", registry: "Registry", effect: str) -> None:
        """What came of the run: the next task, which would say so, is skipped."""
        from gatekeeper.pipeline import alarms
        from gatekeeper_airflow import run_note

        run_note.write(context, effect)
        more = f"Run {context['ti'].run_id} of {self.dag_id}. Clear its task {self.task_id} to ask again."
        alarms.tell(settings, registry, alarms.Alarm("approval", f"{context['ti'].id}/no", effect, more))


class WeeklyApproval(_Approval):
    """The approval between `backtest` and `promote`: asks if the verdict is to promote."""

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """The question, with the verdict, the gain and every gate's numbers."""
        from gatekeeper.documents.step_output import Backtested, read
        from gatekeeper_airflow.weekly import weekly_run

        run_key = weekly_run(context, self.desk, reads=False).key
        backtested = read(context["ti"].xcom_pull(task_ids="backtest"), Backtested, "backtest", run_key)
        evaluation = registry.evaluation(backtested.evaluation_id)
        _refuse_of_another_run(evaluation, run_key)
        if any(promotion.run_key == run_key for promotion in registry.promotions()):
            return NothingToApprove(True, f"this weekly run has promoted model {evaluation.deploys_id} already")
        if evaluation.verdict != "promote" or evaluation.kind == "what-if":
            return NothingToApprove(False, f"{evaluation.kind}: {evaluation.document.verdict.message}")
        verdict = evaluation.document.verdict
        place = "as the first primary"
        if evaluation.faced_id is not None:
            place = f"in place of {registry.model(evaluation.faced_id).version}"
        model = registry.model(evaluation.deploys_id)
        rows = [
            f"| {markdown(gate.name)} | {'passed' if gate.passed else 'did not pass'} | {markdown(gate.text)} |"
            for gate in verdict.gates
        ]
        body = [
            f"As-of {evaluation.as_of:%Y-%m-%d %H:%M} UTC, [evaluation {evaluation.id}]"
            f"({page_of(self.desk, evaluation.id)}) of model {model.id}, sha256 {str(model.sha256)[:12]}: "
            f"{markdown(verdict.message)}",
            "",
            gain(verdict),
            "",
            "| gate | | numbers |",
            "|---|---|---|",
            *rows,
        ]
        subject = f"Promote {model.version} {place}?"
        return Question(subject, "\n".join(body), run_key, model.id, evaluation.id)


class ManualApproval(_Approval):
    """The approval between `check` and `act` of `gatekeeper_promote`: asks if a model is to be promoted.

    Rollback and hold are safety acts and never wait; after a release, the next promotion is asked about.
    """

    def question(self, context: Mapping[str, Any], registry: "Registry") -> Question | NothingToApprove:
        """The question, with the model, its newest evaluation, the actor and the reason; from the form alone."""
        from gatekeeper_airflow import promote

        order = promote.ordered(context)
        if order.act != promote.PROMOTE:
            return NothingToApprove(False, f"the act {order.act!r} needs no approval")
        settings = RegistryHook(desk=self.desk).settings()
        done, summary = promote.examine_promote(promote.Doing(registry, settings, order))
        if done:
            return NothingToApprove(True, summary)
        model_id = int(order.model_id or 0)
        body = [
            f"Promote [model {model_id}]({model_page_of(self.desk, model_id)}) by hand. {code(order.actor)} asks "
            f"for it: {code(order.reason)}",
            f"State when this was asked: {code(summary)}.",
            self._evidence(registry, model_id),
        ]
        return Question(f"Promote model {model_id} by hand?", "\n\n".join(body), order.key, model_id, None)

    def _evidence(self, registry: "Registry", model_id: int) -> str:
        newest = next(iter(registry.evaluations(model_id, limit=1)), None)
        if newest is None:
            return "No evaluation has judged it."
        verdict = newest.document.verdict
        return (
            f"Its newest [evaluation {newest.id}]({page_of(self.desk, newest.id)}), as of "
            f"{newest.as_of:%Y-%m-%d %H:%M} UTC ({newest.kind}): {markdown(verdict.message)}\n\n{gain(verdict)}"
        )


def _may_answer(who: "Asker", approvers: tuple[str, ...]) -> str:
    others = f", but not {code(who.name)}, who started this run" if who.name else ""
    if approvers:
        return f"Who may answer: {', '.join(map(code, approvers))}{others}."
    return f"Who may answer: anyone with the right to answer{others}."


def _refuse_of_another_run(evaluation: "Evaluation", run_key: str) -> None:
    from gatekeeper.errors import DataError

    if evaluation.run_key != run_key:
        raise DataError(
            f"Evaluation {evaluation.id}, which the task backtest handed on, is of the run {evaluation.run_key}, but "
            f"this run is {run_key}: its XCom was changed. Clear backtest, with all tasks after it."
        )
