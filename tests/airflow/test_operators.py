"""The plugin library that DAGs use: the hook, the four operators, and which faults Airflow may retry."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from airflow_runs import Runs
from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook, database_url
from gatekeeper_airflow.operators import (
    CheckPrimaryOperator,
    MigrateNamingOperator,
    PromoteModelOperator,
    RegisterModelOperator,
)
from model_files import constant_model

from gatekeeper.errors import ConfigError, Quarantined, Unavailable
from gatekeeper.registry import Registry

pytestmark = pytest.mark.xdist_group("airflow")


def opened(place: Path) -> Registry:
    return Registry.open(f"sqlite:///{place / 'registry.db'}", models=place / "models")


def add(place: Path, score: float) -> str:
    path = place / f"new{score}.onnx"
    path.write_bytes(constant_model(score))
    return str(path)


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (Connection(conn_id="c", conn_type="sqlite", schema="/data/a b.db"), "sqlite:////data/a b.db"),
        (Connection(conn_id="c", conn_type="sqlite", host="/data/a b.db"), "sqlite:////data/a b.db"),
        (
            Connection(
                conn_id="c", conn_type="postgres", host="h", login="u", password="p@ss:/", port=5433, schema="r"
            ),
            "postgresql+psycopg://u:p%40ss%3A%2F@h:5433/r",
        ),
        (
            Connection(
                conn_id="c", conn_type="postgres", host="h", schema="r", extra='{"sslmode": "require", "models": "m"}'
            ),
            "postgresql+psycopg://h/r?sslmode=require",
        ),
    ],
)
def test_a_connection_gives_its_url_from_the_fields(connection: Connection, url: str) -> None:
    assert database_url(connection) == url


def test_an_existing_connection_wins_over_the_setting(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_DB", "sqlite:///nowhere.db")
    assert str(RegistryHook().settings().db) == "sqlite:///nowhere.db"
    monkeypatch.setenv("AIRFLOW_CONN_GATEKEEPER_REGISTRY", f"sqlite:///{place / 'registry.db'}")
    assert str(RegistryHook().settings().db) == f"sqlite:///{place / 'registry.db'}"
    with RegistryHook().get_conn() as registry:
        assert registry.models() == []


def test_a_connection_may_name_the_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_GATEKEEPER_REGISTRY",
        '{"conn_type": "sqlite", "host": "%s", "extra": {"models": "/elsewhere"}}' % (place / "registry.db"),
    )
    assert str(RegistryHook().settings().models) == "/elsewhere"


def test_register_is_idempotent_by_its_run_key(place: Path) -> None:
    """Case 7."""
    operator = RegisterModelOperator(task_id="register", path=add(place, 0.4), run_key="one run")
    assert operator.execute({}) == operator.execute({})
    with opened(place) as registry:
        assert [model.id for model in registry.models()] == [1]


def test_promote_and_check_say_who_answers(place: Path) -> None:
    with pytest.raises(AirflowFailException, match="No primary is registered"):
        CheckPrimaryOperator(task_id="check").execute({})
    for score in (0.4, 0.6):
        RegisterModelOperator(task_id="register", path=add(place, score), run_key=str(score)).execute({})
    promote = PromoteModelOperator(task_id="promote", model_id="2", reason="test", run_key="one run")
    assert promote.execute({})["generation"] == 1
    assert promote.execute({})["generation"] == 1
    answers = CheckPrimaryOperator(task_id="check").execute({})
    assert (answers["version"], answers["fallback"], answers["degraded"]) == ("gatekeeper_primary2", "primary", False)


def test_a_promotion_that_is_cleared_later_brings_nothing_back(place: Path) -> None:
    """Case 56's kin."""
    for score in (0.4, 0.6):
        RegisterModelOperator(task_id="register", path=add(place, score), run_key=str(score)).execute({})
    tasks = [
        PromoteModelOperator(task_id="promote", model_id=number, reason="test", run_key=f"run {number}")
        for number in (1, 2)
    ]
    assert [task.execute({})["generation"] for task in tasks] == [1, 2]
    assert tasks[0].execute({})["version"] == "gatekeeper_1"
    with opened(place) as registry:
        assert registry.generation() == 2


@pytest.mark.parametrize("since", ["nothing", "the other is the primary"])
def test_a_promotion_that_was_edited_and_cleared_is_red(place: Path, since: str) -> None:
    """Case 64: the operator was edited from model 1 to 2 and its task cleared. It said 2, and 1 was the primary."""
    for score in (0.4, 0.6):
        RegisterModelOperator(task_id="register", path=add(place, score), run_key=str(score)).execute({})
    PromoteModelOperator(task_id="promote", model_id=1, reason="test", run_key="one run").execute({})
    if since != "nothing":
        PromoteModelOperator(task_id="promote", model_id=2, reason="test", run_key="another").execute({})
    for edited in ({"model_id": 2, "reason": "test"}, {"model_id": 1, "reason": "on second thoughts"}):
        with pytest.raises(AirflowFailException, match=r"KeyUsed: The run key 'one run' was used already: it promoted"):
            PromoteModelOperator(task_id="promote", run_key="one run", **edited).execute({})
    with opened(place) as registry:
        assert [row.to_id for row in registry.promotions()] == ([1] if since == "nothing" else [2, 1])


def test_a_registration_that_was_edited_and_cleared_is_red(place: Path) -> None:
    path = add(place, 0.4)
    RegisterModelOperator(task_id="register", path=path, run_key="one run", threshold=0.6).execute({})
    with pytest.raises(AirflowFailException, match=r"KeyUsed: .*registered model 1 \(threshold 0\.6"):
        RegisterModelOperator(task_id="register", path=path, run_key="one run", threshold=0.7).execute({})


