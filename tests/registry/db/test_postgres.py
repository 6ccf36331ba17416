"""PostgreSQL only: broken connections, users without rights, the server's own clock and ids."""

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from decision_samples import decision as decided
from decision_samples import outcome, parsed
from postgres_proxy import Proxy
from postgres_server import end_connections
from registry_processes import check_primary_opens
from registry_site import OWN, Site, check_history, own_model
from sqlalchemy.engine import make_url

from gatekeeper.errors import ConfigError, SchemaOutOfDate, Unavailable
from gatekeeper.registry import Registry, upgrade
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.postgres import Postgres

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
WORDS = {"actor": "ann", "reason": "r"}


@pytest.fixture
def grown(site) -> Site:
    """1 was the primary before 3; 2 never was."""
    with site.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, **WORDS)
    return site


def test_readers_and_writers_are_set_for_safety(site):
    wanted = ["transaction_isolation", "transaction_read_only", "lock_timeout", "TimeZone"]
    database = Database.connect(site.url)
    with database.read() as connection:
        read = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted]
    with database.write() as work:
        written = [work.connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted]
    database.close()
    assert read == ["repeatable read", "on", "30s", "UTC"]
    assert written == ["read committed", "off", "30s", "UTC"]


def test_a_reader_sees_one_state_however_long_it_looks(grown):
    database = Database.connect(grown.url)
    look = 'SELECT id FROM "RLModel" ORDER BY id'
    with database.read() as connection, grown.open() as other:
        before = connection.exec_driver_sql(look).all()
        other.register(own_model(4), details=OWN)
        assert connection.exec_driver_sql(look).all() == before == [(1,), (2,), (3,)]
    database.close()


def test_a_restart_between_two_calls_goes_unnoticed(grown):
    with grown.open() as registry:
        assert registry.primary().id == 3
        assert end_connections(grown.url) > 0
        assert registry.primary().id == 3
        end_connections(grown.url)
        assert registry.promote(2, **WORDS).to_id == 2


def test_a_dead_connection_that_does_not_look_dead_is_replaced(grown, monkeypatch):
    """Behind some networks the socket stays open: the begin finds out, and nothing has been done yet."""
    monkeypatch.setattr(Postgres, "_refuse_closed", staticmethod(lambda *_: None))
    database = Database.connect(grown.url)
    for begun in (database.read, database.write, database.append):
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        assert end_connections(grown.url) > 0
        with begun() as at:
            assert getattr(at, "generation", 2) == 2
    database.close()


def test_lost_promotions_of_a_failover_are_followed_loudly(grown, caplog):
    """The new primary had not heard of them: the old one is gone, so there is nothing to wait for."""
    with grown.open() as registry:
        assert registry.continuity.look() == 2
        grown.sql("UPDATE gatekeeper_lock SET generation = 1")
        assert [registry.continuity.look() for _ in range(2)] == [1, 1]
        grown.sql("UPDATE gatekeeper_lock SET generation = 2")
        assert registry.continuity.look() == 2
    assert [one.levelname for one in caplog.records if "lost promotions" in one.message] == ["ERROR"]


ACTS = {
    "register": lambda registry: registry.register(own_model(9), run_key="week 9", details=OWN).id,
    "promote": lambda registry: registry.promote(2, **WORDS).to_id,
    "rollback": lambda registry: registry.rollback(**WORDS).to_id,
}


@pytest.mark.parametrize(
    ("act", "steps"),
    [
        ("register", ["locked", "placed gatekeeper_4.onnx", "row written", "described"]),
        ("promote", ["locked", "written gatekeeper_primary2.onnx", "named", "demoted", "promoted", "audited", "noted"]),
        ("rollback", ["locked", "quarantined", "named", "promoted", "noted"]),
    ],
)
def test_a_connection_that_breaks_in_the_middle_changes_nothing(grown, act, steps):
    """Case 14: a clear error, the registry as before, and a retry succeeds."""
    before = grown.rows()
    for wanted in steps:

        def step(name: str, wanted: str = wanted) -> None:
            if name == wanted:
                assert end_connections(grown.url) > 0

        # After the last step the commit is what finds out.
        says = "during the commit" if wanted == "noted" else "nothing has changed"
        with grown.open(step=step) as registry, pytest.raises(Unavailable, match=says):
            ACTS[act](registry)
        assert grown.rows() == before
        check_primary_opens(grown)
    with grown.open() as registry:
        for number in (1, 2, 3):
            assert registry.named_bytes(registry.model(number)) == own_model(number)
        done = ACTS[act](registry)
        assert done == {"register": done, "promote": 2, "rollback": 1}[act]
        assert len(registry.models()) == (4 if act == "register" else 3)
        check_history(registry)
    check_primary_opens(grown)


