"""DAGs of desks: one DAG for each, its form, and the registry that its tasks use."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow_runs import DAGS
from gatekeeper_airflow.hook import RegistryHook

from gatekeeper import config
from gatekeeper.errors import ConfigError
from gatekeeper.market.data.demo import demo_last_monday

pytestmark = pytest.mark.xdist_group("airflow")
DESKS = """
[fx]
title = "Foreign exchange"
schedule = "30 3 * * 2"
data = "sql:postgresql+psycopg://bot:secret@db/live"
db = "sqlite:///fx.db"
threshold = 0.6
holdout_days = 200
policy = "proven"

[crypto]
db = "sqlite:///crypto.db"
approval = true
"""
FIVE = {"retrain", "export_onnx", "register", "backtest", "promote"}


@pytest.fixture
def bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """The weekly DAGs, parsed anew under the desks.toml of that text."""
    from airflow.dag_processing.dagbag import DagBag

    def parsed(text: str, file: str = "gatekeeper_weekly.py") -> Any:
        (tmp_path / "desks.toml").write_text(text)
        monkeypatch.setenv("GATEKEEPER_DESKS", str(tmp_path / "desks.toml"))
        return DagBag(dag_folder=str(DAGS / file))

    return parsed


def test_each_desk_has_its_own_dag(bag: Callable[[str], Any]) -> None:
    found = bag(DESKS)
    assert found.import_errors == {}
    dags = found.dags
    assert sorted(dags) == ["gatekeeper_weekly", "gatekeeper_weekly_crypto", "gatekeeper_weekly_fx"]
    assert {dag_id: dag.schedule.expression for dag_id, dag in dags.items()} == {
        "gatekeeper_weekly": "0 2 * * 1",
        "gatekeeper_weekly_crypto": "0 2 * * 1",
        "gatekeeper_weekly_fx": "30 3 * * 2",
    }
    assert dags["gatekeeper_weekly_fx"].dag_display_name == "Foreign exchange: weekly run"
    assert "Foreign exchange" in dags["gatekeeper_weekly_fx"].doc_md
    assert {task.task_id for task in dags["gatekeeper_weekly_fx"].tasks} == FIVE
    assert {task.desk for task in dags["gatekeeper_weekly_fx"].tasks} == {"fx"}
    assert {task.task_id for task in dags["gatekeeper_weekly_crypto"].tasks} == FIVE | {"approve"}


def test_a_title_is_text_and_no_markdown(bag: Callable[..., Any]) -> None:
    """Case 103: a desk's title is a text of people."""
    title = r'title = "[Sign in](http://x) <img src=x> \u202E\u001b]0;"'
    text = f'[fx]\ndb = "sqlite:///fx.db"\n{title}\n'
    for act in ("weekly", "monitor"):
        fx = bag(text, f"gatekeeper_{act}.py").dags[f"gatekeeper_{act}_fx"]
        assert r"[Sign in](http://x) <img src=x> \u202e\x1b]0;" in fx.dag_display_name
        if act == "weekly":
            assert r"### The weekly run of \[Sign in\](http\://x) \<img src=x\> \\u202e\\x1b\]0;" in fx.doc_md


WRONG = {
    "threshold = 7\n": "Desk fx: GATEKEEPER_THRESHOLD=7: Input should be less than 1",
    "treshold = 0.6\n": "Desk fx sets treshold, which is not a setting. Did you mean threshold instead of treshold?",
    'schedule = "0 2 * * 8"\n': "schedule = '0 2 * * 8' of desk fx is not a cron expression",
    'schedule = "at dawn"\n': "schedule = 'at dawn' of desk fx is not a cron expression of five fields",
    'data = ["a"]\n': "data of desk fx is a list or table",
    'models = "models/crypto"\n': "The desks crypto and fx share the models models/crypto",
}


@pytest.mark.parametrize("act", ["weekly", "promote", "monitor"])
@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_in_one_desk_takes_no_other_desks_dags(bag: Callable[..., Any], act: str, line: str) -> None:
    """Case 106: Airflow drops every DAG of a file with an import error, so another file has it, and names the desk."""
    text = (
        f'[fx]\ndb = "sqlite:///fx.db"\n{line}[crypto]\ndb = "sqlite:///crypto.db"\n[metals]\ndb = "sqlite:///m.db"\n'
    )
    found = bag(text, f"gatekeeper_{act}.py")
    assert found.import_errors == {}
    crypto = set() if "crypto" in WRONG[line] else {f"gatekeeper_{act}_crypto"}
    assert set(found.dags) == {f"gatekeeper_{act}", f"gatekeeper_{act}_metals"} | crypto
    faults = bag(text, "desks_at_fault.py")
    (fault,) = faults.import_errors.values()
    assert f"ConfigError: {WRONG[line]}" in fault or f"desks.toml: {WRONG[line]}" in fault
    assert faults.dags == {}


