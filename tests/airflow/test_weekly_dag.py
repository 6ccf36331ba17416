"""Weekly DAG in Airflow: its shape, its as-of, and whole runs by `dag.test()`."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow_runs import DAGS, HOUSE, Runs
from gatekeeper_airflow import weekly

from gatekeeper.documents.evaluation import Training
from gatekeeper.documents.step_output import Backtested, written
from gatekeeper.errors import AsOfError
from gatekeeper.registry import Registry
from gatekeeper.serving import load

MONDAY = datetime(2018, 11, 5, 2, tzinfo=UTC)
pytestmark = pytest.mark.xdist_group("airflow")


def opened(place: Path) -> Registry:
    return Registry.open(f"sqlite:///{place / 'registry.db'}", models=place / "models")


def test_the_steps_stand_in_order() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS))
    assert bag.import_errors == {}
    dag = bag.dags["gatekeeper_weekly"]
    following = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert following == {
        "retrain": ["export_onnx"],
        "export_onnx": ["register"],
        "register": ["backtest"],
        "backtest": ["promote"],
        "promote": [],
    }
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert all(task.doc_md for task in dag.tasks)


def test_parsing_the_dag_imports_nothing_heavy() -> None:
    """In a process of its own; what Airflow itself imports is not ours, so it is imported first."""
    code = (
        "import sys, json, airflow.sdk, airflow.providers.standard.operators.hitl; before = set(sys.modules); "
        "exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(DAGS / "gatekeeper_weekly.py")],
        env={**os.environ, "PYTHONPATH": str(HOUSE / "plugins")},  # Airflow puts it on the path by itself
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(ended.stdout.splitlines()[-1]))
    heavy = {"numpy", "pandas", "scipy", "sklearn", "onnx", "onnxruntime", "skl2onnx", "talib", "matplotlib", "fsspec"}
    assert imported & heavy == set()
    assert "gatekeeper_airflow" in imported


def test_a_monday_has_one_as_of_however_it_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases 43 and 45: scheduled and backfill runs by their interval's end, manual ones by theirs or by run_after."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import CronTriggerTimetable

    monkeypatch.setenv("GATEKEEPER_DATA", "candles:bars.csv")  # the demo's bars have a timetable of their own
    from airflow.timetables.base import TimeRestriction

    assert isinstance(DagBag(dag_folder=str(DAGS)).dags["gatekeeper_weekly"].schedule, CronTriggerTimetable)
    from airflow.timetables.trigger import CronTriggerTimetable as Scheduled

    table = Scheduled("0 2 * * 1", timezone="UTC", interval=timedelta(days=7))
    planned = table.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=MONDAY - timedelta(days=1), latest=None, catchup=True),
    )
    assert planned is not None
    by_hand = table.infer_manual_data_interval(run_after=MONDAY)
    later = MONDAY + timedelta(days=900)

    def run(
        end: datetime | None, after: datetime, conf: dict[str, object] | None = None, run_type: str = "manual"
    ) -> dict[str, object]:
        return {"dag_run": SimpleNamespace(conf=conf, data_interval_end=end, run_after=after, run_type=run_type)}

    assert weekly.as_of(run(planned.data_interval.end, later)) == MONDAY
    assert weekly.as_of(run(by_hand.end, later)) == MONDAY
    assert weekly.as_of(run(None, MONDAY)) == MONDAY
    assert weekly.as_of(run(later, later, {"as_of": "2018-11-05T02:00:00Z"})) == MONDAY
    assert weekly.as_of(run(later, later, {"as_of": "2018-11-05"})) == MONDAY
    # Airflow's form sends its values along with a backfill: one as-of for all its weeks is nobody's wish.
    assert weekly.as_of(run(MONDAY, later, {}, "backfill")) == MONDAY
    with pytest.raises(AsOfError, match="with the field As-of empty"):
        weekly.as_of(run(later, later, {"as_of": "2018-11-05"}, "backfill"))


@pytest.mark.slow
def test_a_monday_runs_and_a_second_time_changes_nothing(runs: Runs, place: Path) -> None:
    """Cases 7 and 46: a second run of one date has another run id, and the same look."""
    first = runs.monday(MONDAY)
    assert first.state == "success", first.log[-4000:]
    with opened(place) as registry:
        models, promotions, evaluations = registry.models(), registry.promotions(), registry.evaluations()
        answers = load(registry)
    assert [model.id for model in models] == [1]
    assert [(p.kind, p.to_id, p.as_of) for p in promotions] == [("bootstrap", 1, MONDAY)]
    assert [(e.verdict, e.challenger) for e in evaluations] == [("promote", 1)]
    assert (answers.fallback, answers.model.version) == ("primary", "gatekeeper_primary1")
    assert Path(str(evaluations[0].report)).stat().st_size < 500_000
    again = runs.monday(MONDAY)
    assert again.state == "success", again.log[-4000:]
    with opened(place) as registry:
        assert registry.models() == models
        assert registry.promotions() == promotions
        assert registry.evaluations() == evaluations


@pytest.mark.slow
def test_unknown_keys_and_impossible_dates_fail_at_once(runs: Runs, place: Path) -> None:
    """No retry, nothing registered, and the log names the key, or the last Monday that works."""
    typo = runs.monday(MONDAY, {"holdout_day": 100})
    assert typo.state == "failed"
    assert "unknown parameter holdout_day" in typo.log
    assert "UP_FOR_RETRY" not in typo.log
    beyond = runs.monday(MONDAY, {"as_of": "2019-06-03"})
    assert beyond.state == "failed"
    assert "2018-12-31" in beyond.log
    with opened(place) as registry:
        assert registry.models() == []


@pytest.mark.parametrize(
    ("step", "before"),
    [("export_onnx", "retrain"), ("register", "export_onnx"), ("backtest", "register"), ("promote", "backtest")],
)
def test_a_task_that_was_marked_as_success_is_named_in_one_sentence(place: Path, step: str, before: str) -> None:
    """Case 105: `KeyError: 'model_id'`, tried three times. Not retried; an XCom of another shape or run is the same."""
    from airflow.sdk.exceptions import AirflowFailException
    from gatekeeper_airflow.weekly import JudgingOperator, weekly_run

    run = SimpleNamespace(conf={"as_of": "2018-11-05"}, run_type="manual", dag_id="gatekeeper_weekly", run_id="one")
    context = {"dag_run": run, "ti": None}
    key = weekly_run(context, "default", reads=False).key
    trained = Training("logistic", 0, "{}", 1, 1, MONDAY, MONDAY, MONDAY, "")
    files = dict.fromkeys(("estimator", "estimator_sha256", "summary", "dataset", "dataset_sha256"), "x")
    whole = Backtested(
        **files, run_key="gatekeeper_weekly/another", trained=trained, dataset_fingerprint="", onnx="", onnx_sha256="",
        size=0, model_id=1, sha256=None, evaluation_id=1, challenger_id=1, verdict="keep", kind="weekly", report=None,
    )  # fmt: skip
    way_out = f"Clear {before}, with all tasks after it."
    for wrong, said in (
        (None, f"The task {before} handed nothing on: it was marked as success by hand, or its XCom was deleted."),
        ({}, f"The task {before} handed on what it can't have written (Object missing required field"),
        ([1], f"The task {before} handed on what it can't have written (Expected `object`, got `array`)."),
        ("text", f"The task {before} handed on what it can't have written (Expected `object`, got `str`)."),
        (
            written(whole),
            f"The task {before} handed on the output of the run gatekeeper_weekly/another, but this run is {key}: its "
            "XCom was changed, or a setting was.",
        ),
    ):
        with pytest.raises(AirflowFailException) as failed:
            JudgingOperator(step=step, desk="default", step_output=wrong).execute(context)
        assert str(failed.value).startswith(f"DataError: {said}")
        assert str(failed.value).endswith(f"{way_out} [data_error]")
        assert "\n" not in str(failed.value)
