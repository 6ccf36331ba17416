"""PostgreSQL behind PgBouncer in transaction mode: nothing leaks from one client of a server connection to the next."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from decision_samples import decision as decided
from decision_samples import outcome, parsed
from pgbouncer import console, pooling
from postgres_proxy import SOCKET, Proxy
from postgres_server import connect, end_connections, new_database
from registry_site import OWN, Site, own_model
from sqlalchemy.engine import make_url

from gatekeeper.errors import ConfigError, Unavailable
from gatekeeper.registry import Registry, upgrade
from gatekeeper.registry.db.database import Database, now

pytestmark = pytest.mark.slow
WORDS = {"actor": "ann", "reason": "r"}
PACKAGES = [Path(__file__).parents[3] / folder for folder in ("gatekeeper", "plugins", "dags")]
LOOK = "SELECT name, setting, source FROM pg_settings WHERE source = 'session' OR name = 'search_path' ORDER BY name"


@pytest.fixture(scope="module")
def one(postgres: str) -> Iterator[str]:
    """A pooler with one server connection for each database: whoever comes next gets the same."""
    with pooling(postgres, pool_size=1) as url:
        yield str(make_url(url).query["host"])


@pytest.fixture
def shared(postgres: str, one: str) -> str:
    """The URL of an empty database behind it."""
    return make_url(new_database(postgres)).update_query_dict({"host": one}).render_as_string(False)


def of_desk(url: str, schema: str) -> str:
    return f"{url}&schema={schema}"


def neighbour(url: str):
    """Another program at the same pooler."""
    return connect(url, autocommit=True, prepare_threshold=None)


def whole_life(url: str, models: Path, number: int) -> None:
    """All that a registry does: raw SQL, migrations, bulk inserts and single reads."""
    upgrade(url, models=models)
    with Registry.open(url, models=models) as registry:
        first = registry.register(own_model(number), details=OWN)
        second = registry.register(own_model(number + 1), details=OWN)
        for model in (first, second):
            registry.promote(model.id, **WORDS)
        assert registry.rollback(**WORDS).to_id == first.id
        assert registry.log_decisions(parsed(decided(number))).new == 1
        assert [one.state for one in registry.close_decisions([outcome(number)], all_or_none=True)] == ["recorded"]
        assert registry.doctor(repair=True).well
        registry.gc()
        assert (registry.generation(), registry.primary().sha256) == (3, first.sha256)


def test_two_desks_of_one_database(shared: str, tmp_path: Path) -> None:
    """Case 63: the second saw and demoted the first's primary."""
    desks = {name: (of_desk(shared, name), tmp_path / name) for name in ("fx", "crypto")}
    for number, (url, models) in enumerate(desks.values(), 1):
        upgrade(url, models=models)
        with Registry.open(url, models=models) as registry:
            assert (registry.primary(), registry.models()) == (None, [])
            registry.register(own_model(number), details=OWN)
            registry.promote(1, **WORDS)
    # In turn, on connections that both have open: each transaction may follow one of the other's.
    opened = [Registry.open(url, models=models) for url, models in desks.values()]
    for _ in range(3):
        for number, registry in enumerate(opened, 1):
            assert registry.named_bytes(registry.primary()) == own_model(number)
            assert (registry.generation(), len(registry.models())) == (1, 1)
    opened[0].register(own_model(3), details=OWN)
    opened[0].promote(2, **WORDS)
    assert [registry.generation() for registry in opened] == [2, 1]
    assert [registry.primary().version for registry in opened] == ["gatekeeper_primary2", "gatekeeper_primary1"]
    for registry in opened:
        registry.close()


