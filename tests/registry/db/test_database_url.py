"""Database URLs: what is meant for one registry never opens another, and each refusal names its way out (Case 71)."""

from pathlib import Path

import pytest
from registry_site import OWN, Site, own_model
from sqlalchemy.engine import make_url

from gatekeeper import config
from gatekeeper.errors import ConfigError, SchemaOutOfDate, Unavailable
from gatekeeper.registry import Registry, upgrade
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.url import server

HOST = "postgresql://u@h/d"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a registry of one model."""
    monkeypatch.chdir(tmp_path)
    upgrade("sqlite:///registry.db")
    with Registry.open("sqlite:///registry.db") as registry:
        registry.register(own_model(1), details=OWN)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "form",
    [
        "sqlite:///registry.db\n",
        "sqlite:///registry.db\r\n",
        "  sqlite:///registry.db ",
        "\tsqlite:///registry.db\t",
        "sqlite:///registry.db\v",
        "\N{NO-BREAK SPACE}sqlite:///registry.db",
        "SQLITE:///registry.db",
        "sqlite+pysqlite:///registry.db",
        "sqlite:///./registry.db",
        "sqlite:///{folder}/registry.db",
        "sqlite:////{folder}/registry.db",
        "sqlite:///{folder}/../{name}/registry.db",
        "sqlite:///registry%2Edb",
    ],
)
def test_forms_of_the_same_registry(here: Path, form: str) -> None:
    """Case 71: a trailing newline, as a secret mounted from a file has it, made a second registry."""
    before = files(here)
    url = form.replace("{folder}", str(here)).replace("{name}", here.name)
    upgrade(url)
    with Registry.open(url) as registry:
        assert [model.id for model in registry.models()] == [1]
    assert files(here) == before


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("sqlite:///registry.db?schema=public&connection_limit=5", "connection_limit, schema after a '\\?'"),
        ("sqlite:///registry.db?mode=ro", "mode after a '\\?'"),
        ("sqlite:///registry.db?cache=shared&uri=true", "takes none"),
        ("sqlite:///registry.db#main", "contains a '#'"),
        ("postgresql://u:secret#x@h/d", "contains a '#'"),
        ("sqlite:///regi\nstry.db", "line end, tab or other control character"),
        ("sqlite:///registry.db\r\nx", "control character"),
        ("sqlite:///regi\tstry.db", "control character"),
        ("sqlite:///registry.db\0", "control character"),
        ("sqlite:///registry.db\N{ZERO WIDTH SPACE}", "an invisible one"),
        ("sqlite:///data\N{NO-BREAK SPACE}/registry.db", "an invisible one"),
        ("sqlite://data/registry.db", "Write three slashes"),
        ("sqlite://ann@/registry.db", "Write three slashes"),
        ("sqlite://:5432/registry.db", "Write three slashes"),
        ("sqlite:/// registry.db", "begins or ends with a space"),
        ("'sqlite:///registry.db'", "with its quotes"),
        ('"sqlite:///registry.db"', "with its quotes"),
        ("sqlite:///registry.db'", "with its quotes"),
        ("sqlite://registry.db", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:registry.db?mode=rwc&uri=true", "names no file"),
        ("sqlite:///.", "is a folder"),
        ("sqlite:///models", "is a folder"),
        ("sqlite:///~/registry.db", "does not exist. Make it first"),
        ("sqlite+aiosqlite:///registry.db", "Use sqlite:///FILE"),
        ("sqlite:registry.db", "not a database URL"),
        ("registry.db", "not a database URL"),
        ("", "not a database URL"),
        ("mysql://h/d", "can't be kept in 'mysql'"),
        ("postgresql+asyncpg://u@h/d", r"postgresql\+psycopg://USER@HOST/DATABASE"),
        ("postgresql://u:secret@h:port/d", "not a database URL"),
        ("postgresql://u:secret@h", "names no database"),
        (f"{HOST}?schema=a&schema=b", "schema 2 times"),
        (f"{HOST}?schema=a&options=-csearch_path%3Db", "names its schema twice"),
        (f"{HOST}?schema=a&options=--search-path%3Db", "names its schema twice"),
        (f"{HOST}?dbname=other", "names dbname after the '\\?' too"),
        (f"{HOST}?host=other&user=ann", "names host, user after the '\\?' too"),
        (f"{HOST}?schema=%24user", "not the name of a schema"),
        (f"{HOST}?schema=public&socket_timeout=5&sslaccept=strict", "unknown parameter socket_timeout, sslaccept"),
        (f"{HOST}?connection_limit=0", "connection_limit='0'"),
        (f"{HOST}?connection_limit=five", "whole number from 1 on"),
        (f"{HOST}?pool_timeout=-1", "whole number from 0 on"),
    ],
)
def test_forms_that_are_refused_make_nothing(here: Path, form: str, says: str) -> None:
    before = files(here)
    for opened in (upgrade, Registry.open):
        with pytest.raises((ConfigError, SchemaOutOfDate), match=says if opened is upgrade else None) as refused:
            opened(form)
        assert "secret" not in str(refused.value)
    assert files(here) == before


def test_any_name_can_be_written(here: Path) -> None:
    """Percent-encoded or, but for % and #, as it is."""
    names = {"a#b.db": "a%23b.db", "a%20b.db": "a%2520b.db", "a b.db": "a b.db", "\xfc.db": "%C3%BC.db"}
    for name, written in names.items():
        (here / "registry.db").rename(here / name)
        with Registry.open(f"sqlite:///{written}") as registry:
            assert len(registry.models()) == 1
        (here / name).rename(here / "registry.db")


