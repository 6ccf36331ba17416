"""What differs from one database to another? SQLite for one machine, PostgreSQL for more; all else is one code path."""

import re
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from gatekeeper.errors import ConfigError, GatekeeperError, GenerationMoved, SchemaOutOfDate, Unavailable
from gatekeeper.registry.tables import models

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
UPGRADE = "`gatekeeper db upgrade` makes the tables and brings them up to date"
UPGRADING = 7_305_012_111  # the advisory lock of `db upgrade`: any number that nobody else uses
NUMBERING = 7_305_012_112  # and that of ids which no sequence counts


SWITCH_ATTEMPTS = 200

_IN_SQLITE = text("SELECT 1 FROM sqlite_master WHERE type = :kind AND name = :name")
_IN_POSTGRES = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(:name)")


class Dialect(Protocol):
    """One kind of database."""

    reading: str  # how a reader begins
    writing: str  # and a writer
    overriding: str  # what an INSERT says that brings its own id

    def engine(self, url: URL, *, create: bool) -> Engine:
        """Raises ConfigError for a URL that names no registry, SchemaOutOfDate where a file isn't there."""

    def name(self, url: URL) -> str:
        """The database in messages, without its password."""

    def write_ahead(self, engine: Engine) -> None:
        """From now on readers don't wait for writers."""

    def queue_upgrade(self, connection: Connection) -> None:
        """One `db upgrade` at a time, also where there is no lock row yet."""

    def holds_lock(self, connection: Connection) -> bool:
        """After a fault: is the lock of this transaction still ours, so that files may be put back?"""

    def next_id(self, connection: Connection) -> int:
        """The id of the next row of `"RLModel"`, under the lock."""

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """Ids for `count` new rows, rising; each over `above` and over every one that a row has."""

    def has(self, connection: Connection, kind: str, name: str) -> bool:
        """Is there a `table` or an `index` of this name?"""

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """The declared type of each column, in lower case; none where there is no such table."""

    def declared_type(self, connection: Connection, column: str) -> str:
        """The declared type of a column of `"RLModel"`, in lower case."""

    def unique_columns(self, connection: Connection) -> set[str]:
        """The columns of `"RLModel"` that are unique by themselves."""

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """What the driver raised, in our words."""


