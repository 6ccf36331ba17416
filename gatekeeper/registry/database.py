"""How is the database reached, read and written, and what differs from one dialect to another?

Readers take a snapshot and wait for nobody. Writers queue: on SQLite by BEGIN IMMEDIATE, elsewhere on the lock row.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, func, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from gatekeeper.errors import ConfigError, GatekeeperError, GenerationMoved, SchemaOutOfDate, Unavailable
from gatekeeper.registry.tables import lock, models

BUSY_SECONDS = 30
WRITER = "gatekeeper_writer"
UPGRADE = "`gatekeeper db upgrade` makes the tables and brings them up to date"


@dataclass(slots=True)
class Work:
    """One write transaction: its connection, the generation under the lock, and how to undo what the database can't."""

    connection: Connection
    generation: int
    _undo: list[Callable[[], None]] = field(default_factory=list)

    def on_failure(self, undo: Callable[[], None]) -> None:
        """Call `undo` where the transaction fails: last come, first undone, while the lock is still held."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Bring back the files as they were, as far as the disk lets us: what stays is an orphan, and does no harm."""
        while self._undo:
            with suppress(OSError, Unavailable):
                self._undo.pop()()

    def advance(self) -> int:
        """Count one more promotion; returns its generation."""
        self.generation += 1
        self.connection.execute(update(lock).values(generation=self.generation))
        return self.generation


@dataclass(frozen=True, slots=True)
class Database:
    """The registry's database. `read()` and `write()` are the only ways in."""

    engine: Engine
    name: str

    @classmethod
    def connect(cls, url: str, *, create: bool = False) -> "Database":
        """The database at `url`; with `create`, a missing SQLite file may be made.

        Raises ConfigError for a URL that names none, SchemaOutOfDate where there is no file yet.
        """
        parsed = _parse(url)
        file = Path(parsed.database or "")
        if not create and not file.exists():
            raise SchemaOutOfDate(f"there is no registry at {file}; {UPGRADE}")
        if create and not file.absolute().parent.is_dir():
            raise ConfigError(f"the folder {file.absolute().parent} of the registry {file} isn't there: make it first")
        engine = create_engine(parsed, connect_args={"isolation_level": None, "timeout": BUSY_SECONDS}, max_overflow=-1)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return cls(engine, str(file))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot; never waits for writers."""
        with _clear_errors(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, first: bool = False) -> Iterator[Work]:
        """The only writer, until the block ends; then all of it is committed, or nothing. `first`: no tables yet."""
        with _clear_errors(self.name), self.engine.connect() as raw:
            connection = raw.execution_options(**{WRITER: True})
            with connection.begin() as transaction:
                work = Work(connection, 0 if first else _lock(connection))
                try:
                    yield work
                    # Committed here, so that a failing commit is undone too: on SQLite it left nothing behind.
                    transaction.commit()
                except BaseException:
                    work.undo()
                    raise

    def write_ahead(self) -> None:
        """Readers don't wait for writers, from now on: the mode is kept in the file."""
        with _clear_errors(self.name):
            raw = self.engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            finally:
                raw.close()


def now(connection: Connection) -> datetime:
    """The database's own time, aware UTC: one clock for all writers."""
    stamp = connection.exec_driver_sql("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").scalar_one()
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC)


def next_id(connection: Connection) -> int:
    """The id of the next model, under the lock: never one that was used before, whoever wrote it."""
    highest: int = connection.execute(select(func.coalesce(func.max(models.c.id), 0))).scalar_one()
    if not _exists(connection, "table", "sqlite_sequence"):
        return highest + 1
    used = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'RLModel'")).scalar()
    return max(highest, used or 0) + 1


def has_index(connection: Connection, name: str) -> bool:
    """Is there an index of this name?"""
    return _exists(connection, "index", name)


def has_table(connection: Connection, name: str) -> bool:
    """Is there a table of this name?"""
    return _exists(connection, "table", name)


def _exists(connection: Connection, kind: str, name: str) -> bool:
    found = connection.execute(
        text("SELECT 1 FROM sqlite_master WHERE type = :kind AND name = :name"), {"kind": kind, "name": name}
    )
    return found.first() is not None


def _lock(connection: Connection) -> int:
    generation: int = connection.execute(select(lock.c.generation).where(lock.c.id == 1).with_for_update()).scalar_one()
    return generation


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(f"{url!r} is no database URL; such as sqlite:///registry.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"{parsed.get_backend_name()!r} isn't built yet; a registry is sqlite:///FILE for now")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise ConfigError(f"{url!r} names no file; a registry outlives its process: sqlite:///registry.db")
    return parsed


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    writer = connection.get_execution_options().get(WRITER, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


@contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """What the driver raises, in our words."""
    try:
        yield
    except IntegrityError as error:
        raise GenerationMoved(f"another writer came between ({error.orig}); nothing has changed: try again") from error
    except DBAPIError as error:
        raise _in_our_words(name, str(error.orig)) from error
    except sqlite3.Error as error:
        raise _in_our_words(name, str(error)) from error


def _in_our_words(name: str, fault: str) -> GatekeeperError:
    if "no such table" in fault or "no such column" in fault:
        return SchemaOutOfDate(f"the registry {name} has no such tables ({fault}); {UPGRADE}")
    if "not a database" in fault:
        return ConfigError(f"{name} is no SQLite database; name another by GATEKEEPER_DB")
    return Unavailable(f"the registry {name} can't be used just now ({fault}); nothing has changed")
