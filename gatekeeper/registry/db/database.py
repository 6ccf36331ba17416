"""Registry database: connections, read snapshots, and write transactions under one lock.

Readers take a snapshot and never wait. Writers queue: on SQLite by BEGIN IMMEDIATE, on PostgreSQL on the lock row.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError, TimeoutError

from gatekeeper.errors import ConfigError, SchemaOutOfDate, StorageFailed, Unavailable
from gatekeeper.registry.db import writes
from gatekeeper.registry.db.dialect import Dialect
from gatekeeper.registry.db.faults import UPGRADE, rewritten, unusable
from gatekeeper.registry.db.postgres import Postgres
from gatekeeper.registry.db.sqlite import Sqlite
from gatekeeper.registry.db.tables import Clock, claims, lock, models, promotions
from gatekeeper.registry.db.url import parse
from gatekeeper.secret_urls import SecretUrl

DIALECTS: Mapping[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgres()}

_LOCKED = select(lock.c.generation).where(lock.c.id == 1).with_for_update()
_GENERATION = select(lock.c.generation).where(lock.c.id == 1)
_PRIMARY = select(models.c.version).where(claims).order_by(models.c.id)
_NOW = select(Clock())


@dataclass(slots=True)
class Work:
    """One write transaction: its connection, the generation under the lock, and the undo steps for files."""

    connection: Connection
    generation: int
    _undo: list[Callable[[], None]] = field(default_factory=list)

    def on_failure(self, undo: Callable[[], None]) -> None:
        """Call `undo` if the transaction fails: last in, first undone, while the lock is still held."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Restore the files, as far as the disk allows; a file that stays is an orphan and does no harm.

        Only under the lock: the next writer may rely on a file that this one placed.
        """
        while self._undo and of(self.connection).holds_lock(self.connection):
            with suppress(OSError, Unavailable, StorageFailed):
                self._undo.pop()()

    def refuse_lost_lock(self) -> None:
        """Raise Unavailable if the lock is lost: another writer may use again what this one was to remove."""
        if not of(self.connection).holds_lock(self.connection):
            raise Unavailable("The connection to the registry broke, so nothing more was removed. Try again.")

    def settle(self) -> None:
        """Have all done that the database would do at the commit, so that what is read back now stays as it is."""
        of(self.connection).settle(self.connection)

    def advance(self) -> int:
        """Increment the generation, and return it."""
        self.generation += 1
        writes.change(self.connection, lock, lock.c.id == 1, {"generation": self.generation})
        return self.generation


@dataclass(frozen=True, slots=True)
class Database:
    """The registry's database. All access is by `read()`, `glance()`, `write()` and `append()`."""

    engine: Engine
    dialect: Dialect
    name: str
    url: SecretUrl

    @classmethod
    def connect(cls, url: str | SecretUrl, *, create: bool = False) -> "Database":
        """The database at `url`. With `create`, a missing SQLite file is made.

        Raises ConfigError for a URL that names no registry, SchemaOutOfDate if the SQLite file does not exist.
        """
        read = url if isinstance(url, str) else url.reveal()
        parsed = parse(read)
        shown = _read(read.strip())
        dialect = DIALECTS[parsed.get_backend_name()]
        return cls(dialect.engine(parsed, create=create), dialect, dialect.name(parsed), shown)

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def schema(self) -> str | None:
        """The schema that the registry is in; None if the database has none. Desks may share a database."""
        with self.read() as connection:
            return self.dialect.schema(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot; never waits for writers."""
        with self._begun(write=False) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection for a single statement, without a transaction: one statement is a snapshot by itself."""
        with self._clear_errors(), self.engine.connect() as connection:
            yield self.dialect.glance(connection)

    @contextmanager
    def write(self, *, first: bool = False, moves: bool = False) -> Iterator[Work]:
        """A write transaction under the registry lock, committed when the block ends. `first`: no tables yet.

        Unless the block advances the generation, or `moves` names or generation otherwise, both are read back: no
        trigger of the database may have moved them. Raises Unavailable, GenerationMoved, SchemaOutOfDate, ConfigError;
        then nothing has changed, files included.
        """
        with self._begun(write=True, first=first) as connection:
            work = Work(connection, self._lock(connection, first=first))
            before = None if first or moves else _standing(work)
            try:
                yield work
                if before is not None and work.generation == before["generation"]:
                    work.settle()
                    if (found := _standing(work)) != before:
                        raise rewritten("the registry's", found, before)
            except BaseException:
                work.undo()
                raise
            repeat = (
                "Check `gatekeeper list` and `gatekeeper history`. It is safe to repeat with the same run key, or to "
                "promote the same model again."
            )
            self._commit(connection, repeat, work.undo)

    @contextmanager
    def append(self) -> Iterator[Connection]:
        """A short write transaction without the registry lock, for rows that no promotion depends on.

        On SQLite it still queues with the other writers: a file has one writer at a time.
        """
        with self._begun(write=True) as connection:
            yield connection
            self._commit(connection, "It is safe to repeat: what is stored already changes nothing.")

    def write_ahead(self) -> None:
        """Switch to write-ahead logging, so that readers don't wait for writers."""
        self.dialect.write_ahead(self.engine)

    @contextmanager
    def _begun(self, *, write: bool, first: bool = False) -> Iterator[Connection]:
        """A transaction. If the connection turns out to be dead, another one begins it: nothing has been done yet."""
        with self._clear_errors(), self.engine.connect() as connection:
            transaction = connection.begin()
            try:
                self.dialect.begin(connection, write=write, first=first)
            except DBAPIError as error:
                transaction.rollback()
                if not error.connection_invalidated:
                    raise
                transaction = connection.begin()
                self.dialect.begin(connection, write=write, first=first)
            with transaction:
                yield connection

    def _lock(self, connection: Connection, *, first: bool) -> int:
        """Wait for the registry lock; returns the generation."""
        if first:
            self.dialect.queue_upgrade(connection)
            if not has_table(connection, lock.name):
                return 0
        generation: int | None = connection.execute(_LOCKED).scalar()
        if generation is None and first:
            generation = connection.execute(select(func.coalesce(func.max(promotions.c.generation), 0))).scalar_one()
            writes.add(connection, lock, {"id": 1, "generation": generation})
        if generation is None:
            raise SchemaOutOfDate(f"The registry {self.name} has no lock row. {UPGRADE}")
        return generation

    def _commit(self, connection: Connection, repeat: str, undo: Callable[[], None] = lambda: None) -> None:
        """Commit. A refused commit undoes the files; after a commit without an answer the files stay as they are.

        repeat: how the caller may do it again.
        """
        try:
            connection.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable(
                    f"The connection to the registry {self.name} broke during the commit "
                    f"({self.url.hide(error.orig)}), so the change is either complete or absent. {repeat}"
                ) from self.url.harmless(error)
            undo()
            raise

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Translate driver errors into the package's own."""
        try:
            yield
        except DBAPIError as error:
            fault = self.dialect.fault(error, self.name)
            fault.args = (self.url.hide(fault),)  # some drivers repeat what they were given
            raise fault from self.url.harmless(error)
        except TimeoutError as error:
            raise unusable("all connections that connection_limit allows are in use", self.name) from error


def _standing(work: Work) -> dict[str, object]:
    """The generation, and the names of the primary, as they are stored."""
    named = work.connection.execute(_PRIMARY).scalars().all()
    return {"generation": work.connection.execute(_GENERATION).scalar_one(), "primary": ", ".join(named) or None}


def of(connection: Connection) -> Dialect:
    """The dialect of a connection."""
    return DIALECTS[connection.dialect.name]


def now(connection: Connection) -> datetime:
    """The database's time, aware UTC: one clock for all writers."""
    return connection.execute(_NOW).scalar_one()


def next_id(connection: Connection) -> int:
    """The id of the next model, which no row has; call it under the lock."""
    return of(connection).next_id(connection)


def insert_row(connection: Connection, row: Mapping[str, object]) -> None:
    """Insert a row of `"RLModel"` with the given id, even if the table generates ids."""
    writes.statement(
        connection,
        text(
            'INSERT INTO "RLModel" (id, version, path, description, "createdAt") '  # noqa: S608  # constants of this module
            f"{of(connection).overriding} VALUES (:id, :version, :path, :description, :createdAt)"
        ),
        row,
        table="RLModel",
    )


def has_index(connection: Connection, name: str) -> bool:
    """Whether an index of this name exists."""
    return of(connection).has(connection, "index", name)


def has_table(connection: Connection, name: str) -> bool:
    """Whether a table of this name exists."""
    return of(connection).has(connection, "table", name)


def _read(url: str) -> SecretUrl:
    try:
        return SecretUrl.database(url)
    except ValueError as fault:
        raise ConfigError(f"The URL of the registry can't be read. {fault}") from None
