"""Secrets in a live Airflow: nothing that a run leaves in its database or log holds one (case 102)."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow_runs import DAGS, Runs

from gatekeeper.secret_urls import SecretUrl

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("airflow")]  # two minutes
MONDAY = datetime(2018, 11, 5, 2, tzinfo=UTC)
LEFT, RIGHT = "Qvzkwxjy", "Jxqzvkwh"  # they stand nowhere else
PASSWORD = f"{LEFT}%2F%40{RIGHT}"
PLANTED = {
    "GATEKEEPER_ALARMS": f"json://ann:{PASSWORD}@127.0.0.1:9/{LEFT}?token={RIGHT}",
    "GATEKEEPER_TOKEN": f"{LEFT}{RIGHT}",
}


def everything(database: Path) -> dict[str, str]:
    """Each table of Airflow's database that has rows, as text."""
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = lambda stored: stored.decode("utf-8", "backslashreplace")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
    return {name: "\n".join(map(repr, found)) for name, found in rows.items() if found}


@pytest.mark.slow
def test_no_rendered_field_nor_any_other_row_holds_a_secret(
    runs: Runs, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that works, one that fails and tells of it, and the DAGs as they are parsed."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    worked = runs.monday(MONDAY)
    assert worked.state == "success", worked.log[-4000:]
    monkeypatch.setenv("GATEKEEPER_DATA", f"candles:nostore://ann:{PASSWORD}@127.0.0.1:9/x.csv?token={LEFT}")
    failed = runs.monday(datetime(2018, 11, 12, 2, tzinfo=UTC))
    assert failed.state == "failed"
    shown = str(SecretUrl.source(f"candles:nostore://ann:{PASSWORD}@127.0.0.1:9/x.csv?token={LEFT}"))
    assert "ann:***@127.0.0.1:9" in shown and "ann:***@127.0.0.1:9" in failed.log
    database = Path(runs._log).parent / "airflow.db"
    parsed = runs.parse(DAGS, {})
    assert parsed.state == "parsed", parsed.log[-4000:]
    kept = everything(database)
    for needed in ("rendered_task_instance_fields", "xcom", "serialized_dag", "task_instance", "dag_run"):
        assert kept.get(needed), needed
    for secret in (LEFT, RIGHT):
        assert [name for name, rows in kept.items() if secret in rows] == []
        assert all(secret not in ended.log for ended in (worked, failed, parsed))
