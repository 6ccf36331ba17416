"""Fixtures of the Airflow tests: settings that must be set before airflow is imported."""

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import airflow_desks
import pytest
from airflow_runs import DAGS, Runs
from airflow_server import Airflow

HOUSE = Path(__file__).parents[2]
_PLACE = tempfile.TemporaryDirectory(prefix="gatekeeper-airflow-")
HOME = Path(_PLACE.name)
SETTINGS = {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOUSE / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOUSE / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Several processes write, where a machine is busy for longer than the 5 s that SQLite waits for a lock.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}?timeout=60",
}
SERVED = HOME / "served.db"
"""The database of the Airflow that serves: its scheduler would run the tasks of a `dag.test()` in the other one."""
_RUNNING: list[Airflow] = []
os.environ.update(SETTINGS)
sys.path.append(str(HOUSE / "plugins"))  # as Airflow itself does


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """One Airflow process for every run of a DAG."""
    with Runs(HOME) as started:
        yield started
    _PLACE.cleanup()


@pytest.fixture(scope="session")
def airflow(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """The one Airflow with API server and scheduler, the DAGs of every desk, and a registry for each of them."""
    from gatekeeper import registry

    folder = tmp_path_factory.mktemp("desks")
    settings = airflow_desks.write(folder)
    parsed = runs.parse(DAGS, settings)
    assert parsed.state == "parsed", parsed.log[-4000:]
    for desk in ("default", *airflow_desks.DESKS):
        registry.upgrade(f"sqlite:///{folder / desk / 'registry.db'}", models=folder / desk / "models")
    with closing(sqlite3.connect(HOME / "airflow.db")) as parsed_into, closing(sqlite3.connect(SERVED)) as served:
        parsed_into.backup(served)
    own = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{SERVED}?timeout=60"}
    with Airflow(HOME, folder, {**settings, **own}) as started:
        _RUNNING.append(started)
        yield started


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Airflow ends with the last test of this room: idle it would take part of a processor from all that follow."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        while _RUNNING:
            _RUNNING.pop().end()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a registry of the test's own, which tasks find through the environment."""
    from gatekeeper import registry

    for name, value in settings_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    registry.upgrade(f"sqlite:///{tmp_path / 'registry.db'}", models=tmp_path / "models")
    return tmp_path


def settings_of(folder: Path) -> dict[str, str]:
    return {
        "GATEKEEPER_DB": f"sqlite:///{folder / 'registry.db'}",
        "GATEKEEPER_MODELS": str(folder / "models"),
        "GATEKEEPER_WORK": str(folder / "work"),
        "GATEKEEPER_REPORTS": str(folder / "reports"),
        "GATEKEEPER_DATA": "demo:",
        "GATEKEEPER_RECIPE": "logistic",
    }
