"""Approval task: a person approves a promotion, rejects it, or doesn't answer. On PostgreSQL: test_more_machines.py."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_server import Airflow, Refused
from evaluation_documents import WHOLE, document
from gatekeeper_airflow import approval, promote
from gatekeeper_airflow.approval import ManualApproval, NothingToApprove, Question, WeeklyApproval
from gatekeeper_airflow.promote import ACTS
from gatekeeper_airflow.question_text import gain
from msgspec import structs
from registry_site import OWN, own_model
from weekly_house import House, approve, step

from gatekeeper.documents import step_output
from gatekeeper.documents.evaluation import Training
from gatekeeper.documents.step_output import Backtested
from gatekeeper.errors import DataError
from gatekeeper.pipeline import Run
from gatekeeper.registry import Evaluation, Registry
from gatekeeper.registry.promotion.approvals import Asker

pytestmark = pytest.mark.xdist_group("airflow")
WEEKLY, BY_HAND, ASKED_BY_HAND = "gatekeeper_weekly_asked", "gatekeeper_promote_hasty", "gatekeeper_promote_asked"
NAMED, HASTY = "gatekeeper_weekly_named", "gatekeeper_weekly_hasty"
MONDAY = datetime(2016, 1, 4, 2, tzinfo=UTC)
TRAINED = Training("logistic", 0, "{}", 1, 1, MONDAY, MONDAY, MONDAY, "")


def handed_on(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    """What a task returned."""
    return dict(airflow.call("GET", xcom_of(dag_id, run_id, task_id))["value"])


def xcom_of(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"


def run_of(kind: str = "manual", name: str | None = "ann", **form: object) -> Any:
    """What a task finds as its run."""
    return SimpleNamespace(
        conf=form, dag_id="gatekeeper_x", run_id="one", run_type=kind, triggering_user_name=name,
        data_interval_end=MONDAY, run_after=MONDAY,
    )  # fmt: skip


def judged(house: House, challenger: int, run_key: str, generation: int = 0, message: str = "promote it") -> Evaluation:
    """An evaluation that says promote, of a first week."""
    whole = document(window=WHOLE["window"] | {"as_of": MONDAY.isoformat()})
    verdict = structs.replace(whole.verdict, answer="promote", kind="bootstrap", message=message)
    return house.registry.record_evaluation(
        challenger=challenger,
        champion=None,
        generation=generation,
        as_of=MONDAY,
        kind="bootstrap",
        verdict="promote",
        document=structs.replace(whole, verdict=verdict),
        run_key=run_key,
        report=None,
    )


def handed_by(evaluation: Evaluation) -> dict[str, Any]:
    """What `backtest` hands on after it, but for the files of the steps before."""
    return step_output.written(
        Backtested(
            run_key=evaluation.run_key, estimator="", estimator_sha256="", trained=TRAINED, summary="", dataset="",
            dataset_sha256="", dataset_fingerprint="", onnx="", onnx_sha256="", size=0, model_id=evaluation.challenger,
            sha256=None, evaluation_id=evaluation.id, challenger_id=evaluation.challenger, verdict=evaluation.verdict,
            kind=evaluation.kind, report=None,
        )
    )  # fmt: skip


def asking(run: Run) -> Run:
    """The same run on a desk that asks."""
    return replace(run, settings=run.settings.model_copy(update={"approval": True}))


def test_a_verdict_that_nobody_approved_promotes_nothing(tmp_path: Path) -> None:
    """Case 104: whatever the executor carries; a desk that asks nobody promotes as ever."""
    house = House(tmp_path, "demo:")
    run = asking(house.run(MONDAY))
    model = house.registry.register(own_model(1), details=OWN, run_key=run.key)
    evaluation = judged(house, model.id, run.key)
    handed = handed_by(evaluation)
    said = step("promote", run, house.registry, handed)
    assert (said["promoted"], said["approved"], said["approval"]) == (False, False, "Nobody was asked")
    assert said["effect"] == (
        "Nothing was promoted: nobody was asked to approve model 1 by evaluation 1 (GATEKEEPER_APPROVAL is on). Clear "
        "the task `approve` of the run in Airflow to ask, or promote by hand with `gatekeeper promote -i 1 --reason "
        "...`. There is no primary."
    )
    assert said["summary"] == f"{said['effect']} promote it"
    assert house.registry.promotions() == []
    approve(house.registry, run.key, evaluation)
    said = step("promote", run, house.registry, handed)
    assert (said["promoted"], said["approved"], said["approval"]) == (True, True, "Approved by ann")
    assert [(one.to_id, one.actor) for one in house.registry.promotions()] == [(model.id, "test, approved by ann")]


@pytest.fixture
def asks(place: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of a desk that asks, with models 1 and 2."""
    monkeypatch.setenv("GATEKEEPER_APPROVAL", "true")
    opened = Registry.open(f"sqlite:///{place / 'registry.db'}", models=place / "models")
    for number in (1, 2):
        opened.register(own_model(number), details=OWN)
    return opened