def test_several_wrong_desks_are_all_named(bag: Callable[..., Any]) -> None:
    text = '[fx]\ndb = "sqlite:///fx.db"\nthreshold = 7\n[crypto]\ndb = "sqlite:///crypto.db"\nseeed = 1\n'
    (fault,) = bag(text, "desks_at_fault.py").import_errors.values()
    assert "GATEKEEPER_THRESHOLD=7" in fault
    assert "Did you mean seed instead of seeed?" in fault
    assert bag(DESKS, "desks_at_fault.py").import_errors == {}


@pytest.mark.parametrize(
    "file", ["gatekeeper_weekly.py", "gatekeeper_promote.py", "gatekeeper_monitor.py", "desks_at_fault.py"]
)
def test_a_fault_of_all_desks_is_shown_where_the_dags_would_be(
    bag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """What no desk can run with is the error of each file."""
    (fault,) = bag("[fx\n", file).import_errors.values()
    assert "desks.toml is not valid TOML" in fault
    (fault,) = bag("default = 'fx'\n", file).import_errors.values()
    assert "default = 'fx' names no desk of this file" in fault
    monkeypatch.setenv("GATEKEEPER_TRESHOLD", "0.6")
    (fault,) = bag('[fx]\ndb = "sqlite:///fx.db"\n', file).import_errors.values()
    assert "GATEKEEPER_TRESHOLD is not a setting. Did you mean GATEKEEPER_THRESHOLD?" in fault


def test_the_task_of_a_desk_that_went_wrong_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run under way finds its desk wrong: its own error, not that Airflow knows no such DAG."""
    from types import SimpleNamespace

    from gatekeeper_airflow import desk_dags

    (tmp_path / "desks.toml").write_text('[fx]\ndb = "sqlite:///fx.db"\nthreshold = 7\n')
    monkeypatch.setenv("GATEKEEPER_DESKS", str(tmp_path / "desks.toml"))
    for only, fine in (("gatekeeper_weekly_fx", False), ("gatekeeper_weekly", True)):
        monkeypatch.setattr(desk_dags, "get_parsing_context", lambda only=only: SimpleNamespace(dag_id=only))
        if fine:
            assert list(desk_dags.of_every_desk("weekly", lambda desk, _: desk.name)) == [only]
        else:
            with pytest.raises(ConfigError, match="Desk fx: GATEKEEPER_THRESHOLD=7"):
                desk_dags.of_every_desk("weekly", lambda desk, _: desk.name)


def test_the_form_shows_what_holds_and_takes_what_the_settings_take(bag: Callable[[str], Any]) -> None:
    """Every parameter with title, help and section; the ranges are those of config.py."""
    params = bag(DESKS).dags["gatekeeper_weekly_fx"].params
    fields = {name: params.get_param(name) for name in params}
    assert list(fields) == [
        *("as_of", "data", "recipe", "seed", "train_years", "half_life_days", "holdout_days", "threshold", "policy"),
        *("tolerance", "margin"),
    ]
    for field in fields.values():
        assert field.schema["title"]
        assert field.schema["description_md"]
        assert field.schema["section"]
        assert "null" in field.schema["type"]
    assert {name: field.value for name, field in fields.items()} == {
        "as_of": None,
        "data": None,
        "recipe": "hist_gradient_boosting",
        "seed": 0,
        "train_years": None,
        "half_life_days": None,
        "holdout_days": 200,
        "threshold": 0.6,
        "policy": "proven",
        "tolerance": 0.5,
        "margin": 0.0,
    }
    written = json.dumps([field.serialize() for field in fields.values()])
    assert "secret" not in written
    assert "sql:postgresql+psycopg://bot:***@db/live" in written


@pytest.mark.parametrize("password", ["Qvzkwxjy/Jxqzvkwh", "Qvzkwxjy@Jxqzvkwh", "Qvzkwxjy`' \"%<b>*_é[Jxqzvkwh"])
@pytest.mark.parametrize("encoded", [True, False])
def test_no_dag_holds_a_password(bag: Callable[..., Any], password: str, encoded: bool) -> None:
    """Case 102: the serialised DAGs, as Airflow's database has them, or the import error of a URL that is refused."""
    from airflow.serialization.serialized_objects import DagSerialization

    given = quote(password, safe="") if encoded else password.replace('"', "%22")
    url = f"https://ann:{given}@h.example.com/bars/*.csv?token=Qvzkwxjy"
    text = f'[fx]\ndb = "postgresql://ann:{given}@h/d"\ndata = "candles:{url}"\n'
    parsed, faults = bag(text), bag(text, "desks_at_fault.py").import_errors
    dags = [DagSerialization.to_dict(dag) for dag in parsed.dags.values()]
    written = json.dumps([dags, parsed.import_errors, faults], ensure_ascii=False)
    assert "Qvzkwxjy" not in written
    assert "Jxqzvkwh" not in written
    refused = not encoded and ("/" in password or "@" in password)
    assert ("as %40, / as %2F" if refused else "candles:https://ann:***@h.example.com/bars/*.csv?token=***") in written


def test_airflow_masks_what_the_settings_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk._shared.secrets_masker import redact

    monkeypatch.setenv("GATEKEEPER_DATA", "candles:https://ann:Qvzkwxjy%2FJx@h/a.csv")
    RegistryHook().settings()
    assert "Qvzkwxjy" not in str(redact("driver: Qvzkwxjy/Jx, Qvzkwxjy%2FJx"))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", (-1, 0, 2**32 - 1, 2**32)),
        ("holdout_days", (0, 1, 3650, 3651)),
        ("train_years", (0, 0.5, 200, 201)),
        ("half_life_days", (0, 30, 36500, 36501)),
        ("threshold", (0, 0.01, 0.99, 1)),
        ("tolerance", (-0.1, 0, 3)),
        ("margin", (-0.1, 0, 3)),
        ("policy", ("best", "better", "safe", "proven")),
    ],
)
def test_the_form_refuses_what_the_settings_refuse(
    bag: Callable[[str], Any], name: str, values: tuple[object, ...]
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    field = bag("").dags["gatekeeper_weekly"].params.get_param(name)
    for value in values:
        try:
            config.load({name: value})
        except ConfigError:
            with pytest.raises(ParamValidationError):
                field.resolve(value)
        else:
            assert field.resolve(value) == value
    assert field.resolve(None) is None


def test_only_the_demos_form_is_prefilled_with_its_last_monday(bag: Callable[[str], Any]) -> None:
    dags = bag(DESKS).dags
    given = {dag_id: dag.params.get_param("as_of").value for dag_id, dag in dags.items()}
    assert given == {
        "gatekeeper_weekly": "2018-12-31T02:00:00Z",
        "gatekeeper_weekly_crypto": "2018-12-31T02:00:00Z",
        "gatekeeper_weekly_fx": None,
    }


def test_a_fresh_form_says_what_the_command_and_the_demo_take(bag: Callable[[str], Any]) -> None:
    """Case 109: the demo had another recipe than the form and `gatekeeper run`."""
    params = bag("").dags["gatekeeper_weekly"].params
    command = config.load()
    assert command.recipe == "hist_gradient_boosting"
    shown = {name: params.get_param(name).value for name in params if name not in ("as_of", "data")}
    assert shown == {name: getattr(command, name) for name in shown}
    assert len(shown) == 9


def test_only_the_demos_schedule_ends(bag: Callable[[str], Any]) -> None:
    """As the scheduler reads it: for a DAG just unpaused, and behind the demo's last two Mondays."""
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import DataInterval, TimeRestriction

    week, last = timedelta(days=7), demo_last_monday()

    def following(table: Any, monday: datetime) -> Any:
        done, from_then_on = DataInterval(monday - week, monday), TimeRestriction(monday, None, True)
        return table.next_dagrun_info(last_automated_data_interval=done, restriction=from_then_on)

    read = {name: DagSerialization.from_dict(DagSerialization.to_dict(dag)) for name, dag in bag(DESKS).dags.items()}
    unpaused = {
        name: dag.timetable.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(dag.start_date, dag.end_date, dag.catchup)
        )
        for name, dag in read.items()
    }
    assert {name for name, info in unpaused.items() if info is not None} == {"gatekeeper_weekly_fx"}
    table = read["gatekeeper_weekly"].timetable
    assert table.summary == "0 2 * * 1"
    assert following(table, last - week).run_after == last
    assert following(table, last - week).data_interval == DataInterval(last - week, last)
    assert following(table, last) is None
    assert following(read["gatekeeper_weekly_fx"].timetable, last) is not None


def test_each_desk_has_its_own_connection(bag: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of its name where it exists; else what its settings say. The default desk's is nobody else's."""
    bag(DESKS)
    monkeypatch.setenv("AIRFLOW_CONN_GATEKEEPER_REGISTRY", "sqlite:////default.db")
    monkeypatch.setenv("AIRFLOW_CONN_GATEKEEPER_REGISTRY_FX", "sqlite:////elsewhere.db")
    assert {desk: str(RegistryHook(desk=desk).settings().db) for desk in (None, "default", "fx", "crypto")} == {
        None: "sqlite:////default.db",
        "default": "sqlite:////default.db",
        "fx": "sqlite:////elsewhere.db",
        "crypto": "sqlite:///crypto.db",
    }
    assert str(RegistryHook("gatekeeper_registry_fx", desk="crypto").settings().db) == "sqlite:////elsewhere.db"
    with pytest.raises(ConfigError, match="metals"):
        RegistryHook(desk="metals").settings()
