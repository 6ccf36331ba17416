"""Database schema: created, checked, and guarded by the database itself."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres_server import connect
from registry_processes import in_order
from registry_site import MONDAY, OWN, REFUSED, check_history, own_model
from sqlalchemy.engine import make_url

from gatekeeper.errors import ConfigError, SchemaOutOfDate, StorageFailed, Unavailable
from gatekeeper.registry import check_up, upgrade
from gatekeeper.registry.db import schema, tables
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.store.base import sha256_of

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")  # alembic can't read the one expression index
def test_the_migrations_make_the_tables_that_the_code_uses(site):
    database = Database.connect(site.url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
        differences = compare_metadata(context, tables.metadata)
        script = ScriptDirectory.from_config(schema.alembic_config(connection))
    flat = [one for what in differences for one in (what if isinstance(what, list) else [what])]
    # The index of the claims comes with adoption, once they are settled. And our own ids are as wide as the older
    # table's, while the code asks for any that another tool's table may hold.
    known = [("remove_index", tables.ONE_PRIMARY), ("modify_type", "RLModel.id")]
    told = [(one[0], f"{one[2]}.{one[3]}" if one[0] == "modify_type" else one[1].name) for one in flat]
    assert [one for one in told if one not in known] == []
    assert script.get_current_head() == tables.HEAD


def revisions() -> list[str]:
    config = schema.alembic_config(None)
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


@pytest.mark.parametrize("revision", revisions())
def test_a_filled_registry_of_every_revision_is_brought_up_to_date(empty_site, revision):
    """Rows that such a Gatekeeper wrote are all there afterwards, and the registry goes on."""
    database = Database.connect(empty_site.url, create=True)
    with database.write(first=True) as work:
        command.upgrade(schema.alembic_config(work.connection), revision)
        schema.secure_names(work.connection)
    database.close()
    for number, name in enumerate(["gatekeeper_1", "gatekeeper_primary2"], 1):
        content = own_model(number)
        empty_site.put(f"{name}.onnx", content)
        row = (number, name, f"models/{name}.onnx")
        empty_site.sql('INSERT INTO "RLModel" (id, version, path) VALUES (?, ?, ?)', *row)
        empty_site.sql(
            "INSERT INTO gatekeeper_artifact (model_id, sha256, size, threshold, canary, recognised) "
            "VALUES (?, ?, ?, 0.5, ?, 'score')",
            *(number, sha256_of(content), len(content), '{"rows": [], "scores": []}'),
        )
        empty_site.sql(
            "INSERT INTO gatekeeper_promotion (generation, from_id, to_id, kind, actor, reason, as_of, at) "
            "VALUES (?, ?, ?, 'manual', 'ann', 'r', '2018-06-04 02:00:00.000000', '2018-06-04 02:00:00.000000')",
            *(number, number - 1 or None, number),
        )
    empty_site.sql("UPDATE gatekeeper_lock SET generation = 2")
    if revision != tables.HEAD:
        with pytest.raises(SchemaOutOfDate, match="gatekeeper db upgrade"):
            empty_site.open()
    report = empty_site.upgrade()
    assert (report.revision_before, report.revision, report.primary) == (revision, tables.HEAD, 2)
    with empty_site.open() as registry:
        check_history(registry)
        assert [model.sha256 for model in registry.models()] == [sha256_of(own_model(2)), sha256_of(own_model(1))]
        assert [row.as_of for row in registry.promotions()] == [MONDAY, MONDAY]
        assert registry.promote(1, actor="ann", reason="r").generation == 3
        assert registry.register(own_model(3), details=OWN).id == 3


def test_another_tools_alembic_version_is_left_alone(empty_site):
    """Case 4: two tools on one database."""
    empty_site.sql("CREATE TABLE alembic_version (version_num TEXT)")
    empty_site.sql("INSERT INTO alembic_version VALUES ('airflow-head')")
    empty_site.upgrade()
    assert empty_site.sql("SELECT * FROM alembic_version") == [("airflow-head",)]
    assert empty_site.sql("SELECT * FROM gatekeeper_alembic_version") == [(tables.HEAD,)]


def test_upgrading_again_changes_nothing(site):
    before = site.rows()
    report = site.upgrade()
    assert (report.revision_before, report.revision) == (tables.HEAD, tables.HEAD)
    assert site.rows() == before


def test_the_database_itself_refuses_a_second_primary(site, add, promote):
    """Cases 2 and 60: a writer that speaks SQL only promotes the new before it demotes the old."""
    promote(add(1))
    add(2)
    with pytest.raises(REFUSED):
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")


def test_looking_up_the_primary_uses_the_index(site):
    """A scan would cost more with each model."""
    look_up = f'SELECT id FROM "RLModel" WHERE {tables.claims}'
    if site.postgres:
        with connect(site.postgres) as connection:
            connection.execute("SET enable_seqscan = off")  # so few rows are scanned faster
            plan = connection.execute(f"EXPLAIN {look_up}").fetchall()
    else:
        plan = site.sql(f"EXPLAIN QUERY PLAN {look_up}")
    assert any(tables.ONE_PRIMARY in row[-1] for row in plan)


@SQLITE
def test_sqlite_is_set_for_safety(site):
    with Database.connect(site.url).read() as connection:
        read = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert read == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_readers_go_on_while_a_writer_holds_the_lock(site, add, promote):
    model = add(1)
    promote(model)
    database = Database.connect(site.url)
    with database.write() as work, site.open() as reader:
        work.advance()
        assert reader.primary().id == model.id
        assert reader.generation() == 1


def test_what_fails_in_a_write_is_undone_last_come_first(site):
    undone = []
    database = Database.connect(site.url)
    with pytest.raises(KeyError), database.write() as work:
        work.on_failure(lambda: undone.append("first"))
        work.on_failure(lambda: undone.append("second"))
        work.advance()
        raise KeyError("fault")
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT generation FROM gatekeeper_lock").scalar() == 0
    assert undone == ["second", "first"]


@SQLITE
def test_a_database_that_is_not_there_is_not_made_by_opening_it(empty_site):
    with pytest.raises(SchemaOutOfDate, match="gatekeeper db upgrade"):
        empty_site.open()
    assert list(empty_site.root.iterdir()) == []


def test_a_database_without_our_tables(empty_site):
    empty_site.sql("CREATE TABLE other (id INTEGER)")
    with pytest.raises(SchemaOutOfDate, match="gatekeeper db upgrade"):
        empty_site.open()


def test_a_database_of_another_revision(site):
    site.sql("UPDATE gatekeeper_alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutOfDate, match="9999"):
        site.open()
    with pytest.raises(SchemaOutOfDate, match="Install a newer one"):
        site.upgrade()


def test_a_model_table_without_the_five_columns(empty_site):
    empty_site.sql('CREATE TABLE "RLModel" (id INTEGER PRIMARY KEY, version TEXT)')
    before = empty_site.rows()
    with pytest.raises(SchemaOutOfDate, match="createdAt, description, path"):
        empty_site.upgrade()
    assert empty_site.rows() == before


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "registry.db", "sqlite:////no/such/folder/r.db"]
)
def test_urls_that_name_no_registry(url, tmp_path):
    with pytest.raises(ConfigError):
        upgrade(url, models=tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@SQLITE
def test_a_file_that_is_no_database(empty_site):
    empty_site.database.write_text("This is a letter, and not a database at all. " * 40)
    with pytest.raises(StorageFailed, match="not a SQLite database"):
        empty_site.open()


def test_a_models_folder_that_is_a_file(empty_site):
    empty_site.models.write_text("a file")
    with pytest.raises(Unavailable, match="GATEKEEPER_MODELS"):
        empty_site.upgrade()
    assert empty_site.models.read_text() == "a file"


def test_a_lock_row_that_is_gone(site):
    """Its generation is that of the newest audit row, so nobody has to guess."""
    in_order(site)
    site.sql("DELETE FROM gatekeeper_lock")
    with site.open() as registry:
        for refused in (registry.generation, registry.doctor, lambda: registry.promote(1, actor="a", reason="r")):
            with pytest.raises(SchemaOutOfDate, match="gatekeeper db upgrade"):
                refused()
    assert [one.kind for one in check_up(site.url, models=site.models).findings] == ["schema"]
    site.upgrade()
    with site.open() as registry:
        assert registry.generation() == len(registry.promotions()) == 2
        assert registry.doctor().well


def comments(site, like: str = "%") -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Of each table and column: the comment of the table, and of the column."""
    found = site.sql(
        "SELECT c.relname, a.attname, obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind = 'r' AND (c.relname LIKE 'RL%' OR c.relname LIKE 'gatekeeper%') AND c.relname LIKE ?",
        like,
    )
    return {(table, column): (of_table, of_column) for table, column, of_table, of_column in found}


