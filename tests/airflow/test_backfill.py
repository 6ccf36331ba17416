"""Backfill of eight Mondays, two at once, with a task that is killed: the same end as week after week."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import airflow_desks
import pytest
from airflow_server import ENDED, Airflow, until
from weekly_house import House

from gatekeeper.registry import Registry
from gatekeeper.serving import load

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(900)]
DAG, KILLED = "gatekeeper_weekly_backfill", "gatekeeper_weekly_killed"
MONDAYS = [datetime(2016, 10, 31, 2, tzinfo=UTC) + timedelta(days=7 * week) for week in range(8)]
EMPTY = datetime.fromisoformat(f"{airflow_desks.HOLE[1]}T02:00:00+00:00")
GOOD = [monday for monday in MONDAYS if monday != EMPTY]
BEFORE = MONDAYS[0] - timedelta(days=7)
FIRST = datetime(2016, 1, 4, 2, tzinfo=UTC)
RUNNING = "running"


def registered(registry: Registry) -> set[tuple[str, str]]:
    """Each model's as-of, by its run key, and its sha256."""
    return {(str(model.run_key).split("/")[1], str(model.sha256)) for model in registry.models()}


def by_command(airflow: Airflow, first: str, last: str) -> None:
    days = ("--from-date", first, "--to-date", last)
    airflow.command("backfill", "create", "--dag-id", DAG, *days, "--max-active-runs", "2")