def test_what_a_neighbour_set_for_its_session_changes_nothing(shared: str, tmp_path: Path) -> None:
    """Its search path, its impatience, its zone and its rights would be those of our next transaction."""
    upgrade(shared, models=tmp_path / "own")
    upgrade(of_desk(shared, "fx"), models=tmp_path / "fx")
    with neighbour(shared) as other, Registry.open(of_desk(shared, "fx"), models=tmp_path / "fx") as registry:
        for words in (
            "SET search_path = public",
            "SET lock_timeout = '1ms'",
            "SET statement_timeout = '1h'",
            "SET TIME ZONE 'Asia/Tokyo'",
            "SET default_transaction_read_only = on",
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        ):
            other.execute(words)
        registry.register(own_model(1), details=OWN)
        before = datetime.now(UTC)
        registry.promote(1, **WORDS)
        assert abs((registry.promotions()[0].at - before).total_seconds()) < 60
    for schema, rows in (("fx", 1), ("public", 0)):
        with neighbour(shared) as other:
            assert other.execute(f'SELECT count(*) FROM {schema}."RLModel"').fetchone() == (rows,)


def test_without_a_named_schema_a_neighbours_search_path_does_not_count(shared: str, tmp_path: Path) -> None:
    """The default is the role's and the database's, not what the last client of the connection has set."""
    upgrade(of_desk(shared, "fx"), models=tmp_path / "fx")
    upgrade(shared, models=tmp_path / "own")
    with neighbour(shared) as other, Registry.open(shared, models=tmp_path / "own") as registry:
        other.execute("SET search_path = fx")
        registry.register(own_model(1), details=OWN)
        assert len(registry.models()) == 1
    with Registry.open(of_desk(shared, "fx"), models=tmp_path / "fx") as registry:
        assert registry.models() == []


def test_nothing_is_left_in_the_session_that_the_next_client_gets(shared: str, tmp_path: Path) -> None:
    """Six of six neighbours had our lock_timeout: migrations and raw SQL included."""
    with neighbour(shared) as other:
        before = other.execute(LOOK).fetchall()
        pid = other.execute("SELECT pg_backend_pid()").fetchone()
        whole_life(of_desk(shared, "fx"), tmp_path / "fx", 1)
        assert other.execute("SELECT pg_backend_pid()").fetchone() == pid  # the connection that all of it used
        assert other.execute(LOOK).fetchall() == before
        assert [row[0] for row in before] == ["search_path"]


