"""The doctor's proof of the connection: each line against what the database was told, and its findings."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from registry_site import OWN, Site, own_model
from sqlalchemy.engine import make_url

from gatekeeper.registry import check_up
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.upkeep import connection_proof
from gatekeeper.registry.upkeep.connection_proof import prove

POSTGRES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def proof(url: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    database = Database.connect(url)
    found = prove(database)
    database.close()
    return {fact.name: fact.value for fact in found.facts}, [(one.kind, one.text) for one in found.findings]


def as_role(site: Site, role: str, *grants: str) -> str:
    """The URL of a role that may do what is granted, and nothing else."""
    site.sql(f"DROP ROLE IF EXISTS {role}")
    site.sql(f"CREATE ROLE {role} LOGIN")
    for grant in grants:
        site.sql(grant)
    return make_url(site.url).set(username=role).render_as_string(hide_password=False)


@SQLITE
def test_of_a_file(site: Site) -> None:
    facts, findings = proof(site.url)
    assert findings == []
    assert facts == {
        "registry": str(site.database),
        "server": f"SQLite {sqlite3.sqlite_version}, journal mode wal",
        "clock": "that of this host",
        "isolation": "snapshots for readers, one writer at a time",
        "lock timeout": "30 s",
        "rights": "read and write",
    }


@SQLITE
def test_of_a_damaged_file(site: Site) -> None:
    """An index that lacks its rows: no query of ours fails by it."""
    with site.connection() as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("CREATE TABLE other (a)")
        connection.execute("INSERT INTO other VALUES (1)")
        connection.execute("CREATE INDEX other_a ON other (a)")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'gatekeeper_lock') "
            "WHERE name = 'other_a'"
        )
    _, ((kind, text),) = proof(site.url)
    assert (kind, "is damaged" in text, "gatekeeper db restore FILE" in text) == ("damaged", True, True)


@POSTGRES
def test_of_a_server(site: Site) -> None:
    facts, findings = proof(site.url)
    ((version,),) = site.sql("SHOW server_version")
    assert findings == []
    assert abs(float(facts.pop("clock").partition(" s against")[0])) < 60
    rights = facts.pop("rights of postgres")
    assert rights.startswith("SELECT, INSERT, UPDATE, DELETE: RLDataset, RLModel, gatekeeper_act, gatekeeper_a")
    ours = {name for (name,) in site.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert set(rights.partition(": ")[2].split(", ")) == ours
    assert facts == {
        "registry": f"postgresql://{make_url(site.url).query['host']}/{make_url(site.url).database}",
        "server": f"PostgreSQL {version}",
        "schema": "public",
        "pooler": "found, between this host and the server" if site.pooler else "none found",
        "isolation of reads": "repeatable read",
        "isolation of writes": "read committed",
        "lock timeout": "30s",
    }


@POSTGRES
def test_a_pooler_is_found(site: Site, pooler: str) -> None:
    through = make_url(site.url).update_query_dict({"host": pooler}).render_as_string(hide_password=False)
    assert proof(through)[0]["pooler"] == "found, between this host and the server"


@POSTGRES
def test_the_rights_of_a_role_that_may_not_all(site: Site) -> None:
    url = as_role(
        site,
        "half",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO half",
        "GRANT INSERT, UPDATE ON gatekeeper_decision TO half",
        "REVOKE ALL ON gatekeeper_hold FROM half",
    )
    facts, findings = proof(url)
    lines = facts["rights of half"].splitlines()
    assert lines[0].startswith("SELECT: RLDataset, RLModel, gatekeeper_act, gatekeeper_alarm, ")
    assert lines[1:] == ["SELECT, INSERT, UPDATE: gatekeeper_decision", "none: gatekeeper_hold"]
    assert findings == [("rights", 'The role half may not read the table "gatekeeper_hold". Grant it SELECT.')]
    site.sql("DROP OWNED BY half")
    site.sql("DROP ROLE half")


@POSTGRES
@pytest.mark.parametrize("forced", [False, True])
def test_row_level_security_is_told(site: Site, forced: bool) -> None:
    """Case 65: without a policy for UPDATE a promotion changed nothing, and said that it had."""
    with site.open() as registry:
        registry.register(own_model(1), details=OWN)
    url = as_role(
        site,
        "onlysome",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO onlysome",
        'ALTER TABLE "RLModel" ENABLE ROW LEVEL SECURITY',
        'CREATE POLICY looks ON "RLModel" FOR SELECT USING (true)',
    )
    if forced:
        site.sql('ALTER TABLE "RLModel" FORCE ROW LEVEL SECURITY')
    found = check_up(url, models=site.models)
    (finding,) = [one for one in found.findings if one.kind == "rights"]
    assert 'only some rows of the table "RLModel"' in finding.text
    assert "BYPASSRLS" in finding.text
    assert not found.well
    assert proof(site.url)[1] == []  # a superuser's
    site.sql("DROP OWNED BY onlysome")
    site.sql("DROP ROLE onlysome")


@POSTGRES
@pytest.mark.parametrize(("seconds", "told"), [(4, []), (-4, []), (6, ["clock"]), (-6, ["clock"])])
def test_clocks_that_differ(site: Site, monkeypatch: pytest.MonkeyPatch, seconds: int, told: list[str]) -> None:
    there = datetime.now(UTC)
    monkeypatch.setattr(connection_proof, "now", lambda _: there + timedelta(seconds=seconds))
    monkeypatch.setattr(connection_proof.time, "time", there.timestamp)
    facts, findings = proof(site.url)
    assert [kind for kind, _ in findings] == told
    assert facts["clock"] == f"{seconds:+.3f} s against this host's"


@SQLITE
def test_a_folder_that_may_not_be_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_proof.os, "access", lambda path, _: Path(path) != site.root)
    assert proof(site.url)[0]["rights"] == "read only: the file or its folder is not writable"
