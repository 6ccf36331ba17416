"""A server whose registry is restored or replaced (Case 72): it follows the one, and holds still for the other."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from decision_samples import decision, parsed
from model_files import constant_model
from registry_site import OWN, Site
from score_server import Server, eventually, idea, running

from gatekeeper.errors import RegistryReplaced
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


@pytest.mark.parametrize("cached", [False, True])
def test_a_copy_of_the_same_generation_is_noticed(site: Site, cached: bool) -> None:
    """A backup of after the last promotion, copied over the live file: only decisions show that it is an older one.

    cached: a connection that has read the pages before keeps them, and sees nothing of the copy.
    """
    with site.open() as registry:
        registry.log_decisions(parsed(*map(decision, range(4))))
        shutil.copyfile(back_up(site.url, site.root / "same.db").file, site.root / "older.db")
        registry.log_decisions(parsed(*map(decision, range(4, 9))))
        site.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        if cached:
            os.utime(site.database, (0, 0))  # written long ago, so that it is in no checkpoint
            assert registry.continuity.look() == 2
            assert registry.continuity.look() == 2
        else:
            assert registry.continuity.look() == 2
            registry.log_decisions(parsed(decision(9)))  # so that the connection reads again
            site.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(site.root / "older.db", site.database)
        os.utime(site.database, (1, 1))
        for _ in range(2):
            with pytest.raises(RegistryReplaced, match=r"the newest id of RLDataset went back from (9|10) to 4"):
                registry.continuity.look()
        with pytest.raises(RegistryReplaced):
            registry.continuity.refuse_replaced()


def test_a_restore_of_the_same_generation_is_no_replacement(site: Site) -> None:
    """Its rows went back too, in the log first and in the file at the next checkpoint, under another epoch."""
    with site.open() as registry:
        registry.log_decisions(parsed(*map(decision, range(4))))
        back_up(site.url, site.root / "same.db")
        registry.log_decisions(parsed(*map(decision, range(4, 9))))
        for moment, act in enumerate((lambda: None, lambda: restore(site.url, site.root / "same.db"))):
            act()
            registry.continuity.look()
            site.sql("PRAGMA wal_checkpoint(TRUNCATE)")
            os.utime(site.database, (moment, moment))
            assert registry.continuity.look() == 2
        registry.log_decisions(parsed(decision(9)))
        assert registry.continuity.look() == 2
