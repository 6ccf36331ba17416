"""Watcher thread: follows the registry, and reports since when it can't."""

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import active_count

import pytest
from model_files import constant_model, contract_model
from postgres_proxy import Proxy
from postgres_server import end_connections, new_database
from registry_site import OWN, Site
from serving_load import MONDAY, Clock, Load, by_hand, coefficients, files, overwrite, until, watching

from gatekeeper.errors import NoModel
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]
WORDS = {"actor": "test", "reason": "test"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.upgrade()
    return made


# The database


class Away:
    """A registry whose database can go away, be promoted in out of the server's sight, and come back."""

    def __init__(self, url: str, site: Site, leave: Callable[[], object], back: Callable[[], object]) -> None:
        self.url = url
        self.site = site
        self.leave = leave
        self.back = back

    def promote(self, model_id: int) -> None:
        with self.site.open() as registry:
            registry.promote(model_id, **WORDS)


@pytest.fixture(params=["sqlite", "postgresql"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Away]:
    if request.param == "sqlite":
        yield from _file_that_moves(tmp_path)
    else:
        yield from _server_behind_a_network(tmp_path, request.getfixturevalue("postgres"))


def _file_that_moves(root: Path) -> Iterator[Away]:
    site, elsewhere = Site(root / "here"), Site(root / "there")
    site.root.mkdir()
    elsewhere.root.mkdir()
    site.upgrade()

    def move(source: Site, target: Site) -> None:
        for file in source.root.glob("registry.db*"):
            file.replace(target.root / file.name)

    elsewhere.models.symlink_to(site.models)
    yield Away(site.url, elsewhere, lambda: move(site, elsewhere), lambda: move(elsewhere, site))


def _server_behind_a_network(root: Path, server: str) -> Iterator[Away]:
    with tempfile.TemporaryDirectory(prefix="gkpx") as folder:
        site = Site(root, new_database(server))
        site.upgrade()
        proxy = Proxy(str(site.postgres), Path(folder))
        proxy.__enter__()

        def leave() -> None:
            proxy.__exit__()
            end_connections(str(site.postgres))

        yield Away(proxy.url, site, leave, proxy.__enter__)
        proxy.__exit__()


def test_the_database_is_gone_for_a_minute(away: Away, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Scoring goes on, the lag is told, and a promotion of that minute is followed when it is back."""
    contents = [contract_model(coefficients(number)) for number in range(2)]
    expected = {hashlib.sha256(content).hexdigest(): by_hand(number) for number, content in enumerate(contents)}
    first, second = expected
    models = away.site.models.resolve()
    clock = Clock()
    with Registry.open(away.url, models=models) as registry:
        for content in contents:
            registry.register(content, details=OWN)
        registry.promote(1, **WORDS)
        with (
            watching(registry, clock=clock, now=clock.utc) as gatekeeper,
            Load(gatekeeper, expected, threads=2) as load,
        ):
            assert (gatekeeper.state().lag_seconds, gatekeeper.state().last_seen) == (0.0, MONDAY)
            away.leave()
            registry.close()  # what a connection that is open sees of a moved file is the file, wherever it is
            until(lambda: gatekeeper.state().fault is not None)
            away.promote(2)
            for _ in range(6):
                clock.now += 10
                asked = load.asked
                until(lambda asked=asked: load.asked > asked + 100)
            state = gatekeeper.state()
            assert (state.lag_seconds, state.last_seen) == (60.0, MONDAY)
            assert (state.generation, state.served_generation) == (1, 1)
            assert sum(state.failures.values()) > 0
            assert set(load.named) == {first}
            assert not gatekeeper.current().degraded
            away.back()
            until(lambda: load.named[second] > 0)
            until(lambda: gatekeeper.state().served_generation == 2)
            state = gatekeeper.state()
            assert (state.lag_seconds, state.fault, state.generation) == (0.0, None, 2)
            assert state.last_seen == MONDAY + timedelta(minutes=1)
    assert load.errors == []
    goes_on = [record for record in caplog.records if "goes on" in record.message]
    assert 1 <= len(goes_on) <= 4  # said, and not at every look
    assert all(record.levelno >= logging.ERROR for record in goes_on)


# The watcher


def test_no_request_looks_while_the_watcher_does(site: Site) -> None:
    """With a clock that stands still nothing would ever be due: the thread goes by the time of the world."""
    with site.open() as registry:
        registry.promote(registry.register(constant_model(0.2), details=OWN).id, **WORDS)
        with watching(registry, clock=Clock()) as gatekeeper:
            registry.promote(registry.register(constant_model(0.4), details=OWN).id, **WORDS)
            until(lambda: gatekeeper.score(IDEA).version == "gatekeeper_primary2")
        registry.promote(1, **WORDS)
        assert gatekeeper.score(IDEA).version == "gatekeeper_primary2"  # stopped, and no look is due


def test_it_starts_once_and_ends(site: Site) -> None:
    with site.open() as registry:
        registry.promote(registry.register(constant_model(0.2), details=OWN).id, **WORDS)
        before = active_count()
        gatekeeper = Gatekeeper(registry, poll_seconds=0.01)
        for _ in range(3):
            gatekeeper.start()
        assert active_count() == before + 1
        for _ in range(2):
            gatekeeper.stop()
        assert active_count() == before
        gatekeeper.start()
        assert gatekeeper.score(IDEA).version == "gatekeeper_primary1"
        gatekeeper.stop()


def test_it_waits_for_the_first_model(site: Site) -> None:
    """Case 23's share here: none is none, and said; the first promotion is followed at once, whatever the pauses."""
    with site.open() as registry, watching(registry) as gatekeeper:
        state = gatekeeper.state()
        assert (state.loaded, state.generation, state.served_generation) == (None, 0, None)
        assert "No primary is registered" in str(state.fault)
        with pytest.raises(NoModel, match="No primary is registered"):
            gatekeeper.score(IDEA)
        registry.promote(registry.register(constant_model(0.2), details=OWN).id, **WORDS)
        # A look that began before the promotion may find it in the history only; the next one, in its place.
        until(lambda: gatekeeper.state().loaded is not None and gatekeeper.state().fault is None)
        assert gatekeeper.score(IDEA).model_id == 1


def test_it_outlives_what_nobody_foresaw(site: Site) -> None:
    """What another tool wrote into a column of times raises no error of ours."""
    with site.open() as registry:
        registry.promote(registry.register(constant_model(0.2), details=OWN).id, **WORDS)
        with watching(registry) as gatekeeper:
            site.sql("UPDATE gatekeeper_artifact SET trained_to = 'last week'")
            until(lambda: "ValueError" in str(gatekeeper.state().fault))
            assert gatekeeper.score(IDEA).version == "gatekeeper_primary1"
            site.sql("UPDATE gatekeeper_artifact SET trained_to = NULL")
            until(lambda: gatekeeper.state().fault is None)


def test_a_look_that_hangs_is_told(site: Site) -> None:
    """Nobody has seen the registry for a while, whatever was in step before."""
    clock = Clock()
    with site.open() as registry:
        registry.promote(registry.register(constant_model(0.2), details=OWN).id, **WORDS)
        gatekeeper = Gatekeeper(registry, clock=clock)
        gatekeeper.score(IDEA)
        clock.now = 2.9
        assert gatekeeper.state().lag_seconds == 0
        clock.now = 30.0
        assert gatekeeper.state().lag_seconds == 30.0


def test_a_fallback_is_behind_and_says_since_when(site: Site) -> None:
    clock = Clock()
    with site.open() as registry:
        for score in (0.2, 0.4):
            registry.register(constant_model(score), details=OWN)
        registry.promote(1, **WORDS)
        gatekeeper = Gatekeeper(registry, clock=clock)
        gatekeeper.score(IDEA)
        registry.promote(2, **WORDS)
        for place in files(site, registry, 2):
            overwrite(place, b"")
        for second in range(1, 61):
            clock.now = float(second)
            assert gatekeeper.score(IDEA).degraded
        state = gatekeeper.state()
        assert (state.generation, state.served_generation, state.lag_seconds) == (2, 1, 60.0)
        assert "is empty" in str(state.fault)
        # Looked at after 1, 2, 4, 8, 16 and 32 seconds more.
        assert dict(state.failures) == {"empty": 6}
