"""The tables: made, checked, guarded by the database itself."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gatekeeper.errors import ConfigError, SchemaOutOfDate, Unavailable
from gatekeeper.registry import Registry, schema, tables, upgrade
from gatekeeper.registry.database import Database


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")  # alembic can't read the one expression index
def test_the_migrations_make_the_tables_that_the_code_uses(site):
    database = Database.connect(site.url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
        differences = compare_metadata(context, tables.metadata)
        script = ScriptDirectory.from_config(schema.alembic_config(connection))
    assert differences == []
    assert script.get_current_head() == tables.HEAD


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
    with pytest.raises(sqlite3.IntegrityError):
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")


def test_looking_up_the_primary_uses_the_index(site):
    """A scan would cost more with each model."""
    statement = f'EXPLAIN QUERY PLAN SELECT id FROM "RLModel" WHERE {tables.claims}'
    assert any(tables.ONE_PRIMARY in row[-1] for row in site.sql(statement))


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
    with pytest.raises(SchemaOutOfDate, match="newer Gatekeeper"):
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


def test_a_file_that_is_no_database(empty_site):
    empty_site.database.write_text("This is a letter, and not a database at all. " * 40)
    with pytest.raises(ConfigError, match="no SQLite database"):
        empty_site.open()


def test_a_models_folder_that_is_a_file(empty_site):
    empty_site.models.write_text("a file")
    with pytest.raises(Unavailable, match="GATEKEEPER_MODELS"):
        empty_site.upgrade()
    assert empty_site.models.read_text() == "a file"


def test_object_storage_is_refused_for_now(site):
    with pytest.raises(ConfigError, match="s3"):
        Registry.open(site.url, models="s3://bucket/models")
