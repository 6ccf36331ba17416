"""Upgrade in place: `db upgrade` while a server of an earlier Gatekeeper runs, which then works beside one of today's.

The earlier one is that of commit 7c2fc98, from its stored package. The tables are brought to today's revision,
whatever that is: a migration that breaks the earlier server fails here.
"""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from registry_site import OWN, Site, own_model
from score_server import COMMAND, Server, environment, eventually, idea, refused, running
from site_fixtures import empty_site, new_site, postgres

from gatekeeper.registry.db.tables import HEAD

__all__ = ["empty_site", "new_site", "postgres"]

STORED = Path(__file__).parent.parent / "stored"
EARLIER_HEAD = "0005"
EARLIER = [sys.executable, "-P", *COMMAND[1:]]  # -P: the folder that it starts in comes before PYTHONPATH otherwise


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.matrix)])
def dialect(request: pytest.FixtureRequest) -> str:
    """SQLite in every run, PostgreSQL in `make matrix`."""
    return str(request.param)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the earlier package."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(STORED / "gatekeeper-7c2fc98.tar.xz") as package:
        package.extractall(folder, filter="data")
    return folder


@pytest.fixture
def stored(empty_site: Site, earlier: Path) -> Site:
    """A registry of the earlier Gatekeeper: on SQLite the stored one of four Mondays, else one that it makes now."""
    shutil.copytree(STORED / "models", empty_site.models)
    if not empty_site.postgres:
        with empty_site.connection() as database:
            database.executescript((STORED / "registry.sql").read_text("utf-8"))
        return empty_site
    file = next(empty_site.models.glob("*primary*.onnx"))
    for words in (["db", "upgrade"], ["register", "-p", str(file), "--promote"]):
        command = [*EARLIER[:4], *words]
        subprocess.run(command, env=environment(empty_site, PYTHONPATH=earlier), check=True, capture_output=True)
    return empty_site


@pytest.fixture
def old(stored: Site, earlier: Path) -> Iterator[Server]:
    """The earlier server, running."""
    with at(stored, "old", command=EARLIER, PYTHONPATH=earlier) as server:
        yield server


def at(site: Site, name: str, **settings: Any) -> Any:
    """A server of the site with a spool and an error file of its own."""
    folder = site.root / name
    folder.mkdir()
    return running(Site(folder, site.postgres), db=site.url, models=site.models, **settings)


def logged(site: Site) -> set[str]:
    return {row[0] for row in site.sql("SELECT idea_id FROM gatekeeper_decision")}


def outcomes(site: Site) -> set[str]:
    return {row[0] for row in site.sql("SELECT idea_id FROM gatekeeper_decision WHERE closed_at IS NOT NULL")}


def test_old_and_new_servers_work_side_by_side(stored: Site, old: Server) -> None:
    """Both score, log and take outcomes, and both follow each promotion."""
    assert stored.sql("SELECT version_num FROM gatekeeper_alembic_version") == [(EARLIER_HEAD,)]
    first = old.score(idea(idea_id="before")).json()
    before = old.client.get("/v1/model").json()["generation"]
    assert stored.upgrade().revision == HEAD
    with at(stored, "new") as new, stored.open() as registry:
        answers = [
            server.score(idea(idea_id=name, time="2018-06-04T14:30:00Z")).json()
            for name, server in (("old", old), ("new", new))
        ]
        keys = ("score", "decision", "sha256", "model_id")
        assert [[answer[key] for key in keys] for answer in answers] == [[first[key] for key in keys]] * 2
        added = registry.register(own_model(5), details=OWN)
        registry.promote(added.id, actor="ann", reason="both follow")
        for server in (old, new):
            eventually(lambda server=server: server.client.get("/v1/model").json()["sha256"] == added.sha256)
            found = server.client.get("/v1/model").json()
            assert (found["model_id"], found["generation"] > before, found["degraded"]) == (added.id, True, False)
        registry.rollback(actor="ann", reason="both follow again")
        for server in (old, new):
            eventually(lambda server=server: server.client.get("/v1/model").json()["sha256"] == first["sha256"])
        for name, server in (("old", old), ("new", new)):
            assert server.score(idea(idea_id=f"{name}-later")).json()["score"] == first["score"]
            closed = {"idea_id": name, "outcome": 0.01, "closed_at": "2018-06-08T12:00:00Z"}
            eventually(
                lambda server=server, closed=closed: server.close(closed).status_code == 200
            )  # 202: not yet there
        eventually(lambda: {"before", "old", "new", "old-later", "new-later"} <= logged(stored))
        eventually(lambda: {"old", "new"} <= outcomes(stored))


def test_an_old_server_that_starts_later_works_or_is_refused(stored: Site, earlier: Path) -> None:
    """By a message that names both revisions, not by what goes wrong later."""
    stored.upgrade()
    if HEAD == EARLIER_HEAD:
        with at(stored, "again", command=EARLIER, PYTHONPATH=earlier) as server:
            assert server.score(idea()).status_code == 200
        return
    message = refused(stored, command=EARLIER, PYTHONPATH=earlier)
    assert f"at revision {HEAD}" in message
    assert EARLIER_HEAD in message