@pytest.fixture
def proxy(grown):
    with tempfile.TemporaryDirectory(prefix="gkpx") as folder, Proxy(grown.url, Path(folder)) as passing:
        yield passing


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("act", ACTS)
def test_a_connection_that_breaks_at_the_commit(grown, proxy, act, moment):
    """Nobody was told whether the change is in: no file of it may go, and doing it again changes nothing twice."""
    last = {"register": "described", "promote": "noted", "rollback": "noted"}[act]

    def arm(step: str) -> None:
        if step == last and not proxy.broken:
            proxy.armed = moment

    with Registry.open(proxy.url, models=grown.models, step=arm) as registry:
        with pytest.raises(Unavailable, match="during the commit"):
            ACTS[act](registry)
        assert proxy.broken == 1
        check_primary_opens(grown)
        for model in registry.models():
            assert registry.named_bytes(model) == registry.blob_bytes(model)
        changed = len(registry.models()) == 4 or registry.generation() == 3
        assert changed == (moment == "after")
        if act == "rollback" and changed:
            return  # a second rollback goes one further back
        ACTS[act](registry)
        assert (len(registry.models()), registry.generation()) == ((4, 2) if act == "register" else (3, 3))
        check_history(registry)
    check_primary_opens(grown)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_breaks_at_the_commit_of_decisions(grown, proxy, moment):
    """As with a promotion, nobody may say that nothing has changed."""
    with grown.open() as registry:
        registry.log_decisions(parsed(decided(1)))
    with Registry.open(proxy.url, models=grown.models) as registry:
        acts = {
            2: lambda: registry.log_decisions(parsed(decided(2))),
            3: lambda: registry.close_decisions([outcome(1)], all_or_none=True),
        }
        for broken, act in enumerate(acts.values(), start=1):
            assert registry.generation() == 2  # connected: only the act's commit is to break
            proxy.armed = moment
            with pytest.raises(Unavailable, match="during the commit") as refused:
                act()
            assert proxy.broken == broken
            assert "nothing has changed" not in str(refused.value)
        logged = grown.sql("SELECT outcome_at IS NULL FROM gatekeeper_decision ORDER BY dataset_id")
        assert [open_still for (open_still,) in logged] == ([False, True] if moment == "after" else [True])
        for act in acts.values():
            act()


@pytest.mark.parametrize("act", ["promote", "rollback"])
def test_a_server_that_is_gone_right_after_the_commit(grown, proxy, act):
    """Who is told that nothing has changed repeats a rollback, and is two models back."""
    taken = []

    def leave(step: str) -> None:
        if step == "committed":
            proxy.__exit__()
            proxy.cut()
            taken.append(step)

    with Registry.open(proxy.url, models=grown.models, step=leave) as registry:
        made = {"promote": lambda: registry.promote(2, **WORDS), "rollback": lambda: registry.rollback(**WORDS)}[act]()
        assert taken == ["committed"]
        assert (made.generation, made.to_id) == (3, {"promote": 2, "rollback": 1}[act])
        said = {"promote": r"^Promoted gatekeeper_primary2", "rollback": r"^Rolled back to gatekeeper_primary1"}[act]
        with pytest.raises(Unavailable, match=said + r" \(generation 3\)\. This is committed, but") as refused:
            registry.effect(made)
        for line in (lambda: registry.hold_effect(), lambda: registry.release_effect([])):
            with pytest.raises(Unavailable, match="stored") as of_hold:
                line()
            assert "nothing has changed" not in str(of_hold.value)
        assert "nothing has changed" not in str(refused.value)
        proxy.__enter__()
        assert registry.effect(made).startswith(as_read_back(made))
    check_primary_opens(grown)


