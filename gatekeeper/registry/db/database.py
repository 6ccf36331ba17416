"""Registry database: connections, read snapshots, and write transactions under one lock.

Readers take a snapshot and never wait. Writers queue: on SQLite by BEGIN IMMEDIATE, on PostgreSQL on the lock row.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from gatekeeper.errors import ConfigError, SchemaOutOfDate, Unavailable
from gatekeeper.registry.db.dialect import Dialect
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.db.postgres import Postgres
from gatekeeper.registry.db.sqlite import Sqlite
from gatekeeper.registry.db.tables import Clock, lock, promotions

DIALECTS: Mapping[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgres(), "postgres": Postgres()}

_LOCKED = select(lock.c.generation).where(lock.c.id == 1).with_for_update()
_COUNTED = update(lock)
_NOW = select(Clock())


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
        """Bring back the files as they were, as far as the disk lets us: what stays is an orphan, and does no harm.

        Not without the lock: who has it now may rely on a file that we placed.
        """
        while self._undo and of(self.connection).holds_lock(self.connection):
            with suppress(OSError, Unavailable):
                self._undo.pop()()

    def refuse_lost_lock(self) -> None:
        """Raise Unavailable where another writer may be at work by now: what it took up again must not be removed."""
        if not of(self.connection).holds_lock(self.connection):
            raise Unavailable("the connection to the registry broke; what is to be removed stays: try again")

    def advance(self) -> int:
        """Count one more promotion; returns its generation."""
        self.generation += 1
        self.connection.execute(_COUNTED, {"generation": self.generation})
        return self.generation


@dataclass(frozen=True, slots=True)
class Database:
    """The registry's database. `read()`, `glance()`, `write()` and `append()` are the only ways in."""

    engine: Engine
    dialect: Dialect
    name: str

    @classmethod
    def connect(cls, url: str, *, create: bool = False) -> "Database":
        """The database at `url`; with `create`, a missing SQLite file may be made.

        Raises ConfigError for a URL that names none, SchemaOutOfDate where there is no file yet.
        """
        parsed = _parse(url)
        dialect = DIALECTS[parsed.get_backend_name()]
        return cls(dialect.engine(parsed, create=create), dialect, dialect.name(parsed))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot; never waits for writers."""
        with self._begun(self.dialect.reading) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For a single statement: that is a snapshot by itself, and a transaction around it costs more than it does."""
        with self._clear_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, first: bool = False) -> Iterator[Work]:
        """The only writer, until the block ends; then all of it is committed, or nothing. `first`: no tables yet."""
        with self._begun(self.dialect.writing) as connection:
            work = Work(connection, self._lock(connection, first=first))
            try:
                yield work
            except BaseException:
                work.undo()
                raise
            self._commit(work)

    @contextmanager
    def append(self) -> Iterator[Connection]:
        """A short write transaction of rows that bear on nobody's promotion: it waits for no lock of the registry's.

        On SQLite, where a file has one writer, it queues with the others.
        """
        with self._begun(self.dialect.writing) as connection:
            yield connection

    def write_ahead(self) -> None:
        """Readers don't wait for writers, from now on."""
        self.dialect.write_ahead(self.engine)

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Connection]:
        """A transaction that this statement begins: the drivers begin none by themselves."""
        with self._clear_errors(), self.engine.connect() as connection, connection.begin():
            connection.exec_driver_sql(begin)
            yield connection

    def _lock(self, connection: Connection, *, first: bool) -> int:
        """Wait until we are the only writer; returns the generation."""
        if first:
            self.dialect.queue_upgrade(connection)
            if not has_table(connection, lock.name):
                return 0
        generation: int | None = connection.execute(_LOCKED).scalar()
        if generation is None and first:
            generation = connection.execute(select(func.coalesce(func.max(promotions.c.generation), 0))).scalar_one()
            connection.execute(lock.insert().values(id=1, generation=generation))
        if generation is None:
            raise SchemaOutOfDate(f"the registry {self.name} has lost its lock row; {UPGRADE}")
        return generation

    def _commit(self, work: Work) -> None:
        """A commit that the database refused is undone; after one without an answer nobody knows, so files stay."""
        try:
            work.connection.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable(
                    f"the connection to the registry {self.name} broke during the commit ({error.orig}): the change is "
                    "either all there or not at all. Look with `gatekeeper list` and `gatekeeper history`; doing it "
                    "again with the same run key, or promoting the same model again, changes nothing twice"
                ) from error
            work.undo()
            raise

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """What the driver raises, in our words."""
        try:
            yield
        except DBAPIError as error:
            raise self.dialect.fault(error, self.name) from error


def of(connection: Connection) -> Dialect:
    """The kind of database at the other end."""
    return DIALECTS[connection.dialect.name]


def now(connection: Connection) -> datetime:
    """The database's own time, aware UTC: one clock for all writers."""
    return connection.execute(_NOW).scalar_one()


def next_id(connection: Connection) -> int:
    """The id of the next model, under the lock: never one that a row has."""
    return of(connection).next_id(connection)


def insert_row(connection: Connection, row: Mapping[str, object]) -> None:
    """A new row of `"RLModel"`, its id given, whatever the table does about ids by itself."""
    connection.execute(
        text(
            'INSERT INTO "RLModel" (id, version, path, description, "createdAt") '  # noqa: S608  # our own words
            f"{of(connection).overriding} VALUES (:id, :version, :path, :description, :createdAt)"
        ),
        row,
    )


def has_index(connection: Connection, name: str) -> bool:
    """Is there an index of this name?"""
    return of(connection).has(connection, "index", name)


def has_table(connection: Connection, name: str) -> bool:
    """Is there a table of this name?"""
    return of(connection).has(connection, "table", name)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        shown = re.sub(r":[^:@/]*@", ":***@", url)
        raise ConfigError(f"{shown!r} is no database URL; such as sqlite:///registry.db") from None
    if parsed.get_backend_name() not in DIALECTS:
        raise ConfigError(
            f"{parsed.get_backend_name()!r} holds no registry; it is sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"
        )
    return parsed
