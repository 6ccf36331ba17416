"""Airflow's own tables and the registry in one PostgreSQL database: neither upgrade touches what is the other's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import connect, running
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.registry.db.tables import HEAD

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]
AIRFLOW = str(Path(sys.executable).with_name("airflow"))


@pytest.fixture
def shared() -> Iterator[str]:
    """The URL of a database of its own, on a server of its own."""
    with running() as url:
        yield url


def migrate(url: str, home: Path) -> None:
    """Airflow's own tables, as its command makes them."""
    settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
    ended = subprocess.run([AIRFLOW, "db", "migrate"], env={**os.environ, **settings}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]


def tables(url: str) -> dict[str, list[str]]:
    """Every table with its columns."""
    listing = (
        "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns "
        "WHERE table_schema = 'public' GROUP BY table_name"
    )
    with connect(url) as connection:
        return dict(connection.execute(listing).fetchall())


def test_airflow_and_the_registry_share_a_database(shared: str, tmp_path: Path) -> None:
    """Case 4: ours first, then Airflow's whole migration, then ours again; and ours where only Airflow was."""
    site = Site(tmp_path, shared)
    site.upgrade()
    with site.open() as registry:
        registry.promote(registry.register(own_model(1), details=OWN).id, actor="ann", reason="r")
        before = (registry.models(), registry.promotions())
    ours = tables(shared)
    migrate(shared, tmp_path)
    both = tables(shared)
    airflows = {name: both[name] for name in both.keys() - ours.keys()}
    assert {name: both[name] for name in ours} == ours
    assert {"dag_run", "task_instance", "alembic_version"} <= airflows.keys()
    head = site.sql("SELECT version_num FROM alembic_version")

    assert site.upgrade().revision == HEAD
    assert tables(shared) == both
    assert site.sql("SELECT version_num FROM alembic_version") == head
    assert site.sql("SELECT version_num FROM gatekeeper_alembic_version") == [(HEAD,)]
    with site.open() as registry:
        assert (registry.models(), registry.promotions()) == before
        check_history(registry)
        assert registry.doctor().well

    site.sql("DROP TABLE " + ", ".join(f'"{name}"' for name in ours))
    assert tables(shared) == airflows
    assert site.upgrade().revision_before is None
    assert tables(shared) == both
    assert site.sql("SELECT version_num FROM alembic_version") == head
