"""Transaction begin on PostgreSQL: BEGIN and all settings in one string, so that poolers between do no harm.

Behind a pooler in transaction mode, what is set for a session reaches other clients, and theirs reach this one. So
nothing is set for a session: each transaction sets its own, and says which schema it is in before anything else. A
single read goes as one such string too, with its statement and the COMMIT.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event

from gatekeeper.errors import ConfigError, SchemaOutOfDate
from gatekeeper.registry.db.dialect import BUSY_SECONDS
from gatekeeper.registry.db.faults import UPGRADE

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
LONGEST_SECONDS = 15 * 60  # of a statement, and of a pause between two: a doctor reads all files in one transaction
_SETTINGS = (
    f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'",
    f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'",
    f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_SECONDS}s'",
    "SET LOCAL TIME ZONE 'UTC'",
    "SET LOCAL datestyle = 'ISO'",  # the driver reads times in no other style
    "SET LOCAL extra_float_digits = 1",  # all digits, whatever a role or database is set to
)
# An act by a role that row-level security shows only some rows would pass a hold that it can't see: the server refuses
# such statements. It also releases the lock of a client whose host is gone within two minutes.
_OF_WRITES = (
    "SET LOCAL row_security = off",
    "SET LOCAL tcp_keepalives_idle = 60",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 6",
)
_GLANCE = "gatekeeper_glance"


@dataclass(slots=True)
class Transactions:
    """How the transactions of one engine begin, and the schema that all of them must be in.

    schema: the named one, else that of the first transaction; None until then.
    """

    name: str
    search_path: Sequence[str] = ()
    schema: str | None = None

    @classmethod
    def of(cls, connection: Connection) -> "Transactions":
        """Those of this connection's engine."""
        found: Transactions = connection.get_execution_options()["transactions"]
        return found

    def begin(self, connection: Connection, *, write: bool, first: bool = False) -> None:
        """Begin a transaction. `first`: the schema may be missing yet. Raises SchemaOutOfDate, ConfigError."""
        schema = connection.exec_driver_sql(
            self._begin(WRITE if write else READ, *(_OF_WRITES if write else ()))
        ).scalar()
        if not first:
            self.refuse_other(schema)

    def glance(self, connection: Connection) -> Connection:
        """The connection, on which each statement from now on is a transaction of its own."""
        return connection.execution_options(**{_GLANCE: True})

    def refuse_other(self, schema: str | None) -> None:
        """Raise unless `schema`, what current_schema() says, is the schema of this registry."""
        if schema is None and self.search_path:
            raise SchemaOutOfDate(
                f"The registry {self.name} has no schema {', '.join(self.search_path)} that this role may use. "
                f"{UPGRADE} If the schema exists, grant USAGE on it."
            )
        if schema is None:
            raise ConfigError(
                f"The search path of {self.name} has no schema that this role may use. Grant USAGE on one, or name it: "
                "?schema=NAME at the end of GATEKEEPER_DB."
            )
        if self.schema is None:
            self.schema = schema
        if schema != self.schema:
            raise ConfigError(
                f"The registry {self.name} is in schema {self.schema!r}, but the transaction began in {schema!r}. "
                f"Nothing was read or changed. Name the schema: ?schema={self.schema} at the end of GATEKEEPER_DB."
            )

    def listen(self, engine: Engine) -> None:
        """Make glances of the statements that are to be such, and read the several results of one string."""
        event.listen(engine, "before_cursor_execute", self._wrap, retval=True)
        event.listen(engine, "after_cursor_execute", self._to_last)

    def _begin(self, begin: str, *more: str) -> str:
        path = ", ".join('"' + name.replace('"', '""') + '"' for name in self.search_path) or "DEFAULT"
        return "; ".join((begin, f"SET LOCAL search_path TO {path}", *_SETTINGS, *more, "SELECT current_schema()"))

    def _wrap(
        self,
        _connection: Connection,
        cursor: Any,
        statement: str,
        values: Any,
        context: Any,
        _many: bool,
    ) -> tuple[str, Any]:
        """The statement of a glance with its values in it, between BEGIN and COMMIT: one message takes no values."""
        if not context.execution_options.get(_GLANCE):
            return statement, values
        from psycopg import ClientCursor

        text = ClientCursor(cursor.connection).mogrify(statement, values)
        return f"{self._begin(READ)}; {text}; COMMIT".replace("%", "%%"), ()

    def _to_last(
        self,
        _connection: Connection,
        cursor: Any,
        statement: str,
        _values: Any,
        context: Any,
        _many: bool,
    ) -> None:
        """Go on to the result that is asked for: the schema of a begin, the rows of a glance."""
        if not statement.startswith("BEGIN"):
            return
        while cursor.description is None:
            cursor.nextset()
        if context.execution_options.get(_GLANCE):
            self.refuse_other(cursor.fetchone()[0])
            cursor.nextset()