def test_no_source_sets_anything_for_a_session() -> None:
    """SET LOCAL ends with the transaction; UPDATE ... SET is another thing."""
    session = re.compile(
        r"\bSET\s+(?!LOCAL\b)(SESSION\b|TIME\s+ZONE\b|ROLE\b|[a-z_.]+\s*(=|\bTO\b)\s*['\"\d{a-z])|"
        r"set_config\([^)]*false|\bDISCARD\b|\bLISTEN\b|pg_advisory_lock\("
    )
    files = [path for folder in PACKAGES for path in folder.rglob("*.py")]
    lines = [(file.name, line.strip()) for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(lines) > 10_000
    assert [one for one in lines if session.search(re.sub(r"UPDATE\b.*\bSET\b", "", one[1]))] == []
    for wrong in ("SET lock_timeout = '3s'", "SET TIME ZONE 'UTC'", "SET search_path TO fx", "SET SESSION x"):
        assert session.search(wrong), wrong


def test_a_transaction_in_another_schema_is_refused(shared: str, tmp_path: Path) -> None:
    """Where the default path leads elsewhere than before: not one row of the other is read."""
    upgrade(shared, models=tmp_path)
    database = Database.connect(shared)
    with database.read() as connection:
        assert now(connection)
    with neighbour(shared) as other:
        other.execute('CREATE SCHEMA "postgres"')  # the default path begins with the role's own
    for begun in (database.glance, database.read, database.write, database.append):
        with (
            pytest.raises(ConfigError, match="in schema 'public', but the transaction began in 'postgres'"),
            begun() as at,
        ):
            at.exec_driver_sql("SELECT 1")
    database.close()


@pytest.mark.parametrize(("query", "says"), [("&schema=nowhere", "has no schema nowhere"), ("", "has no schema that")])
def test_no_schema_at_all_is_refused(shared: str, query: str, says: str, tmp_path: Path) -> None:
    """current_schema() is NULL where the path names none, or none that the role may use."""
    with neighbour(shared) as other:
        other.execute("DROP SCHEMA public")
    with pytest.raises(Exception, match=says):
        Registry.open(shared + query, models=tmp_path)


def roundtrips(url: str, act: Callable[[Database], object]) -> int:
    """Messages that the pooler passed on for `act`, once the connection is there."""
    database = Database.connect(url)
    with database.glance() as connection:
        now(connection)
    queries = _passed(url)
    act(database)
    passed = _passed(url) - queries
    database.close()
    return passed


def _passed(url: str) -> int:
    name = make_url(url).database
    return sum(row[2] for row in console(url, "SHOW STATS_TOTALS") if row[0] == name)


def test_a_single_read_is_one_round_trip_and_a_begin_one(shared: str) -> None:
    """Before, a glance was one too, a snapshot of one statement three: BEGIN, statement, COMMIT."""

    def glance(database: Database) -> None:
        with database.glance() as connection:
            assert connection.exec_driver_sql("SELECT '%%', 7 WHERE 'é' = %s", ("é",)).all() == [("%", 7)]

    def read(database: Database) -> None:
        with database.read() as connection:
            assert now(connection)

    assert roundtrips(shared, glance) == 1
    assert roundtrips(shared, read) == 3


def test_a_server_that_ends_all_connections_behind_the_pooler_costs_no_error(
    shared: str, postgres: str, tmp_path: Path
) -> None:
    upgrade(shared, models=tmp_path)
    direct = make_url(postgres).set(database=make_url(shared).database).render_as_string(False)
    with Registry.open(shared, models=tmp_path) as registry:
        for number in (1, 2):
            registry.register(own_model(number), details=OWN)
            assert end_connections(direct) > 0
            registry.promote(number, **WORDS)
            end_connections(direct)
            assert registry.primary().id == number


def test_a_pooler_that_was_restarted_costs_no_error(postgres: str, tmp_path: Path) -> None:
    """Its clients find their sockets closed, and look before they use one."""
    site = Site(tmp_path, new_database(postgres))
    site.upgrade()
    with pooling(postgres) as url:
        through = make_url(site.postgres).update_query_dict({"host": make_url(url).query["host"]})
        with Registry.open(through.render_as_string(False), models=site.models) as registry:
            registry.register(own_model(1), details=OWN)
            console(url, "RECONNECT")
            assert registry.generation() == 0
            with neighbour(url) as other:
                other.execute("SELECT 1")
            registry.promote(1, **WORDS)
    site.drop()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_breaks_at_the_commit_behind_the_pooler(postgres: str, tmp_path: Path, moment: str) -> None:
    """The pooler answers by an error of its own: whether the promotion is in, nobody was told."""
    site = Site(tmp_path, new_database(postgres))
    site.upgrade()
    with site.open() as registry:
        registry.register(own_model(1), details=OWN)
    with tempfile.TemporaryDirectory(prefix="gkpx") as folder, Proxy(site.postgres, Path(folder)) as proxy:
        if os.geteuid() == 0:  # a pooler doesn't run as root: it runs as who owns this folder
            owner = Path(str(make_url(postgres).query["host"])).owner()
            for path in (folder, Path(folder, SOCKET)):
                shutil.chown(path, owner)

        def arm(step: str) -> None:
            if step == "noted" and not proxy.broken:
                proxy.armed = moment

        with pooling(proxy.url) as url:
            through = make_url(site.postgres).update_query_dict({"host": make_url(url).query["host"]})
            with Registry.open(through.render_as_string(False), models=site.models, step=arm) as registry:
                with pytest.raises(Unavailable, match=r"broke during the commit.*either complete or absent"):
                    registry.promote(1, **WORDS)
                assert proxy.broken == 1
                assert registry.generation() == (1 if moment == "after" else 0)
                assert registry.promote(1, **WORDS).generation == registry.generation() == 1
    site.drop()