def as_read_back(made) -> str:
    verb = "Rolled back to" if made.kind == "rollback" else "Promoted"
    return f"{verb} gatekeeper_primary{made.to_id} (generation 3), was gatekeeper_primary3."


def test_a_server_that_is_gone_in_the_middle_of_a_repair(grown, proxy):
    """What is mended by then is said to be."""

    def leave(step: str) -> None:
        if step == "files mended":
            proxy.__exit__()
            proxy.cut()

    (grown.models / "gatekeeper_2.onnx").unlink()
    with Registry.open(proxy.url, models=grown.models, step=leave) as registry:
        with pytest.raises(Unavailable, match=r"^Part of the repair is done"):
            registry.doctor(repair=True)
        assert (grown.models / "gatekeeper_2.onnx").read_bytes() == own_model(2)
        proxy.__enter__()
        assert registry.doctor(repair=True).well


def test_who_lost_the_lock_removes_nothing(grown):
    """Another writer may have taken up the name by then, and committed."""

    def cut(step: str) -> None:
        if step.startswith("removed"):
            end_connections(grown.url)

    with grown.open(step=cut, grace_seconds=0) as registry, pytest.raises(Unavailable, match="connection"):
        registry.gc()
    left = {"gatekeeper_3.onnx", "gatekeeper_primary1.onnx"} & set(grown.files())
    assert len(left) == 1
    with grown.open(grace_seconds=0) as registry:
        assert {each.name for each in registry.gc().removed} == left
        assert registry.doctor().well


def test_a_connection_that_breaks_after_the_last_removal(grown):
    """Files are gone by then, so it may not say that nothing has changed."""
    removed = []

    def cut(step: str) -> None:
        if step.startswith("removed"):
            removed.append(step)
            if len(removed) == 2:
                end_connections(grown.url)

    with grown.open(step=cut, grace_seconds=0) as registry, pytest.raises(Unavailable, match="nothing more was rem"):
        registry.gc()
    assert not {"gatekeeper_3.onnx", "gatekeeper_primary1.onnx"} & set(grown.files())
    with grown.open(grace_seconds=0) as registry:
        assert registry.gc().removed == ()
        assert registry.doctor().well


def test_a_server_that_is_gone_is_a_failure_that_retries(grown, tmp_path):
    """Case 14: it comes back, and the same registry goes on."""
    folder = Path(tempfile.mkdtemp(prefix="gkpx"))
    proxy = Proxy(grown.url, folder)
    with proxy:
        registry = Registry.open(proxy.url, models=grown.models)
        assert registry.primary().id == 3
    proxy.cut()
    for call in (registry.primary, registry.generation, *(lambda act=act: act(registry) for act in ACTS.values())):
        with pytest.raises(Unavailable, match="can't be used now") as refused:
            call()
        assert refused.value.retryable
    with pytest.raises(Unavailable):
        Registry.open(proxy.url, models=grown.models)
    check_primary_opens(grown)
    with proxy:
        assert registry.promote(2, **WORDS).to_id == 2
        registry.close()
    folder.rmdir()


def test_urls_of_a_server(site):
    for scheme in ("postgresql", "postgres"):
        with Registry.open(site.url.replace("postgresql+psycopg", scheme), models=site.models) as registry:
            assert registry.models() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"drivername": "postgresql+psycopg2"}, r"postgresql\+psycopg://USER@HOST/DATABASE"),
        ({"database": None}, "names no database"),
        ({"database": "nowhere", "password": "secret"}, 'database "nowhere" does not exist'),
        ({"username": "nobody", "password": "secret"}, 'role "nobody" does not exist|no such user'),
    ],
)
def test_urls_that_let_nobody_in(site, change, says):
    url = make_url(site.url).set(**{name: value for name, value in change.items() if value})
    if change.get("database", "") is None:
        url = url._replace(database=None)
    with pytest.raises(ConfigError, match=says) as refused:
        upgrade(url.render_as_string(hide_password=False), models=site.models)
    assert "secret" not in str(refused.value)


