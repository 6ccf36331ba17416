"""SQLite: the registry as a file on one machine."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from gatekeeper.errors import ConfigError, GatekeeperError, RegistryReplaced, SchemaOutOfDate, StorageFailed
from gatekeeper.registry.db.dialect import BUSY_SECONDS, LARGEST_COUNTED, highest_id
from gatekeeper.registry.db.faults import (
    UPGRADE,
    another_writer,
    asks_for_more,
    damaged,
    disk_failing,
    disk_full,
    forbidden,
    no_tables,
    not_possible,
    referred_to,
    replaced,
    unusable,
)
from gatekeeper.registry.db.tables import models
from gatekeeper.registry.db.url import sqlite_file

SWITCH_ATTEMPTS = 200
ROOM = 64 * 1024  # bytes; the index of a write-ahead log takes 32 KiB, and gives an error of its own without them
_IN_SQLITE = text("SELECT 1 FROM sqlite_master WHERE type = :kind AND name = :name COLLATE NOCASE")


class Sqlite:
    """SQLite dialect. Writers queue by BEGIN IMMEDIATE; readers use a plain BEGIN and never wait."""

    one_file = True
    overriding = ""
    has_own_clock = False

    def engine(self, url: URL, *, create: bool) -> Engine:
        """The engine. Raises ConfigError, and SchemaOutOfDate if the file is missing and `create` is false."""
        file = sqlite_file(url)
        if not create and not file.exists():
            raise SchemaOutOfDate(f"There is no registry at {self.name(url)}. {UPGRADE}")
        if create and not file.parent.is_dir():
            raise ConfigError(
                f"The folder {file.parent} of the registry {self.name(url)} does not exist. Make it first."
            )
        # Only `db upgrade` makes a file: any other opens the one that is there, or none.
        place = f"file:{quote(os.fsencode(file))}?mode={'rwc' if create else 'rw'}"

        same = _SameFile(file, self.name(url))

        def opened() -> sqlite3.Connection:
            if same.known is not None:
                same.check()
            return sqlite3.connect(place, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)

        engine = create_engine(url, creator=opened, max_overflow=-1)
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "checkout", lambda *_: same.check())
        return engine

    def begin(self, connection: Connection, *, write: bool, first: bool = False) -> None:  # noqa: ARG002  # of the protocol
        """A writer queues at once: one that has read already would be refused."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def glance(self, connection: Connection) -> Connection:
        """The connection as it is."""
        return connection

    def name(self, url: URL) -> str:
        """The file's path."""
        return str(Path(url.database or ""))

    def schema(self, connection: Connection) -> str | None:  # noqa: ARG002  # of the protocol
        """Always None: a file is one registry."""
        return None

    def write_ahead(self, engine: Engine) -> None:
        """Switch the journal mode to WAL, which the file remembers."""
        try:
            with closing(engine.raw_connection()) as raw:
                _switch(raw)
        except sqlite3.Error as error:
            raise translated(error, self.name(engine.url)) from error

    def queue_upgrade(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE has queued already."""

    def holds_lock(self, connection: Connection) -> bool:
        """True while the connection is open: a file has no connection to lose."""
        return not connection.closed

    def settle(self, connection: Connection) -> None:
        """Nothing to do: SQLite's triggers run with their statement."""

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

    def is_view(self, connection: Connection, name: str) -> bool:
        """Whether the schema table lists it as a view."""
        return self.has(connection, "view", name)

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
        """The package's own error, by SQLite's result code."""
        return translated(error.orig, name)

    @staticmethod
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.text_factory = _decoded
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()


def _switch(raw: PoolProxiedConnection) -> None:
    for left in reversed(range(SWITCH_ATTEMPTS)):
        try:  # SQLite doesn't wait for the lock here, whatever the busy timeout says
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not left or _code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            time.sleep(0.05)
        else:
            return


class _SameFile:
    """Refuses to go on once another file has the database's name: connections would use the deleted one."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name
        self.known: tuple[int, int] | None = None

    def check(self) -> None:
        """Compare device and inode with those at the first connection. Raises RegistryReplaced."""
        try:
            found = os.stat(self._file)  # noqa: PTH116  # at each use: pathlib's takes twice as long
        except OSError as fault:
            raise RegistryReplaced(replaced(self._name, f"the file is gone ({fault.strerror})")) from None
        here = found.st_dev, found.st_ino
        if self.known is None:
            self.known = here
        if here != self.known:
            raise RegistryReplaced(replaced(self._name, "another file has its name now"))


def translated(error: BaseException | None, name: str) -> GatekeeperError:
    """The package's own error for an error of the driver. name: the file's path."""
    message, code = str(error), _code(error)
    if code == sqlite3.SQLITE_CONSTRAINT:
        return _of_constraint(message, name)
    if "no such table" in message or "no such column" in message:
        return no_tables(message, name)
    folder = Path(name).absolute().parent
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _without_room(folder)):
        return disk_full(message, name, str(folder))
    if code == sqlite3.SQLITE_NOTADB:
        return StorageFailed(
            f"{name} is not a SQLite database, or its first page is damaged. Name the right file in GATEKEEPER_DB. "
            f"{way_back(name)}"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return damaged(message, name, way_back(name))
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return StorageFailed(
            f"The registry {name} can't be written by this user ({message}), so nothing has changed. Make the file, "
            f"those named {Path(name).name}-wal and -shm, and the folder {folder} writable."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StorageFailed(
            f"The registry {name} can't be opened ({message}), so nothing has changed. Check that the file is there "
            f"and readable, and that new files can be made in {folder}."
        )
    if code == sqlite3.SQLITE_IOERR:
        return disk_failing(message, name, str(folder))
    return unusable(message, name)


def _of_constraint(message: str, name: str) -> GatekeeperError:
    """The error for a constraint that a write violates, or for a trigger that refuses it in words of its own."""
    if "NOT NULL constraint" in message:
        return asks_for_more(message)
    if "CHECK constraint" in message:
        return forbidden(message)
    if "FOREIGN KEY constraint" in message:
        return referred_to(message)
    return another_writer(message) if "constraint failed" in message else not_possible(message, name)


def way_back(name: str) -> str:
    """The way back from a damaged file, as a sentence."""
    return (
        f"To restore a backup: stop the servers, move {name}, {name}-wal and {name}-shm away, and run "
        "`gatekeeper db restore BACKUP`."
    )


def _code(error: BaseException | None) -> int:
    """The primary result code; 0 if SQLite gave none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _without_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < ROOM
    except OSError:
        return False


def _decoded(stored: bytes) -> str:
    """Text as UTF-8. What another tool stored in another encoding must not make the whole table unreadable."""
    return str(stored, "utf-8", "replace")
