"""Database dialect: the differences between SQLite and PostgreSQL; all else is one code path."""

from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from gatekeeper.errors import GatekeeperError

BUSY_SECONDS = 30
LARGEST_COUNTED = 2**53 - 1
"""A larger id stays, but no new id is counted on from it: other languages read JSON's numbers as floats."""


class Dialect(Protocol):
    """One kind of database."""

    one_file: bool  # whether the database is a file that can be replaced under a process
    overriding: str  # the clause of an INSERT that gives its own id
    has_own_clock: bool  # whether a server tells the time, or each client's machine

    def engine(self, url: URL, *, create: bool) -> Engine:
        """The engine. Raises ConfigError for a URL that names no registry, SchemaOutOfDate if the file is missing."""

    def begin(self, connection: Connection, *, write: bool, first: bool = False) -> None:
        """Begin a transaction: the drivers begin none. `first`: the database may have no tables yet."""

    def glance(self, connection: Connection) -> Connection:
        """The connection for single reads without a transaction: one statement is a snapshot by itself."""

    def name(self, url: URL) -> str:
        """The database's name in messages, without the password."""

    def schema(self, connection: Connection) -> str | None:
        """The schema that the transaction is in; None for a database without schemas."""

    def write_ahead(self, engine: Engine) -> None:
        """Switch to write-ahead logging, so that readers don't wait for writers."""

    def queue_upgrade(self, connection: Connection) -> None:
        """Wait for other `db upgrade` runs, even if there is no lock row yet."""

    def holds_lock(self, connection: Connection) -> bool:
        """Whether this transaction still holds the lock after an error, so that files may be restored."""

    def settle(self, connection: Connection) -> None:
        """Run deferred triggers and constraints now, and from now on at each statement."""

    def next_id(self, connection: Connection) -> int:
        """The id of the next row of `"RLModel"`; call it under the lock."""

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """Ascending ids for `count` new rows, each above `above` and above every id in the table."""

    def has(self, connection: Connection, kind: str, name: str) -> bool:
        """Whether an object of this name exists; kind: `table` or `index`."""

    def is_view(self, connection: Connection, name: str) -> bool:
        """Whether this name is a view's: other tables can't refer to its rows."""

    def other_tables(self, connection: Connection) -> list[tuple[str, str]]:
        """All tables but `"RLModel"` and those of other registries, as (schema, name); "" for the own schema."""

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """The declared type of each column, in lower case; empty if there is no such table."""

    def declared_type(self, connection: Connection, column: str) -> str:
        """The declared type of a column of `"RLModel"`, in lower case."""

    def comments(self, connection: Connection, table: str) -> dict[str, str | None]:
        """The comment of each column, and of the table under ""; empty if this role can't set comments."""

    def unique_columns(self, connection: Connection) -> set[str]:
        """The columns of `"RLModel"` with a unique index of their own."""

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """The package's own error for a driver error."""


def is_id(column: str = "id") -> str:
    """The SQL condition that a column holds a whole number; a table of another tool may hold anything.

    What is no number of 64 bits (NaN, infinity, 1e300) is never cast: PostgreSQL would refuse the whole statement.
    """
    within = f"{column} >= -9223372036854775808 AND {column} < 9223372036854775808"
    return f"CASE WHEN {within} THEN CAST({column} AS BIGINT) = {column} ELSE false END"


def highest_id(connection: Connection, table: str, largest: int = LARGEST_COUNTED) -> int:
    """The highest id of a table from which ids can be counted on; 0 if it has no row."""
    highest = text(f'SELECT id FROM "{table}" WHERE {is_id()} AND id <= :largest ORDER BY id DESC LIMIT 1')  # noqa: S608  # constants of this module
    return max(0, int(connection.execute(highest, {"largest": largest}).scalar() or 0))