def weekly_context(evaluation: Evaluation | None, handed: object = None) -> dict[str, Any]:
    value = handed_by(evaluation) if evaluation is not None else handed
    return {"dag_run": run_of(), "ti": SimpleNamespace(xcom_pull=lambda **_: value)}


def test_the_question_of_a_week_shows_what_it_is_about(asks: Registry, place: Path) -> None:
    """Model, verdict, gain with its interval, and a link; only of the run that asks."""
    house = House(place, "demo:")
    ask, key = WeeklyApproval(task_id="approve", desk="default"), house.run(MONDAY).key
    asked = ask.question(weekly_context(judged(house, 1, key)), asks)
    assert isinstance(asked, Question)
    assert (asked.run_key, asked.model_id, asked.evaluation_id) == (key, 1, 1)
    assert asked.subject == "Promote gatekeeper_1 as the first primary?"
    digest = str(asks.model(1).sha256)[:12]
    assert asked.body.startswith(
        "As-of 2016-01-04 02:00 UTC, [evaluation 1](/gatekeeper/default/evaluations/1) of model 1, sha256 "
        f"{digest}: promote it"
    )
    assert "Gain: none to measure" in asked.body or "Gain in annual Sharpe: " in asked.body
    for wrong, said in (
        (weekly_context(judged(house, 2, "another/run")), f"the output of the run another/run, but this run is {key}"),
        (weekly_context(None), "^The task backtest handed nothing on: it was marked as success by hand"),
        (weekly_context(None, {"evaluation_id": 1}), "^The task backtest handed on what it can't have written"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            ask.question(wrong, asks)
    forged = handed_by(judged(house, 2, "another/run")) | {"run_key": key}
    with pytest.raises(DataError, match="is of the run another/run, but this run is"):
        ask.question(weekly_context(None, forged), asks)


def test_the_gain_is_shown_with_its_interval() -> None:
    """0.25 with a standard error of 0.1: 1.645 of them on either side, by hand."""
    verdict = structs.replace(document().verdict, gain=0.25, standard_error=0.1)
    assert gain(verdict) == "Gain in annual Sharpe: 0.25, 90 % interval 0.09 to 0.41 (standard error 0.10)."


def test_the_reason_of_who_asks_is_text_in_the_question(asks: Registry) -> None:
    """Case 104: the asker's Markdown was rendered in the approver's page."""
    form = {"act": "promote", "model_id": 2, "reason": "fine\n\n<img src=x> [approve](http://evil)"}
    context = {"dag_run": run_of(**form), "params": {"hold_until": None, **form}}
    asked = ManualApproval(task_id="approve", desk="default").question(context, asks)
    assert isinstance(asked, Question)
    assert "`ann` asks for it: `fine\\n\\n<img src=x> [approve](http://evil)`" in asked.body
    assert "[model 2](/gatekeeper/default/models/2)" in asked.body
    assert (asked.run_key, asked.model_id, asked.evaluation_id) == ("gatekeeper_x/one", 2, None)


def test_a_message_that_came_with_a_copied_model_is_text_in_the_question(asks: Registry, place: Path) -> None:
    """The document of a copied model is whoever's it was: its message was rendered in the approver's page."""
    judged(House(place, "demo:"), 1, "week", message="fine [approve](http://evil) <img src=x> | x |\n# Approved")
    form = {"act": "promote", "model_id": 1, "reason": "r"}
    context = {"dag_run": run_of(**form), "params": {"hold_until": None, **form}}
    asked = ManualApproval(task_id="approve", desk="default").question(context, asks)
    assert isinstance(asked, Question)
    shown = r"fine \[approve\](http\://evil) \<img src=x\> \| x \|\\n\# Approved"
    assert shown in asked.body
    key = House(place, "demo:").run(MONDAY).key
    week = WeeklyApproval(task_id="approve", desk="default")
    evaluation = judged(House(place, "demo:"), 2, key, message="fine [approve](http://evil)")
    weekly = week.question(weekly_context(evaluation), asks)
    assert isinstance(weekly, Question)
    assert r"fine \[approve\](http\://evil)" in weekly.body


@pytest.mark.parametrize("option", ["Approve", "Reject"])
@pytest.mark.parametrize(("by", "why"), [("trader", "may not answer, since"), ("ann", "can't answer for it")])
def test_who_may_not_approve_may_not_reject(
    asks: Registry, monkeypatch: pytest.MonkeyPatch, option: str, by: str, why: str
) -> None:
    """Anybody's rejection counted, also that of who may not answer."""
    monkeypatch.setenv("GATEKEEPER_APPROVERS", "cas ann")
    context = {"dag_run": run_of(), "ti": SimpleNamespace(xcom_push=lambda **_: None)}
    about = {"run_key": "week", "model_id": 1, "evaluation_id": None, "asked_by": "ann"}
    asks.approvals.ask(**about, question=approval.question_of(context["dag_run"]))
    answer = {"responded_by_user": {"id": "7", "name": by}, "chosen_options": [option]}
    with pytest.raises(AirflowFailException, match=f"{by} .*{why}"):
        ManualApproval(task_id="approve", desk="default").execute_complete(context, answer)
    assert asks.approvals.newest()[0].answer is None


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("manual", "ann", Asker("ann", known=True)),
        ("manual", None, Asker(None, known=False)),
        ("manual", "", Asker(None, known=False)),
        ("operator_triggered", "ann", Asker("ann", known=True)),
        ("operator_triggered", None, Asker(None, known=False)),
        ("scheduled", None, Asker(None, known=True)),
        ("asset_triggered", None, Asker(None, known=True)),
        ("asset_materialization", "ann", Asker("ann", known=True)),
        ("asset_materialization", None, Asker(None, known=False)),
        ("backfill", "ann", Asker("ann", known=False)),
        ("backfill", None, Asker(None, known=False)),
        ("of another Airflow", None, Asker(None, known=False)),
    ],
)
def test_who_asked(kind: str, name: str | None, found: Asker) -> None:
    assert approval.asker(run_of(kind, name)) == found