class Sqlite:
    """A file. Writers queue by BEGIN IMMEDIATE; on every connection it would make readers wait as well."""

    reading = "BEGIN"
    writing = "BEGIN IMMEDIATE"
    overriding = ""

    def engine(self, url: URL, *, create: bool) -> Engine:
        """A missing file is made only where that is asked for."""
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise ConfigError(f"{url} names no file; a registry outlives its process: sqlite:///registry.db")
        file = Path(url.database)
        if not create and not file.exists():
            raise SchemaOutOfDate(f"there is no registry at {file}; {UPGRADE}")
        if create and not file.absolute().parent.is_dir():
            raise ConfigError(f"the folder {file.absolute().parent} of the registry {file} isn't there: make it first")
        engine = create_engine(url, connect_args={"isolation_level": None, "timeout": BUSY_SECONDS}, max_overflow=-1)
        event.listen(engine, "connect", self._prepare)
        return engine

    def name(self, url: URL) -> str:
        """The file."""
        return str(Path(url.database or ""))

    def write_ahead(self, engine: Engine) -> None:
        """Kept in the file."""
        raw = engine.raw_connection()
        try:
            for left in reversed(range(SWITCH_ATTEMPTS)):
                try:  # SQLite doesn't wait for the lock here, whatever the busy timeout says
                    raw.cursor().execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError:
                    if not left:
                        raise
                    time.sleep(0.05)
        except sqlite3.Error as error:
            raise self._in_our_words(str(error), self.name(engine.url)) from error
        finally:
            raw.close()

    def queue_upgrade(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has done it."""

    def holds_lock(self, connection: Connection) -> bool:
        """A file has no connection to lose."""
        return not connection.closed

    def next_id(self, connection: Connection) -> int:
        """Never one that was used before, whoever wrote it."""
        return self.draw_ids(connection, models.name, 1, 0)[0]

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """Under the lock of BEGIN IMMEDIATE; with AUTOINCREMENT, never one that was used before."""
        used = text("SELECT seq FROM sqlite_sequence WHERE name = :table")  # SQLite makes it with our own tables
        highest = max(above, _highest_id(connection, table), connection.execute(used, {"table": table}).scalar() or 0)
        return list(range(highest + 1, highest + 1 + count))

    def has(self, connection: Connection, kind: str, name: str) -> bool:
        """By the schema table."""
        return connection.execute(_IN_SQLITE, {"kind": kind, "name": name}).first() is not None

    def declared_type(self, connection: Connection, column: str) -> str:
        """ "" where nothing is declared."""
        return self.declared_types(connection, models.name).get(column, "")

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """ "" for a column where nothing is declared."""
        found = connection.exec_driver_sql(f"PRAGMA table_info('{table}')").all()
        return {row.name: str(row.type).lower() for row in found}

    def unique_columns(self, connection: Connection) -> set[str]:
        """By the key, or by a whole index of their own."""
        key = [row.name for row in connection.exec_driver_sql("PRAGMA table_info('RLModel')").all() if row.pk]
        unique = set(key) if len(key) == 1 else set()
        for index in connection.exec_driver_sql("PRAGMA index_list('RLModel')").all():
            columns = connection.exec_driver_sql(f"PRAGMA index_info('{index.name}')").all()
            if index.unique and not index.partial and len(columns) == 1 and columns[0].name is not None:
                unique.add(columns[0].name)
        return unique

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """By its text: the driver has little else."""
        return self._in_our_words(str(error.orig), name)

    def _in_our_words(self, said: str, name: str) -> GatekeeperError:
        if "NOT NULL constraint" in said or "CHECK constraint" in said:
            return _asks_for_more(said)
        if "constraint failed" in said:
            return _came_between(said)
        if "no such table" in said or "no such column" in said:
            return _no_tables(said, name)
        if "not a database" in said:
            return ConfigError(f"{name} is no SQLite database; name another by GATEKEEPER_DB")
        return _unusable(said, name)

    @staticmethod
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()


class Postgres:
    """A server. Writers queue on the lock row, and see what was committed while they waited: READ COMMITTED."""

    reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    writing = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    overriding = "OVERRIDING SYSTEM VALUE"  # for tables whose ids are GENERATED ALWAYS; else it does nothing

    def engine(self, url: URL, *, create: bool) -> Engine:  # noqa: ARG002  # a server makes no database by itself
        """Connects when it is first used."""
        if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise ConfigError(f"{url.drivername}:// is another driver's; say postgresql+psycopg://USER@HOST/DATABASE")
        if not url.database:
            raise ConfigError(f"{url} names no database; such as postgresql+psycopg://USER@HOST/DATABASE")
        # A server that is gone, or whose host is, is noticed within minutes; statements are not prepared, so that a
        # connection pooler in between does no harm.
        wanted = {"connect_timeout": CONNECT_SECONDS, "keepalives_idle": 30, "keepalives_interval": 10}
        given = {word: value for word, value in wanted.items() if word not in url.query}
        try:
            engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args={**given, "autocommit": True, "prepare_threshold": None},
                max_overflow=-1,
            )
        except ModuleNotFoundError:
            raise ConfigError("PostgreSQL needs psycopg: pip install 'gatekeeper[postgres]'") from None
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "checkout", self._refuse_closed)
        return engine

    def name(self, url: URL) -> str:
        """Host and database: neither user nor options."""
        return f"postgresql://{url.host or url.query.get('host') or ''}/{url.database}"

    def write_ahead(self, engine: Engine) -> None:
        """A server does so by itself."""

    def queue_upgrade(self, connection: Connection) -> None:
        """By an advisory lock, until the transaction ends; then in a schema that is there."""
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADING})"))
        path = connection.execute(text("SELECT current_setting('search_path') WHERE current_schema() IS NULL")).scalar()
        if path is not None and path.isidentifier():  # a gate's own schema, which nobody has made yet
            connection.execute(text(f'CREATE SCHEMA "{path}"'))

    def holds_lock(self, connection: Connection) -> bool:
        """Only while the connection lives: once it is gone, another writer may rely on the files that we placed."""
        if connection.closed or connection.invalidated:
            return False
        driver: Any = connection.connection.driver_connection
        if driver.info.transaction_status.name not in {"INTRANS", "INERROR"}:
            return False
        try:
            connection.exec_driver_sql("SELECT 1")
        except DBAPIError as error:  # a transaction that failed already refuses, and holds its locks
            return not error.connection_invalidated
        return True

    def next_id(self, connection: Connection) -> int:
        """The sequence's next one that is free: other tools bring ids of their own, and never tell the sequence."""
        sequence = self._sequence(connection, models.name)
        if sequence is None:
            return _highest_id(connection, models.name) + 1
        while True:
            drawn: int = connection.execute(text("SELECT nextval(:sequence)"), {"sequence": sequence}).scalar_one()
            if connection.execute(select(models.c.id).where(models.c.id == drawn)).first() is None:
                return drawn

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """The sequence's next ones, once it is past every row; else counted on, by one writer at a time."""
        sequence = self._sequence(connection, table)
        if sequence is None:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({NUMBERING})"))
            highest = max(above, _highest_id(connection, table))
            return list(range(highest + 1, highest + 1 + count))
        highest = max(above, _highest_id(connection, table))
        draw = text("SELECT nextval(:sequence) AS id FROM generate_series(1, :count) ORDER BY id")
        while True:
            ids = list(connection.execute(draw, {"sequence": sequence, "count": count}).scalars().all())
            if ids[0] > highest:
                return ids
            connection.execute(  # drawn and left, since a sequence that is set may be set back
                text("SELECT max(nextval(:sequence)) FROM generate_series(1, :count)"),
                {"sequence": sequence, "count": max(0, highest - ids[-1])},
            )

    def has(self, connection: Connection, kind: str, name: str) -> bool:
        """As a statement would find it, along the search path."""
        relkind = connection.execute(_IN_POSTGRES, {"name": f'"{name}"'}).scalar()
        return relkind is not None and (relkind in "iI") == (kind == "index")

    def declared_type(self, connection: Connection, column: str) -> str:
        """As the server spells it."""
        return self.declared_types(connection, models.name).get(column, "")

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """As the server spells them."""
        found = text(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
        )
        return {row.attname: row.type for row in connection.execute(found, {"name": f'"{table}"'})}

    def unique_columns(self, connection: Connection) -> set[str]:
        """By an index that a foreign key may rely on."""
        found = text(
            "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
            "WHERE indrelid = to_regclass('\"RLModel\"') AND indisunique AND indisvalid AND indimmediate "
            "AND indpred IS NULL AND indnkeyatts = 1"
        )
        return set(connection.execute(found).scalars())

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """By its SQLSTATE; a refused connection has none."""
        said = str(error.orig).strip() or type(error.orig).__name__
        state: str = getattr(error.orig, "sqlstate", None) or ""
        if state in {"23505", "23503", "23P01"}:
            return _came_between(said)
        if state.startswith("23"):
            return _asks_for_more(said)
        if state in {"42P01", "42703"}:
            return _no_tables(said, name)
        if state == "42501":
            return ConfigError(f"the registry {name} doesn't let this role do that ({said}); grant it, or use another")
        if state.startswith("22"):
            return ConfigError(f"the registry {name} can't store that ({said}); nothing has changed")
        if not state and re.search(r"database \S+ does not exist|role \S+ does not exist|authentication fail", said):
            return ConfigError(f"the registry {name} lets nobody in so ({said}); make it first, or mend GATEKEEPER_DB")
        return _unusable(said, name)

    def _sequence(self, connection: Connection, table: str) -> str | None:
        """What the ids of a table are drawn from: of a serial or identity column, or named by its default."""
        name = {"name": f'"{table}"'}
        owned: str | None = connection.execute(text("SELECT pg_get_serial_sequence(:name, 'id')"), name).scalar()
        if owned is not None:
            return owned
        default = text(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid "
            "AND attnum = adnum WHERE adrelid = to_regclass(:name) AND attname = 'id'"
        )
        named = re.search(r"nextval\('(.+)'::regclass\)", connection.execute(default, name).scalar() or "")
        return named[1] if named else None

    @staticmethod
    def _prepare(connection: Any, _record: object) -> None:
        """The server gives up a writer's lock within minutes, where the writer's whole host is gone."""
        connection.execute(
            f"SET TIME ZONE 'UTC'; SET lock_timeout = '{BUSY_SECONDS}s'; "
            "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"
        )

    @staticmethod
    def _refuse_closed(connection: Any, _record: object, _pooled: object) -> None:
        """A server that went away has closed its end, which shows without a question to it; then all connect anew."""
        if connection.closed:
            raise InvalidatePoolError
        with DefaultSelector() as heard:
            heard.register(connection.fileno(), EVENT_READ)
            if heard.select(0):
                raise InvalidatePoolError


DIALECTS: Mapping[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgres(), "postgres": Postgres()}


def _highest_id(connection: Connection, table: str) -> int:
    highest = text(f'SELECT coalesce(max(id), 0) FROM "{table}"')  # noqa: S608  # our own words
    return int(connection.execute(highest).scalar_one())


def _came_between(said: str) -> GatekeeperError:
    return GenerationMoved(f"another writer came between ({said}); nothing has changed: try again")


def _asks_for_more(said: str) -> GatekeeperError:
    return SchemaOutOfDate(f"a table that another tool made asks for more than we fill ({said}); give that a default")


def _no_tables(said: str, name: str) -> GatekeeperError:
    return SchemaOutOfDate(f"the registry {name} has no such tables ({said}); {UPGRADE}")


def _unusable(said: str, name: str) -> GatekeeperError:
    return Unavailable(f"the registry {name} can't be used just now ({said}); nothing has changed")