def test_the_threshold_of_the_settings_goes_with_the_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_THRESHOLD", "0.7")
    RegisterModelOperator(task_id="register", path=add(place, 0.4), run_key="x").execute({})
    with opened(place) as registry:
        assert registry.model(1).threshold == 0.7


@pytest.mark.parametrize(
    "connection",
    [Connection(conn_id="c", conn_type="sqlite"), Connection(conn_id="c", conn_type="http", host="h", schema="r")],
)
def test_a_connection_to_something_else_is_refused(connection: Connection) -> None:
    with pytest.raises(ConfigError, match="The connection c has the type"):
        database_url(connection)


def test_check_fails_on_a_fallback_unless_that_is_allowed(place: Path) -> None:
    for score in (0.4, 0.6):
        model = RegisterModelOperator(task_id="register", path=add(place, score), run_key=str(score)).execute({})
        PromoteModelOperator(task_id="promote", model_id=model["model_id"], reason="test", run_key=str(score)).execute(
            {}
        )
    with opened(place) as registry:
        sha256 = registry.model(2).sha256
    (place / "models" / "gatekeeper_primary2.onnx").unlink()
    (place / "models" / ".blobs" / str(sha256)).unlink()
    with pytest.raises(AirflowFailException, match=r"gatekeeper_1 \(earlier_primary\) would answer"):
        CheckPrimaryOperator(task_id="check").execute({})
    answers = CheckPrimaryOperator(task_id="check", allow_degraded=True).execute({})
    assert (answers["version"], answers["fallback"], answers["degraded"]) == ("gatekeeper_1", "earlier_primary", True)


def test_migrate_naming_plans_then_does(place: Path) -> None:
    from sqlalchemy import create_engine, text

    (place / "models" / "gatekeeper_v1.onnx").write_bytes(constant_model(0.4))
    with create_engine(f"sqlite:///{place / 'registry.db'}").begin() as connection:
        connection.execute(
            text('INSERT INTO "RLModel" (id, version, path) VALUES (1, :v, :p)'),
            {"v": "gatekeeper_v1", "p": "models/gatekeeper_v1.onnx"},
        )
    assert MigrateNamingOperator(task_id="m", dry_run=True).execute({}) == {"steps": 1, "dry_run": True}
    assert MigrateNamingOperator(task_id="m", primary="1").execute({}) == {"steps": 1, "dry_run": False}
    with opened(place) as registry:
        assert registry.model(1).version == "gatekeeper_primary1"


def test_only_what_time_can_cure_is_retried() -> None:
    with pytest.raises(AirflowFailException, match="Quarantined: these bytes"), final_faults():
        raise Quarantined("these bytes")
    with pytest.raises(Unavailable), final_faults():
        raise Unavailable("away for a minute")


_DAG = """
from datetime import datetime
from airflow.sdk import DAG
from gatekeeper_airflow.operators import CheckPrimaryOperator, PromoteModelOperator, RegisterModelOperator

with DAG("by_hand", schedule=None, start_date=datetime(2018, 1, 1)):
    register = RegisterModelOperator(task_id="register", path="{{ dag_run.conf['path'] }}", note="from a DAG")
    promote = PromoteModelOperator(
        task_id="promote", model_id="{{ ti.xcom_pull('register')['model_id'] }}", reason="run {{ run_id }}"
    )
    register >> promote >> CheckPrimaryOperator(task_id="check")
"""


@pytest.mark.slow
def test_a_dag_of_ones_own_uses_them(runs: Runs, place: Path) -> None:
    """Real Airflow: templates are rendered, and the run's id is the default key."""
    dags = place / "dags"
    dags.mkdir()
    (dags / "by_hand.py").write_text(_DAG)
    ended = runs.run(dags, "by_hand", datetime(2018, 11, 5, tzinfo=UTC), {"path": add(place, 0.6)})
    assert ended.state == "success", ended.log[-4000:]
    with opened(place) as registry:
        (promotion,) = registry.promotions()
        assert (promotion.to_id, promotion.kind, promotion.reason[:4]) == (1, "manual", "run ")
        assert str(registry.model(1).run_key).startswith("by_hand/")


@pytest.mark.parametrize("given", ["None", "", "{}", "1.5", None])
def test_an_id_that_is_none_is_refused_at_once(place: Path, given: object) -> None:
    """Case 105's kin, in a DAG of one's own: a template that found no XCom."""
    for operator in (
        PromoteModelOperator(task_id="promote", model_id=given, reason="r", run_key="k"),  # type: ignore[arg-type]
        MigrateNamingOperator(task_id="migrate", primary=given or "None"),  # type: ignore[arg-type]
    ):
        with pytest.raises(AirflowFailException, match=r"is not a model id\. If it comes from a task before"):
            operator.execute({})
    with opened(place) as registry:
        assert registry.promotions() == []


@pytest.mark.parametrize("handed", [None, {}, 3, [], "text"])
def test_a_template_without_its_xcom_fails_at_once(handed: object) -> None:
    """`None['model_id']`, and an XCom of another shape."""
    pulled = "{{ ti.xcom_pull('register')['model_id'] + 1 }}"
    operator = PromoteModelOperator(task_id="promote", model_id=pulled, reason="r", run_key="k")
    ti = SimpleNamespace(xcom_pull=lambda _: handed)
    with pytest.raises(AirflowFailException, match="a task before was marked as success by hand") as failed:
        operator.render_template_fields({"ti": ti})
    assert "\n" not in str(failed.value)