def test_a_role_that_may_only_read(grown):
    """It serves, and is told plainly that it can't promote."""
    grown.sql("DROP ROLE IF EXISTS onlooker")
    grown.sql("CREATE ROLE onlooker LOGIN")
    grown.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker")
    url = make_url(grown.url).set(username="onlooker").render_as_string(hide_password=False)
    with Registry.open(url, models=grown.models) as registry:
        assert registry.primary().id == 3
        with pytest.raises(ConfigError, match="role lacks a privilege"):
            registry.promote(2, **WORDS)
    grown.sql("DROP OWNED BY onlooker")
    grown.sql("DROP ROLE onlooker")
    check_primary_opens(grown)


def test_a_writer_that_holds_a_row_for_ever_is_not_waited_for_for_ever(grown):
    """The lock's wait is bounded as on SQLite; here by a shorter one, as an operator's URL may say."""
    url = make_url(grown.url).update_query_dict({"options": "-c deadlock_timeout=10s"})
    database = Database.connect(url.render_as_string(hide_password=False))
    with database.write() as holder, database.engine.connect() as raw:
        holder.advance()
        raw.exec_driver_sql("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout") as refused:
            raw.exec_driver_sql("SELECT generation FROM gatekeeper_lock FOR UPDATE")
    assert isinstance(database.dialect.fault(refused.value, database.name), Unavailable)
    database.close()


def test_without_its_driver_the_error_names_the_extra(site):
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from gatekeeper.errors import ConfigError\nfrom gatekeeper.registry import Registry\n"
        f"try: Registry.open({site.url!r})\nexcept ConfigError as refused: print(refused)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gatekeeper[postgres]" in done.stdout


@pytest.mark.parametrize(
    "setting",
    [
        "datestyle = 'SQL, DMY'",
        "datestyle = 'German'",
        "timezone = 'Asia/Kathmandu'",
        "client_encoding = 'LATIN1'",
        "client_encoding = 'SQL_ASCII'",
        "extra_float_digits = -15",
        "default_transaction_read_only = on",
    ],
)
def test_what_a_database_is_set_to_changes_nothing(site, setting):
    """DateStyle ended every read with an error of the driver's, an encoding every reason that it can't hold."""
    until, reason = datetime(2027, 3, 4, 5, 6, 7, 89, tzinfo=UTC), "über 5 € \\ %s"
    site.sql(f"ALTER DATABASE {make_url(site.url).database} SET {setting}")
    end_connections(site.url)
    with site.open() as registry:
        model = registry.register(own_model(1), details=OWN, note=reason, threshold=0.1 + 0.2)
        registry.promote(model.id, actor="ann", reason=reason)
        registry.hold(actor="ann", reason=reason, until=until)
        (hold,), (promotion,), found = registry.holds(), registry.promotions(), registry.model(model.id)
        assert (hold.until, hold.reason, promotion.reason) == (until, reason, reason)
        assert (found.description, found.threshold, found.trained_to) == (reason, 0.1 + 0.2, OWN.trained_to)
        assert found.created_at is not None
        assert registry.doctor().well


def test_what_no_repetition_helps_is_no_failure_that_retries(grown):
    """Nor is it another writer's doing. A trigger and a constraint of another tool are named as what they are."""
    grown.sql("CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'frozen'; END $$ LANGUAGE plpgsql")
    grown.sql('CREATE TRIGGER no BEFORE UPDATE ON "RLModel" FOR EACH ROW EXECUTE FUNCTION no()')
    with grown.open() as registry:
        with pytest.raises(ConfigError, match=r"refuses this \(frozen.*Trying again won't help") as fault:
            registry.promote(2, **WORDS)
        assert not fault.value.retryable
        grown.sql('DROP TRIGGER no ON "RLModel"')
        grown.sql("ALTER TABLE \"RLModel\" ADD CHECK (version <> 'gatekeeper_primary2')")
        with pytest.raises(SchemaOutOfDate, match="forbids what Gatekeeper writes"):
            registry.promote(2, **WORDS)
        grown.sql('CREATE TABLE theirs (version TEXT REFERENCES "RLModel" (version))')
        grown.sql("INSERT INTO theirs VALUES ('gatekeeper_primary3')")
        with pytest.raises(SchemaOutOfDate, match="let the table refer to the id"):
            registry.promote(1, **WORDS)
        check_history(registry)
