"""Approval task: a person approves a promotion, rejects it, or doesn't answer. On PostgreSQL: test_more_machines.py."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_server import Airflow, Refused
from evaluation_documents import document
from gatekeeper_airflow.approval import ManualApproval, NothingToApprove, Question, WeeklyApproval
from gatekeeper_airflow.promote import ACTS
from msgspec import structs
from registry_site import OWN, own_model
from weekly_house import House, step

from gatekeeper.desks import Desk
from gatekeeper.documents import step_output
from gatekeeper.documents.evaluation import Training
from gatekeeper.documents.step_output import ApprovalAnswer, Backtested, CheckedAct
from gatekeeper.errors import PromotionRefused
from gatekeeper.registry import Evaluation

pytestmark = pytest.mark.xdist_group("airflow")
WEEKLY, BY_HAND = "gatekeeper_weekly_asked", "gatekeeper_promote_hasty"
MONDAY = datetime(2016, 1, 4, 2, tzinfo=UTC)
TRAINED = Training("logistic", 0, "{}", 1, 1, MONDAY, MONDAY, MONDAY, "")


def handed_on(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    """What a task returned."""
    path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
    return dict(airflow.call("GET", path)["value"])


@pytest.mark.parametrize(
    ("settings", "environ", "asks"),
    [
        ({}, {}, False),
        ({}, {"GATEKEEPER_APPROVAL": "true"}, True),
        ({}, {"GATEKEEPER_APPROVAL": "0"}, False),
        ({"approval": True}, {}, True),
        ({"approval": False}, {"GATEKEEPER_APPROVAL": "true"}, False),
    ],
)
def test_a_dag_has_the_task_where_its_gate_wants_it(
    settings: dict[str, object], environ: dict[str, str], asks: bool
) -> None:
    assert Desk(settings=settings).asks(environ) is asks


def judged(house: House, challenger: int, run_key: str) -> Evaluation:
    """An evaluation that says promote, of a first week."""
    whole = document()
    return house.registry.record_evaluation(
        challenger=challenger,
        champion=None,
        generation=0,
        as_of=MONDAY,
        kind="bootstrap",
        verdict="promote",
        document=structs.replace(whole, verdict=structs.replace(whole.verdict, message="promote it")),
        run_key=run_key,
        report=None,
    )


def handed_by(evaluation: Evaluation) -> dict[str, Any]:
    """What `backtest` hands on after it, but for the files of the steps before."""
    return step_output.written(
        Backtested(
            estimator="", estimator_sha256="", trained=TRAINED, summary="", dataset="", dataset_sha256="",
            dataset_fingerprint="", onnx="", onnx_sha256="", size=0, model_id=evaluation.challenger, sha256=None,
            evaluation_id=evaluation.id, challenger_id=evaluation.challenger, verdict=evaluation.verdict,
            kind=evaluation.kind, report=None,
        )
    )  # fmt: skip


def test_a_verdict_that_nobody_was_asked_about_promotes_nothing(tmp_path: Path) -> None:
    """The primary moved after the question, say, and judging again came to `promote`."""
    house = House(tmp_path, "demo:")
    run = house.run(MONDAY)
    model = house.registry.register(own_model(1), details=OWN, run_key=run.key)
    handed = handed_by(judged(house, model.id, run.key))
    said = step("promote", run, house.registry, handed, ApprovalAnswer(False, None, "nobody was asked"))
    assert (said["promoted"], said["effect"]) == (
        False,
        "Nothing was promoted: nobody was asked. There is no primary.",
    )
    assert said["summary"] == f"{said['effect']} promote it"
    assert house.registry.promotions() == []
    assert step("promote", run, house.registry, handed, ApprovalAnswer(True, None, "nobody was asked"))["promoted"]
    assert [one.to_id for one in house.registry.promotions()] == [model.id]


def test_a_second_question_is_never_put_in_the_words_of_another(tmp_path: Path) -> None:
    """Airflow 3.3.2 keeps the words of a run's first question, whatever the task that is cleared would ask now."""
    house = House(tmp_path, "demo:")
    for number in (1, 2):
        house.registry.register(own_model(number), details=OWN)
    ask = WeeklyApproval(task_id="approve", desk="default")

    def put(challenger: int, attempt: int) -> Question | NothingToApprove:
        handed = handed_by(judged(house, challenger, "one look"))
        ti = SimpleNamespace(try_number=attempt, xcom_pull=lambda **_: handed)
        return ask.question({"ti": ti}, house.registry)

    for attempt in (1, 2):
        asked = put(1, attempt)
        assert isinstance(asked, Question)
        assert asked.subject == "Promote gatekeeper_1 as the first primary?"
    assert isinstance(put(2, 1), Question)
    with pytest.raises(
        PromotionRefused, match=r"perhaps about evaluation 1 instead of 2\. Trigger a new run with the as-of 2016-"
    ):
        put(2, 2)