@pytest.mark.parametrize("act", [act for act in ACTS if act != "promote"])
def test_only_a_promotion_waits(asks: Registry, act: str) -> None:
    """Roll back and hold are brakes."""
    form = {"act": act, "reason": "why", "model_id": 1 if act == "release quarantine" else None}
    context = {"dag_run": run_of(**form), "params": {"hold_until": None, **form}}
    asked = ManualApproval(task_id="approve", desk="default").question(context, asks)
    assert asked == NothingToApprove(promoted=False, why=f"the act {act!r} needs no approval")


def test_an_act_by_hand_reads_the_registry_alone(asks: Registry) -> None:
    """Asked about model 1, model 2 is not promoted; nor is anything by a task `check` that was marked as success."""
    form: Mapping[str, Any] = {"act": "promote", "model_id": 2, "reason": "r"}
    context = {
        "dag_run": run_of(**form),
        "params": {"hold_until": None, **form},
        "ti": SimpleNamespace(xcom_push=lambda **_: None),
    }
    checked = promote.check("default", context)
    about = {"run_key": "gatekeeper_x/one", "evaluation_id": None, "asked_by": "ann"}
    asks.approvals.ask(**about, model_id=1, question="other")
    asks.approvals.answer("other", answer="approved", by="cas")
    with pytest.raises(AirflowFailException, match="was about model 1 at generation 0, not about model 2"):
        promote.act("default", context, checked)
    asks.approvals.ask(**about, model_id=2, question="gatekeeper_x/one")
    asks.approvals.answer("gatekeeper_x/one", answer="approved", by="cas")
    for wrong, said in (
        (None, "DataError: The task check handed nothing on"),
        ([], "The task check handed on what it can't have written"),
        ({**checked, "run_key": "gatekeeper_x/two"}, "the run gatekeeper_x/two, but this run is gatekeeper_x/one"),
    ):
        with pytest.raises(AirflowFailException, match=said):
            promote.act("default", context, wrong)
    assert asks.promotions() == []
    assert promote.act("default", context, checked)["primary"] == 2
    assert asks.promotions()[0].actor == "ann, approved by cas"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_week_waits_for_its_answer(airflow: Airflow) -> None:
    """Rejected, nothing is promoted, not even by clearing `promote` or by an edited XCom; approved, it is."""
    airflow.unpause(WEEKLY)
    airflow.trigger(WEEKLY, {"as_of": "2016-01-04"}, run_id="week")
    asked = airflow.question(WEEKLY, "week")
    assert asked["subject"] == "Promote gatekeeper_1 as the first primary?"
    assert "[evaluation 1](/gatekeeper/asked/evaluations/1) of model 1, sha256 " in asked["body"]
    assert "Gain: none to measure, since there is no champion to compare with." in asked["body"]
    assert "| enough | passed | challenger approved " in asked["body"]
    assert "anyone with the right to answer, but not `admin`, who started this run." in asked["body"]
    assert "Without an answer within 24 hours, it is rejected" in asked["body"]
    assert asked["defaults"] == ["Reject"]
    with pytest.raises(Refused) as refused:
        airflow.answer(WEEKLY, "week", "Approve", user="reader")
    assert refused.value.code == 403
    airflow.answer(WEEKLY, "week", "Reject", user="operator")
    assert airflow.ended(WEEKLY, "week") == "success"
    assert airflow.tasks(WEEKLY, "week")["promote"][0] == "skipped"
    said = handed_on(airflow, WEEKLY, "week", "approve")
    effect = "Nothing was promoted: rejected by operator. There is no primary."
    assert said == {"approved": False, "by": "operator", "summary": effect}
    assert effect in airflow.log(WEEKLY, "week", "approve")
    assert airflow.call("GET", xcom_of(WEEKLY, "week", "approve").replace("return_value", "effect"))["value"] == effect
    forged = {"approved": True, "by": "operator", "summary": "Approved by operator"}
    for key, value in (("return_value", forged), ("skipmixin_key", {"skipped": []})):  # the latter skips `promote`
        airflow.call("PATCH", xcom_of(WEEKLY, "week", "approve").replace("return_value", key), {"value": value})
    airflow.clear(WEEKLY, "week", "promote")
    assert airflow.ended(WEEKLY, "week") == "success"
    assert airflow.tasks(WEEKLY, "week")["promote"][0] == "success"
    assert "rejected by operator. Clear the task `approve`" in airflow.log(WEEKLY, "week", "promote")
    effect = airflow.call("GET", xcom_of(WEEKLY, "week", "promote").replace("return_value", "effect"))["value"]
    assert effect.startswith("Nothing was promoted: ")
    with airflow.registry("asked") as registry:
        assert registry.promotions() == []

    airflow.clear(WEEKLY, "week", "approve")
    airflow.question(WEEKLY, "week", attempt=2)
    airflow.answer(WEEKLY, "week", "Approve", user="operator")
    with pytest.raises(Refused) as refused:
        airflow.answer(WEEKLY, "week", "Reject", user="admin")
    assert refused.value.code == 409
    assert airflow.ended(WEEKLY, "week") == "success"
    with airflow.registry("asked") as registry:
        promotions = [(one.kind, one.to_id, one.as_of, one.actor) for one in registry.promotions()]
        assert len(registry.evaluations()) == 1
        answers = [(one.asked_by, one.answered_by, one.answer, one.question) for one in registry.approvals.newest()]
    assert promotions == [("bootstrap", 1, MONDAY, "airflow, approved by operator")]
    assert answers == [("admin", "operator", answer, f"{WEEKLY}/week") for answer in ("approved", "rejected")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_answer_that_is_late_promotes_nothing(airflow: Airflow) -> None:
    """Case 48: and the run says so."""
    with airflow.registry("hasty") as registry:
        registry.register(own_model(1), details=OWN)
    airflow.unpause(BY_HAND)
    airflow.trigger(BY_HAND, {"act": "promote", "model_id": 1, "reason": "r"}, run_id="late")
    assert airflow.ended(BY_HAND, "late") == "success"
    assert {name: state for name, (state, _) in airflow.tasks(BY_HAND, "late").items()} == {
        "check": "success",
        "approve": "success",
        "act": "skipped",
    }
    said = handed_on(airflow, BY_HAND, "late", "approve")
    assert said["summary"] == "Nothing was promoted: rejected, since nobody answered in time. There is no primary."
    with airflow.registry("hasty") as registry:
        assert registry.promotions() == []


@pytest.mark.matrix
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_approves_by_the_state_of_a_task_or_for_herself(airflow: Airflow) -> None:
    """Case 104, on a real Airflow: who asked approves, the task is marked as success, the answer comes after that."""
    with airflow.registry("asked") as registry:
        model = registry.register(own_model(7), details=OWN)
        before = registry.generation()
    dag, form = ASKED_BY_HAND, {"act": "promote", "model_id": model.id, "reason": "**r**"}
    airflow.unpause(dag)
    airflow.trigger(dag, form, run_id="self", user="operator")
    asked = airflow.question(dag, "self")
    assert "`operator` asks for it: `**r**`" in asked["body"]
    airflow.answer(dag, "self", "Approve", user="operator")
    assert airflow.ended(dag, "self") == "failed"
    states = airflow.tasks(dag, "self")
    assert (states["approve"], states["act"][0]) == (("failed", 1), "upstream_failed")
    said = airflow.log(dag, "self", "approve")
    assert "PromotionRefused: operator started the run that asks, and can't answer for it" in said

    airflow.trigger(dag, form, run_id="marked", user="operator")
    airflow.question(dag, "marked")
    mark = f"/api/v2/dags/{dag}/dagRuns/marked/taskInstances/approve"
    airflow.call("PATCH", mark, {"new_state": "success"}, user="operator")
    assert airflow.ended(dag, "marked") == "failed"
    assert "Nobody has answered the question of" in airflow.log(dag, "marked", "act")
    airflow.answer(dag, "marked", "Approve", user="admin")  # accepted, and counts for nothing
    airflow.clear(dag, "marked", "act")
    assert airflow.ended(dag, "marked") == "failed"
    assert airflow.tasks(dag, "marked")["act"] == ("failed", 2)
    with airflow.registry("asked") as registry:
        assert registry.generation() == before
    airflow.clear(dag, "marked", "approve")
    airflow.question(dag, "marked", attempt=2)
    airflow.answer(dag, "marked", "Approve", user="admin")
    assert airflow.ended(dag, "marked") == "success"
    with airflow.registry("asked") as registry:
        assert registry.promotions()[0].actor == "operator, approved by admin"
        assert registry.generation() == before + 1


@pytest.mark.matrix
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_who_started_a_backfill_is_not_known(airflow: Airflow) -> None:
    """Only an approver may answer; without any, nobody is asked."""
    for dag_id in (HASTY, NAMED):
        airflow.unpause(dag_id)
        days = {"from_date": "2016-01-11T00:00:00Z", "to_date": "2016-01-12T00:00:00Z"}
        with airflow.without_scheduler():
            airflow.call("POST", "/api/v2/backfills", {"dag_id": dag_id, **days})
    (run_id,) = [each["dag_run_id"] for each in airflow.runs(NAMED) if each["run_type"] == "backfill"]
    asked = airflow.question(NAMED, run_id)
    assert "Who may answer: `operator`, but not `admin`, who started this run." in asked["body"]
    airflow.answer(NAMED, run_id, "Approve", user="trader")
    assert airflow.ended(NAMED, run_id) == "failed"
    said = airflow.log(NAMED, run_id, "approve")
    assert "trader may not answer, since GATEKEEPER_APPROVERS names operator alone" in said
    airflow.clear(NAMED, run_id, "approve")
    airflow.question(NAMED, run_id, attempt=2)
    airflow.answer(NAMED, run_id, "Approve", user="operator")
    assert airflow.ended(NAMED, run_id) == "success"
    with airflow.registry("named") as registry:
        assert [one.actor for one in registry.promotions()] == ["airflow, approved by operator"]
        assert {one.asked_by for one in registry.approvals.newest()} == {None}
    (run,) = [each for each in airflow.runs(HASTY) if each["run_type"] == "backfill"]
    which = (HASTY, run["dag_run_id"])
    ended, states, log = airflow.ended(*which), airflow.tasks(*which), airflow.log(*which, "approve")
    assert (ended, states["approve"], states["promote"][0]) == ("failed", ("failed", 1), "upstream_failed")
    assert "only somebody in GATEKEEPER_APPROVERS may approve it, and that is empty" in log