def test_only_an_upgrade_makes_a_file(here: Path) -> None:
    """A file that goes away under an open registry isn't made anew, and empty."""
    database = Database.connect("sqlite:///registry.db")
    (here / "registry.db").rename(here / "away.db")
    with pytest.raises(Exception, match=r"registry\.db"), database.read():
        pass
    database.close()
    assert not (here / "registry.db").exists()


def test_a_working_folder_that_changes_later_changes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.connect("sqlite:///registry.db")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    with database.read() as connection:
        assert connection.exec_driver_sql('SELECT count(*) FROM "RLModel"').scalar() == 1
    database.close()


def test_the_setting_is_shown_as_it_is_used(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_DB", " sqlite:///registry.db\n")
    assert str(config.load().db) == "sqlite:///registry.db"


@pytest.mark.parametrize(
    ("query", "path", "schema", "limit", "wait"),
    [
        ("", (), None, None, 10),
        ("schema=public&connection_limit=5", ("public",), "public", 5, 10),
        ("schema=Desk%20One&pool_timeout=3&pgbouncer=true&statement_cache_size=0", ("Desk One",), "Desk One", None, 3),
        ("options=-csearch_path%3Dfx", ("fx",), "fx", None, 10),
        ("options=-c%20search_path%3DFX%2Cpublic%20-c%20jit%3Doff", ("fx", "public"), None, None, 10),
        ("options=--search_path%3D%22%24user%22", ("$user",), None, None, 10),
        ("options=--search-path%3Dfx", ("fx",), "fx", None, 10),
        ("options=-c%20Search-Path%3Dfx", ("fx",), "fx", None, 10),
        ("sslmode=require&connect_timeout=3&application_name=gk", (), None, None, 10),
    ],
)
def test_parameters_of_prisma_and_of_libpq(
    query: str, path: tuple[str, ...], schema: str | None, limit: int | None, wait: int
) -> None:
    """Case 71 (prisma 25273): the older servers' own DATABASE_URL."""
    parts = server(make_url(f"{HOST}?{query}").set(drivername="postgresql+psycopg"))
    assert (parts.search_path, parts.schema, parts.connections, parts.wait_seconds) == (path, schema, limit, wait)
    assert not {"schema", "connection_limit", "pool_timeout", "pgbouncer"} & set(parts.url.query)
    assert "search_path" not in str(parts.url.query.get("options", ""))
    assert ("jit=off" in str(parts.url.query.get("options", ""))) == ("jit" in query)


def test_a_search_path_of_the_environment_is_the_desks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 63: a pooler that ignores `options` ignores those of libpq's environment too."""
    monkeypatch.setenv("PGOPTIONS", "-csearch-path=fx")
    bare, named = make_url(HOST), make_url(f"{HOST}?options=-csearch_path%3Dgold")
    assert (server(bare).schema, server(named).schema) == ("fx", "gold")
    with pytest.raises(ConfigError, match="names its schema twice"):
        server(make_url(f"{HOST}?schema=gold"))


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_the_older_servers_own_url(empty_site: Site) -> None:
    """Both see the same rows, in the schema that it names, and one connection at a time is enough."""
    joint = "&" if "?" in empty_site.url else "?"
    url = f"{empty_site.url}{joint}schema=older&connection_limit=1&pool_timeout=2&pgbouncer=true".replace(
        "postgresql+psycopg", "postgres"
    )
    upgrade(url, models=empty_site.models)
    with Registry.open(url, models=empty_site.models) as registry:
        registry.register(own_model(1), details=OWN)
        registry.promote(1, actor="ann", reason="r")
        assert registry.doctor(repair=True).well
    assert empty_site.sql('SELECT version FROM older."RLModel"') == [("gatekeeper_primary1",)]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_connection_beyond_the_limit_is_waited_for_and_then_refused(site: Site) -> None:
    database = Database.connect(f"{site.url}&connection_limit=1&pool_timeout=0")
    with database.read(), pytest.raises(Unavailable, match="all connections that connection_limit allows"):
        database.read().__enter__()
    database.close()