@pytest.mark.parametrize("act", [act for act in ACTS if act != "promote"])
def test_only_a_promotion_waits(act: str) -> None:
    """Roll back and hold are brakes."""
    handed = step_output.written(CheckedAct(act, None, "why", "ann", 0, done=False, summary="it can be done"))
    context = {"ti": SimpleNamespace(xcom_pull=lambda **_: handed)}
    asked = ManualApproval(task_id="approve", desk="default").question(context, None)
    assert asked == NothingToApprove(promoted=False, why=f"the act {act!r} needs no approval")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_week_waits_for_its_answer(airflow: Airflow) -> None:
    """Rejected, nothing is promoted, not even by clearing `promote`; asked again and approved, it is."""
    airflow.unpause(WEEKLY)
    airflow.trigger(WEEKLY, {"as_of": "2016-01-04"}, run_id="week")
    asked = airflow.question(WEEKLY, "week")
    assert asked["subject"] == "Promote gatekeeper_1 as the first primary?"
    assert "[evaluation 1](/gatekeeper/asked/evaluations/1): promote gatekeeper_1" in asked["body"]
    assert "| enough | passed | challenger approved " in asked["body"]
    assert "Without an answer within 24 hours, it is rejected" in asked["body"]
    assert asked["defaults"] == ["Reject"]
    with pytest.raises(Refused) as refused:
        airflow.answer(WEEKLY, "week", "Approve", user="reader")
    assert refused.value.code == 403
    airflow.answer(WEEKLY, "week", "Reject", user="operator")
    assert airflow.ended(WEEKLY, "week") == "success"
    assert airflow.tasks(WEEKLY, "week")["promote"][0] == "skipped"
    said = handed_on(airflow, WEEKLY, "week", "approve")
    assert said == {"approved": False, "by": "operator", "summary": "rejected by operator: nothing is promoted"}
    assert "rejected by operator: nothing is promoted" in airflow.log(WEEKLY, "week", "approve")
    airflow.clear(WEEKLY, "week", "promote")
    assert airflow.ended(WEEKLY, "week") == "success"
    with airflow.registry("asked") as registry:
        assert registry.promotions() == []

    airflow.clear(WEEKLY, "week", "approve")
    airflow.question(WEEKLY, "week", attempt=2)
    airflow.answer(WEEKLY, "week", "Approve", user="operator")
    assert airflow.ended(WEEKLY, "week") == "success"
    with airflow.registry("asked") as registry:
        promotions = [(one.kind, one.to_id, one.as_of, one.actor) for one in registry.promotions()]
        assert len(registry.evaluations()) == 1
    assert promotions == [("bootstrap", 1, MONDAY, "airflow, approved by operator")]


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
    assert said["summary"] == "rejected, since nobody answered in time: nothing is promoted"
    with airflow.registry("hasty") as registry:
        assert registry.promotions() == []
