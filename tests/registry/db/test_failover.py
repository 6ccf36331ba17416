"""PostgreSQL with a hot standby: reads go on there, and after a failover servers and commands go on by themselves."""

import subprocess
import sys
from pathlib import Path

import pytest
from postgres_server import new_database
from postgres_server import running as postgres_running
from postgres_standby import Place, promote, standby, stop, until_replayed
from registry_site import OWN, Site, check_history, own_model
from score_server import HOUSE, environment, eventually, idea, running

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry, check_up

pytestmark = pytest.mark.matrix
WORDS = {"actor": "ann", "reason": "r"}


class AtPlace(Site):
    """A site whose registry is reached at a place that moves."""

    place: Place

    @property
    def url(self) -> str:
        return self.place.url(str(self.postgres))


def listed(site: Site) -> str:
    """What the command says, in a process of its own."""
    command = [sys.executable, "-c", "from gatekeeper.cli import main; main(['active'])"]
    done = subprocess.run(command, env=environment(site), cwd=HOUSE, capture_output=True, text=True)
    return done.stdout or done.stderr


def test_a_standby_reads_and_a_failover_goes_on(tmp_path: Path) -> None:
    with postgres_running() as primary:
        database = new_database(primary)
        site = AtPlace(tmp_path, database)
        AtPlace.place = Place(tmp_path).lead_to(database)
        site.upgrade()
        with site.open() as registry:
            for number in (1, 2):
                registry.register(own_model(number), details=OWN)
            registry.promote(1, **WORDS)
        with standby(database) as copy:
            until_replayed(database, copy)
            reads_go_on(site, copy)
            failover(site, database, copy)


def reads_go_on(site: Site, copy: str) -> None:
    """All reads, and a clear sentence for each write; none of them is a fault of the standby."""
    before = site.rows()
    with Registry.open(copy, models=site.models) as registry:
        assert (registry.primary().id, registry.generation()) == (1, 1)
        for act in (
            lambda: registry.promote(2, **WORDS),
            lambda: registry.register(own_model(3), details=OWN),
            lambda: registry.hold(**WORDS),
            lambda: registry.log_decisions([["x"]]),
        ):
            with pytest.raises(Unavailable, match=r"is read-only \(.*recovery.*\), so nothing has changed") as told:
                act()
            assert "target_session_attrs=read-write" in str(told.value)
    proof = {fact.name: fact.value for fact in check_up(copy, models=site.models).connection}
    assert proof["isolation of reads"] == "repeatable read"
    assert proof["isolation of writes"].startswith("none: The registry")
    assert site.rows() == before


def failover(site: AtPlace, database: str, copy: str) -> None:
    """A server and an open registry with pooled connections, before, while and after."""
    with running(site) as server, site.open() as registry:
        assert server.score(idea(idea_id="before")).json()["model_id"] == 1
        eventually(lambda: site.sql("SELECT idea_id FROM gatekeeper_decision") == [("before",)])
        assert registry.generation() == 1
        until_replayed(database, copy)
        stop(database)
        answer = server.score(idea(idea_id="while")).json()
        assert (answer["model_id"], answer["logged"]) == (1, True)
        with pytest.raises(Unavailable):
            registry.promote(2, **WORDS)
        assert "can't be used now" in listed(site)
        promote(copy)
        site.place.lead_to(copy)
        assert registry.promote(2, **WORDS).generation == 2
        assert listed(site).startswith("gatekeeper_primary2 ")
        eventually(lambda: server.score(idea()).json()["model_id"] == 2)
        there = Site(site.root, copy)
        eventually(lambda: ("while",) in there.sql("SELECT idea_id FROM gatekeeper_decision"))
        check_history(registry)
        assert registry.doctor(repair=True).well
