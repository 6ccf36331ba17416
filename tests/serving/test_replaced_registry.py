"""A server whose registry is restored or replaced (Case 72): it follows the one, and holds still for the other."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from model_files import constant_model
from registry_site import OWN, Site
from score_server import Server, eventually, idea, running

from gatekeeper.registry import back_up, restore


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """1 gives 0.6, and 2 gives 0.7 and is the primary; backup.db is of the time when 1 was."""
    made = Site(tmp_path)
    made.upgrade()
    with made.open() as registry:
        for number, score in ((1, 0.6), (2, 0.7)):
            registry.register(constant_model(score), details=OWN)
            registry.promote(number, actor="ann", reason="test")
            if number == 1:
                back_up(made.url, tmp_path / "backup.db")
    return made


def ready(server: Server) -> dict:
    return server.client.get("/readyz").json()


def spooled(site: Site) -> list[str]:
    """The idea ids that wait."""
    lines = b"".join(file.read_bytes() for file in (site.root / "spool").glob("*.spool")).splitlines()
    return [json.loads(line)[1] for line in lines]


def stored(file: Path) -> list[str]:
    from contextlib import closing
    from sqlite3 import connect

    with closing(connect(file)) as connection:
        return sorted(row[0] for row in connection.execute("SELECT idea_id FROM gatekeeper_decision"))


def test_a_restored_registry_is_followed_and_written_to(site: Site) -> None:
    with running(site) as server:
        assert server.score(idea(idea_id="a")).json()["model_id"] == 2
        eventually(lambda: stored(site.database) == ["a"])
        restore(site.url, site.root / "backup.db")
        eventually(lambda: server.client.get("/v1/model").json()["model_id"] == 1)
        assert server.score(idea(idea_id="b")).json()["model_id"] == 1
        eventually(lambda: stored(site.database) == ["b"])
        told = ready(server)
        assert (told["degraded"], told["reason"]) == (False, None)
        assert "was restored from a backup: generation 1 follows 2" in server.errors.read_text()


@pytest.mark.parametrize("way", ["rename", "copy"])
def test_nothing_is_delivered_into_a_replaced_file(site: Site, way: str) -> None:
    """It answers from the model that it holds, keeps the decisions, and says what to do; a restart brings them in."""
    with running(site) as server:
        server.score(idea(idea_id="a"))
        eventually(lambda: stored(site.database) == ["a"])
        if way == "rename":
            shutil.copy(site.root / "backup.db", site.root / "new.db")
            (site.root / "new.db").rename(site.database)
        else:  # as `cp` does: the inode stays, and the generation goes back
            site.sql("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(site.root / "backup.db", site.database)
            for ending in ("-wal", "-shm"):
                site.database.with_name(f"registry.db{ending}").unlink(missing_ok=True)
        told = eventually(lambda: (found := ready(server))["degraded"] and found)
        assert told["status"] == "ready"
        assert server.metrics()["gatekeeper_degraded"][()] == 1
        assert ("went back from 2 to 1" in told["reason"]) == (way == "copy")
        for words in ("Stop the servers, remove", "registry.db-wal and", "registry.db-shm", "gatekeeper db restore"):
            assert words in told["reason"]
        answer = server.score(idea(idea_id="b")).json()
        assert (answer["model_id"], answer["logged"]) == (2, True)
        closed = server.close({"idea_id": "b", "outcome": 0.01, "closed_at": datetime.now(UTC).isoformat()})
        assert (closed.status_code, closed.json()["status"]) == (202, "pending")
        eventually(lambda: "Decisions wait on the spool" in server.errors.read_text())
        assert "b" in spooled(site)
        server.stop()
    for ending in ("-wal", "-shm"):
        site.database.with_name(f"registry.db{ending}").unlink(missing_ok=True)
    restore(site.url, site.root / "backup.db")
    with running(site) as server:
        assert server.score(idea(idea_id="c")).json()["model_id"] == 1
        eventually(lambda: stored(site.database) == ["b", "c"])
        assert ready(server)["degraded"] is False
