"""SQLite: the registry as a file on one machine."""

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from gatekeeper.errors import ConfigError, GatekeeperError, SchemaOutOfDate
from gatekeeper.registry.db.dialect import BUSY_SECONDS, LARGEST_COUNTED, highest_id
from gatekeeper.registry.db.faults import UPGRADE, another_writer, asks_for_more, no_tables, unusable
from gatekeeper.registry.db.tables import models

SWITCH_ATTEMPTS = 200
_IN_SQLITE = text("SELECT 1 FROM sqlite_master WHERE type = :kind AND name = :name COLLATE NOCASE")


class Sqlite:
    """SQLite dialect. Writers queue by BEGIN IMMEDIATE; readers use a plain BEGIN and never wait."""

    reading = "BEGIN"
    writing = "BEGIN IMMEDIATE"
    overriding = ""
    has_own_clock = False

    def engine(self, url: URL, *, create: bool) -> Engine:
        """The engine. Raises ConfigError, and SchemaOutOfDate if the file is missing and `create` is false."""
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise ConfigError(f"{url} names no file. A registry needs one, such as sqlite:///registry.db.")
        file = Path(url.database)
        if not create and not file.exists():
            raise SchemaOutOfDate(f"There is no registry at {file}. {UPGRADE}")
        if create and not file.absolute().parent.is_dir():
            raise ConfigError(
                f"The folder {file.absolute().parent} of the registry {file} does not exist. Make it first."
            )
        engine = create_engine(url, connect_args={"isolation_level": None, "timeout": BUSY_SECONDS}, max_overflow=-1)
        event.listen(engine, "connect", self._prepare)
        return engine

    def name(self, url: URL) -> str:
        """The file's path."""
        return str(Path(url.database or ""))

    def write_ahead(self, engine: Engine) -> None:
        """Switch the journal mode to WAL, which the file remembers."""
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
            raise self._translated(str(error), self.name(engine.url)) from error
        finally:
            raw.close()

    def queue_upgrade(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE has queued already."""

    def holds_lock(self, connection: Connection) -> bool:
        """True while the connection is open: a file has no connection to lose."""
        return not connection.closed

    def next_id(self, connection: Connection) -> int:
        """An id that was never used before, whoever wrote the row."""
        return self.draw_ids(connection, models.name, 1, 0)[0]

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """Ids under the lock of BEGIN IMMEDIATE; with AUTOINCREMENT, never one that was used before."""
        used = text(  # the table exists, since Gatekeeper's tables use AUTOINCREMENT
            "SELECT seq FROM sqlite_sequence WHERE name = :table COLLATE NOCASE AND seq <= :largest"
        )
        drawn = connection.execute(used, {"table": table, "largest": LARGEST_COUNTED}).scalar() or 0
        highest = max(above, highest_id(connection, table), drawn)
        return list(range(highest + 1, highest + 1 + count))

    def has(self, connection: Connection, kind: str, name: str) -> bool:
        """Whether the schema table lists it."""
        return connection.execute(_IN_SQLITE, {"kind": kind, "name": name}).first() is not None

    def other_tables(self, connection: Connection) -> list[tuple[str, str]]:
        """The tables and views of the file: SQLite takes the names of ours in any case."""
        found = text("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name <> :own COLLATE NOCASE")
        return [("", str(name)) for name in connection.execute(found, {"own": models.name}).scalars()]

    def declared_type(self, connection: Connection, column: str) -> str:
        """The declared type; "" if the column declares none."""
        return self.declared_types(connection, models.name).get(column, "")

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """The declared types; "" for a column that declares none."""
        found = connection.exec_driver_sql(f"PRAGMA table_info('{table}')").all()
        return {row.name: str(row.type).lower() for row in found}

    def comments(self, connection: Connection, table: str) -> dict[str, str | None]:  # noqa: ARG002  # of the protocol
        """Always empty: SQLite has no comments."""
        return {}

    def unique_columns(self, connection: Connection) -> set[str]:
        """The columns with a single-column primary key or a full unique index."""
        key = [row.name for row in connection.exec_driver_sql("PRAGMA table_info('RLModel')").all() if row.pk]
        unique = set(key) if len(key) == 1 else set()
        for index in connection.exec_driver_sql("PRAGMA index_list('RLModel')").all():
            columns = connection.exec_driver_sql(f"PRAGMA index_info('{index.name}')").all()
            if index.unique and not index.partial and len(columns) == 1 and columns[0].name is not None:
                unique.add(columns[0].name)
        return unique

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """The package's own error, by the driver's message: SQLite gives little else."""
        return self._translated(str(error.orig), name)

    def _translated(self, message: str, name: str) -> GatekeeperError:
        if "NOT NULL constraint" in message or "CHECK constraint" in message:
            return asks_for_more(message)
        if "constraint failed" in message:
            return another_writer(message)
        if "no such table" in message or "no such column" in message:
            return no_tables(message, name)
        if "not a database" in message:
            return ConfigError(f"{name} is not a SQLite database. Name another file in GATEKEEPER_DB.")
        return unusable(message, name)

    @staticmethod
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.text_factory = _decoded
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()


def _decoded(stored: bytes) -> str:
    """Text as UTF-8. What another tool stored in another encoding must not make the whole table unreadable."""
    return str(stored, "utf-8", "replace")