@POSTGRES
def test_every_table_and_column_is_explained_in_the_database(site):
    """As psql's describe and browsers of tables show it; alembic keeps its own table."""
    found = {key: said for key, said in comments(site).items() if key[0] != tables.VERSION_TABLE}
    assert {table for table, _ in found} == set(tables.metadata.tables)
    assert len(tables.metadata.tables) >= 14
    assert found["RLModel", "path"][1] == "Path of the model's file, as servers open it"
    assert [key for key, said in found.items() if not all(said)] == []


@POSTGRES
def test_a_comment_that_is_outdated_or_missing_comes_with_the_next_upgrade(site):
    site.sql("COMMENT ON TABLE gatekeeper_hold IS NULL")
    site.sql("COMMENT ON COLUMN gatekeeper_hold.actor IS 'as it was in an older version'")
    site.upgrade()
    assert comments(site)["gatekeeper_hold", "actor"] == (tables.holds.comment, "Who placed it")


@POSTGRES
def test_comments_on_a_table_of_another_tool_stay(empty_site):
    empty_site.old_table((1, "gatekeeper_1", "models/a.onnx", None))
    empty_site.sql("COMMENT ON COLUMN \"RLModel\".path IS 'theirs'")
    empty_site.upgrade()
    said = {column: text for (_, column), text in comments(empty_site, "RLModel").items() if any(text)}
    assert said == {"path": (None, "theirs")}


@POSTGRES
def test_a_role_that_owns_no_table_upgrades_without_commenting(site):
    """An upgrade that has nothing to do needs no more rights than before there were comments."""
    site.sql("COMMENT ON COLUMN gatekeeper_hold.actor IS NULL")
    site.sql("DROP ROLE IF EXISTS clerk")
    site.sql("CREATE ROLE clerk LOGIN")
    site.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk")
    url = make_url(site.url).set(username="clerk").render_as_string(hide_password=False)
    assert upgrade(url, models=site.models).revision == tables.HEAD
    site.sql("DROP OWNED BY clerk")
    site.sql("DROP ROLE clerk")
