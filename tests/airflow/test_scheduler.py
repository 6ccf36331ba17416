"""Weekly DAG through the real scheduler and LocalExecutor, with a task cleared for real."""

import re
from datetime import UTC, datetime

import pytest
from airflow_server import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]
DAG = "gatekeeper_weekly"
MONDAY = datetime(2018, 11, 5, 2, tzinfo=UTC)


@pytest.mark.timeout(600)
def test_the_scheduler_runs_a_week_and_a_cleared_task_changes_nothing(airflow: Airflow) -> None:
    """Cases 43 and 46: a manual run without a logical date; then `register` and all behind it once more."""
    airflow.unpause(DAG)  # which makes no run by itself: the schedule ends with the demo's bars
    airflow.trigger(DAG, {"as_of": "2018-11-05"}, run_id="by-hand")
    assert airflow.ended(DAG, "by-hand") == "success"
    assert airflow.run(DAG, "by-hand")["logical_date"] is None
    assert [run["dag_run_id"] for run in airflow.runs(DAG)] == ["by-hand"]
    with airflow.registry() as registry:
        before = (registry.models(), registry.promotions(), registry.evaluations())
    assert [(p.kind, p.as_of, p.actor) for p in before[1]] == [("bootstrap", MONDAY, "airflow")]
    links = airflow.call("GET", f"/api/v2/dags/{DAG}/dagRuns/by-hand/taskInstances/promote/links")["extra_links"]
    assert links == {"Evaluation": f"/gatekeeper/default/evaluations/{before[2][0].id}"}
    check_log(airflow.log(DAG, "by-hand", "backtest"))
    airflow.clear(DAG, "by-hand", "register")
    assert airflow.ended(DAG, "by-hand") == "success"
    with airflow.registry() as registry:
        assert (registry.models(), registry.promotions(), registry.evaluations()) == before
    assert airflow.tasks(DAG, "by-hand") == {
        "retrain": ("success", 1),
        "export_onnx": ("success", 1),
        "register": ("success", 2),
        "backtest": ("success", 2),
        "promote": ("success", 2),
    }


def check_log(told: str) -> None:
    """A few lines of the task's own, with numbers, between those that Airflow folds away."""
    (own,) = re.findall(r"Worker startup parse complete\n::endgroup::\n(.*?)\n::group::Post", told, re.DOTALL)
    lines = own.splitlines()
    assert len(lines) <= 10, own
    assert lines[0] == "desk default, as-of 2018-11-05 02:00 UTC"
    assert lines[1].startswith("evaluation 1 (bootstrap): model 1 without a champion, on ")
    assert [line.split()[0] for line in lines[2:5]] == ["comparable", "enough", "defined"]
    assert re.search(r"enough passed: challenger approved \d+ of \d+ ideas", own)