def by_form(airflow: Airflow, first: str, last: str) -> None:
    """What the form's *Backfill* sends, with the choice that weeks which are done run again."""
    days = {"from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    again = {"reprocess_behavior": "completed", "max_active_runs": 2}
    airflow.call("POST", "/api/v2/backfills", {"dag_id": DAG, **days, **again})


def backfill(airflow: Airflow, create: Callable[[Airflow, str, str], None], first: datetime, last: datetime) -> None:
    """As an operator would: the last day is the one after the last Monday, which is at 02:00. Waits for the runs."""

    def complete() -> bool:
        return all(each["completed_at"] for each in airflow.call("GET", f"/api/v2/backfills?dag_id={DAG}")["backfills"])

    until(complete, f"the backfill of {DAG} before this one is complete", lambda: str(airflow.runs(DAG)))
    with airflow.without_scheduler():  # docs/how-to/backfills.md says what may happen otherwise, on SQLite
        create(airflow, f"{first:%Y-%m-%d}", f"{last + timedelta(days=1):%Y-%m-%d}")

    def ended() -> bool:
        return {state for _, state in states(airflow).values()} <= ENDED

    until(ended, f"the backfill of {DAG} ends", lambda: str(airflow.runs(DAG)))


def states(airflow: Airflow) -> dict[datetime, tuple[str, str]]:
    """By as-of: id and state of each run that a backfill made."""
    return {
        datetime.fromisoformat(run["data_interval_end"]): (run["dag_run_id"], run["state"])
        for run in airflow.runs(DAG)
        if run["run_type"] == "backfill"
    }


@pytest.fixture(scope="module")
def struck(airflow: Airflow) -> str:
    """The task after `register` that was killed as it waited for the registry; Airflow tries it again in a minute."""
    airflow.unpause(KILLED)
    airflow.trigger(KILLED, {"as_of": f"{FIRST:%Y-%m-%d}"}, run_id="struck")
    until(lambda: airflow.tasks(KILLED, "struck")["register"][0] == "success", "register is done")
    with closing(sqlite3.connect(airflow.place("killed") / "registry.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        path = f"/api/v2/dags/{KILLED}/dagRuns/struck/taskInstances"

        def running() -> list[tuple[str, int]]:
            tasks = airflow.call("GET", path)["task_instances"]
            return [(task["task_id"], task["pid"]) for task in tasks if task["state"] == RUNNING and task["pid"]]

        ((task_id, pid),) = until(running, "a task waits for the registry")
        os.kill(pid, signal.SIGKILL)
        until(lambda: airflow.tasks(KILLED, "struck")[task_id][0] == "up_for_retry", "Airflow noticed")
        connection.execute("ROLLBACK")
    return task_id


@pytest.fixture(scope="module")
def filled(airflow: Airflow, struck: str) -> Airflow:  # the killed task's minute passes meanwhile
    """After the backfill of the eight Mondays."""
    airflow.unpause(DAG)
    backfill(airflow, by_command, MONDAYS[0], MONDAYS[-1])
    return airflow


@pytest.fixture
def house(airflow: Airflow, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """Where the same weeks go one after another, without Airflow, on the data of the desk that the test names."""
    made = House(tmp_path, airflow_desks.data_of(airflow.folder, request.param))
    yield made
    made.registry.close()


@pytest.mark.parametrize("house", ["backfill"], indirect=True)
def test_a_backfill_ends_as_the_mondays_one_after_another(filled: Airflow, house: House) -> None:
    """The same models; promotions that never go back; a week without data fails at once and blocks no other."""
    for monday in GOOD:
        house.until("register", monday)
    with filled.registry("backfill") as registry:
        assert registered(registry) == registered(house.registry)
        assert len(registry.models()) == len(GOOD)
        check_promotions(registry)
        assert load(registry).fallback == "primary"
        assert registry.doctor().well
    ended = states(filled)
    assert {monday: state for monday, (_, state) in ended.items()} == {
        monday: "failed" if monday == EMPTY else "success" for monday in MONDAYS
    }
    assert filled.tasks(DAG, ended[EMPTY][0])["retrain"] == ("failed", 1)
    assert "StaleData" in filled.log(DAG, ended[EMPTY][0], "retrain")
    with filled.registry() as other:
        assert not registered(other) & registered(house.registry)


def check_promotions(registry: Registry) -> None:
    """In the order of their as-of, each model and look once; who was judged fit and stayed out came too late."""
    promotions = registry.promotions()[::-1]
    weeks = [promotion.as_of for promotion in promotions]
    assert weeks == sorted(set(weeks))
    assert len({promotion.to_id for promotion in promotions}) == len(promotions)
    promoted = {promotion.evaluation_id for promotion in promotions}
    fit = [e for e in registry.evaluations() if e.verdict == "promote" and e.id not in promoted]
    again = {e.challenger for e in registry.evaluations() if e.id in promoted or e.kind == "what-if"}
    assert all(evaluation.kind == "what-if" or evaluation.challenger in again for evaluation in fit)


def test_an_older_week_and_reprocessing_promote_nothing(filled: Airflow) -> None:
    """Cases 44 and 46: a Monday before all of them, judged as what-if, and two that are run again."""
    with filled.registry("backfill") as registry:
        before = (registry.models(), registry.promotions(), registry.evaluations(), registry.generation())
    backfill(filled, by_form, BEFORE, MONDAYS[1])
    ended = states(filled)
    assert {ended[monday][1] for monday in (BEFORE, *MONDAYS[:2])} == {"success"}
    tries = filled.tasks(DAG, ended[MONDAYS[0]][0])
    assert tries["register"] == ("success", 2), tries
    with filled.registry("backfill") as registry:
        (late,) = [model for model in registry.models() if model not in before[0]]
        (judged,) = registry.evaluations(late.id)
        assert (judged.kind, judged.as_of) == ("what-if", BEFORE)
        assert [m for m in registry.models() if m != late] == before[0]
        assert (registry.promotions(), registry.generation()) == (before[1], before[3])
        assert [e for e in registry.evaluations() if e != judged] == before[2]
    assert "Nothing was promoted: a later week (as of " in filled.log(DAG, ended[BEFORE][0], "promote")


@pytest.mark.parametrize("house", ["killed"], indirect=True)
def test_a_killed_task_is_tried_again_and_ends_the_same(airflow: Airflow, struck: str, house: House) -> None:
    """Case 49: killed between register and promote, for real, and tried again by the scheduler."""
    assert airflow.ended(KILLED, "struck") == "success"
    tasks = airflow.tasks(KILLED, "struck")
    assert tasks.pop(struck) == ("success", 2)
    assert set(tasks.values()) == {("success", 1)}
    undisturbed = house.week(FIRST)
    with airflow.registry("killed") as registry:
        ((model,), (promotion,), (evaluation,)) = (registry.models(), registry.promotions(), registry.evaluations())
        assert model.sha256 == undisturbed["sha256"]
        assert (promotion.kind, promotion.to_id, promotion.as_of) == ("bootstrap", model.id, FIRST)
        assert (evaluation.verdict, evaluation.kind) == (undisturbed["verdict"], undisturbed["kind"])
        assert registry.doctor().well
