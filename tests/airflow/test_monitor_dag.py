"""Monitor DAG in Airflow: one for each desk, cheap to parse, with whole runs that send real alarms."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runs import DAGS, Runs
from alarm_receiver import Receiver
from model_files import constant_model
from promotion_steps import by_hand_as_of
from weekly_data import write_ideas

from gatekeeper.registry import Registry

pytestmark = pytest.mark.xdist_group("airflow")
FILE = DAGS / "gatekeeper_monitor.py"
PROMOTED = datetime(2018, 6, 4, 2, tzinfo=UTC)


def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(FILE))
    assert bag.import_errors == {}
    return bag.dags


def test_each_desk_has_its_daily_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the demo's bars, which end with 2018, nothing is scheduled; the desk on live candles looks each night."""
    (tmp_path / "desks.toml").write_text('[fx]\ntitle = "Currencies"\ndb = "sqlite:///fx.db"\ndata = "candles:fx"\n')
    monkeypatch.setenv("GATEKEEPER_DESKS", str(tmp_path / "desks.toml"))
    monkeypatch.setenv("GATEKEEPER_DATA", "demo:")
    found = dags()
    assert sorted(found) == ["gatekeeper_monitor", "gatekeeper_monitor_fx"]
    own, fx = (found[name] for name in sorted(found))
    assert own.schedule is None
    assert (fx.schedule.expression, fx.dag_display_name) == ("30 4 * * *", "Gatekeeper: monitor (Currencies)")
    for dag in (own, fx):
        assert [task.task_id for task in dag.tasks] == ["monitor"]
        assert (dag.catchup, dag.max_active_runs, list(dag.params)) == (False, 1, ["as_of"])
        assert all(task.doc_md for task in dag.tasks)


def test_parsing_it_imports_nothing_heavy() -> None:
    """In a process of its own; what Airflow itself imports is not ours, so it is imported first."""
    code = (
        "import sys, json, airflow.sdk; before = set(sys.modules); "
        "exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')); "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    env = {**os.environ, "PYTHONPATH": str(DAGS.parent / "plugins")}
    ended = subprocess.run([sys.executable, "-c", code, str(FILE)], env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    imported = json.loads(ended.stdout.splitlines()[-1])
    ours = {name for name in imported if name.startswith("gatekeeper.")}
    light = ("config", "desks", "errors", "logs", "schedule", "secret_urls", "setting_words", "settings", "texts")
    assert ours == {f"gatekeeper.{name}" for name in light}
    heavy = {"numpy", "pandas", "sklearn", "onnx", "onnxruntime", "arch", "scipy", "apprise", "sqlalchemy"}
    assert {name.partition(".")[0] for name in imported} & heavy == set()


def test_unknown_keys_are_refused(place: Path) -> None:
    from gatekeeper_airflow.monitor import check

    context = {"dag_run": SimpleNamespace(conf={"as_off": "2018-12-03"})}
    with pytest.raises(AirflowFailException, match="nknown parameter as_off"):
        check(context, None)


@pytest.mark.slow
def test_a_look_is_kept_and_a_feed_that_died_is_told_of(
    runs: Runs, place: Path, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 59: the run on stale data fails at once and sends its alarm, from the callback of a real task."""
    data = write_ideas(tmp_path / "ideas.csv", start="2018-01-01", end="2018-12-28", edge_from=None, seed=3)
    monkeypatch.setenv("GATEKEEPER_DATA", data)
    monkeypatch.setenv("GATEKEEPER_ALARMS", receiver.url)
    with Registry.open(f"sqlite:///{place / 'registry.db'}", models=place / "models") as registry:
        model = registry.register(constant_model(0.6), trained_to=datetime(2017, 1, 1, tzinfo=UTC))
        with by_hand_as_of(PROMOTED):
            registry.promote(model.id, actor="test", reason="test")
        good = runs.run(DAGS, "gatekeeper_monitor", datetime(2018, 12, 3, tzinfo=UTC), {"as_of": "2018-12-03"})
        assert good.state == "success", good.log[-4000:]
        (check,) = registry.checks.newest()
        assert (check.as_of, check.model_id) == (datetime(2018, 12, 3, 2, tzinfo=UTC), model.id)
        assert "gatekeeper_primary1, primary since 2018-06-04, on " in good.log
        assert receiver.kinds == []
        stale = runs.run(DAGS, "gatekeeper_monitor", datetime(2019, 6, 3, tzinfo=UTC), {"as_of": "2019-06-03"})
        assert stale.state == "failed"
        assert "UP_FOR_RETRY" not in stale.log
        assert registry.checks.newest() == [check]
    assert receiver.kinds == ["ALARM: stale feed"]
    assert "task monitor of gatekeeper_monitor, run " in receiver.got[0]["message"]
    assert "is stale: its newest idea or outcome is of 2018-12-2" in receiver.got[0]["message"]


@pytest.fixture
def receiver() -> Any:
    with Receiver() as one:
        yield one


def test_a_task_whose_settings_are_wrong_sends_its_alarm(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that name the receivers are read all the same."""
    from gatekeeper_airflow.alarms import tell

    task = SimpleNamespace(dag_id="gatekeeper_weekly", run_id="one", task_id="retrain", try_number=1)
    with Receiver() as receiver:
        monkeypatch.setenv("GATEKEEPER_ALARMS", receiver.url)
        monkeypatch.setenv("GATEKEEPER_THRESHOLD", "7")
        tell({"task_instance": task, "exception": ValueError("GATEKEEPER_THRESHOLD=7")}, None)
    assert receiver.kinds == ["ALARM: failed"]
    assert "task retrain of gatekeeper_weekly, run one, failed" in receiver.got[0]["message"]
