"""Dialect: what differs between SQLite and PostgreSQL; everything else is one code path."""

from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from gatekeeper.errors import GatekeeperError

BUSY_SECONDS = 30


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

    def comments(self, connection: Connection, table: str) -> dict[str, str | None]:
        """The comment of each column, and of the table under ""; none where this role can't set them."""

    def unique_columns(self, connection: Connection) -> set[str]:
        """The columns of `"RLModel"` that are unique by themselves."""

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """What the driver raised, in our words."""


def highest_id(connection: Connection, table: str) -> int:
    """The highest id of a table; 0 if it has no row."""
    highest = text(f'SELECT coalesce(max(id), 0) FROM "{table}"')  # noqa: S608  # our own words
    return int(connection.execute(highest).scalar_one())
