"""PostgreSQL: the registry on a server, for more than one machine."""

import re
from datetime import date, datetime
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.schema import CreateSchema

from gatekeeper.errors import ConfigError, GatekeeperError, Unavailable
from gatekeeper.registry.db.dialect import LARGEST_COUNTED, highest_id
from gatekeeper.registry.db.faults import (
    another_writer,
    asks_for_more,
    damaged,
    disk_failing,
    disk_full,
    forbidden,
    no_tables,
    not_possible,
    referred_to,
    unusable,
)
from gatekeeper.registry.db.postgres_transaction import Transactions
from gatekeeper.registry.db.tables import lock, models
from gatekeeper.registry.db.url import server

CONNECT_SECONDS = 10
UPGRADING = 7_305_012_111  # the advisory lock of `db upgrade`: any number that nobody else uses
NUMBERING = 7_305_012_112  # the advisory lock of ids that come from no sequence
_COMMENTS = text(
    "SELECT coalesce(attname, '') AS name, CASE WHEN attname IS NULL THEN obj_description(c.oid, 'pg_class') "
    "ELSE col_description(c.oid, attnum) END AS comment FROM pg_class c "
    "JOIN (SELECT attrelid, attname, attnum FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
    "UNION ALL SELECT to_regclass(:name), NULL, NULL) a ON attrelid = c.oid "
    "WHERE c.oid = to_regclass(:name) AND pg_has_role(c.relowner, 'USAGE')"
)
_OTHERS = text(
    "SELECT nspname AS schema, relname AS name, nspname = current_schema() AS own FROM pg_class "
    "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' AND CASE WHEN nspname = current_schema() "
    "THEN relname <> :own ELSE NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = :lock) END "
    "ORDER BY 1, 2"
)
_NO_ENTRY = re.compile(  # a pooler has words of its own
    r"database \S+ does not exist|role \S+ does not exist|authentication fail|no such (user|database)"
)
# Classes of SQLSTATE that may pass: no state (no server), connections, transactions that end or collide, resources, an
# operator, the system. Of any other, the same statement is refused again.
_PASSING = {"", "08", "25", "40", "53", "54", "55", "57", "58", "XX"}
_IN_POSTGRES = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(:name)")


class Postgres:
    """PostgreSQL dialect. Writers queue on the lock row and see what was committed meanwhile: READ COMMITTED."""

    one_file = False
    overriding = "OVERRIDING SYSTEM VALUE"  # for tables whose ids are GENERATED ALWAYS; else it does nothing
    has_own_clock = True

    def engine(self, url: URL, *, create: bool) -> Engine:  # noqa: ARG002  # a server makes no database by itself
        """The engine, which connects at first use. Raises ConfigError."""
        try:
            parts = server(url)
            # A server that is gone, or whose host is, is noticed within minutes; statements are not prepared, so that
            # a connection pooler in between does no harm.
            # The encoding is else that of a role or database, which may lack a reason's letters.
            wanted = {"connect_timeout": str(CONNECT_SECONDS), "keepalives_idle": "30", "keepalives_interval": "10"}
            wanted["client_encoding"] = "UTF8"
            given = {word: value for word, value in wanted.items() if word not in parts.url.query}
            pool: dict[str, Any] = {"max_overflow": -1}
            if parts.connections is not None:
                pool = {"pool_size": parts.connections, "max_overflow": 0, "pool_timeout": parts.wait_seconds}
            transactions = Transactions(self.name(url), parts.search_path, parts.schema)
            engine = create_engine(
                parts.url,
                connect_args={**given, "autocommit": True, "prepare_threshold": None},
                execution_options={"transactions": transactions},
                use_native_hstore=False,  # asking for its type costs the first connection three round trips
                **pool,
            )
        except ModuleNotFoundError:
            raise ConfigError(
                "PostgreSQL needs the package psycopg, which is not installed. "
                "Run `pip install 'gatekeeper[postgres]'`."
            ) from None
        transactions.listen(engine)
        event.listen(engine, "connect", _read_iso_times)
        event.listen(engine, "checkout", self._refuse_closed)
        return engine

    def begin(self, connection: Connection, *, write: bool, first: bool = False) -> None:
        """Begin with all settings of the transaction in one string, and refuse another schema."""
        Transactions.of(connection).begin(connection, write=write, first=first)

    def glance(self, connection: Connection) -> Connection:
        """The connection, on which each statement goes in one string with its BEGIN and COMMIT."""
        return Transactions.of(connection).glance(connection)

    def name(self, url: URL) -> str:
        """Host and database, without user and options."""
        return f"postgresql://{_hosts(url)}/{url.database}"

    def schema(self, connection: Connection) -> str | None:
        """The schema that its transactions begin in."""
        return Transactions.of(connection).schema

    def write_ahead(self, engine: Engine) -> None:
        """Nothing to do: PostgreSQL always logs ahead."""

    def queue_upgrade(self, connection: Connection) -> None:
        """Take an advisory lock until the transaction ends, then make the desk's schema if it is missing."""
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADING})"))
        transactions = Transactions.of(connection)
        here = text("SELECT current_schema()")
        if transactions.schema is not None and connection.execute(here).scalar() is None:
            connection.execute(CreateSchema(transactions.schema))  # a desk's own, which nobody has made yet
        transactions.refuse_other(connection.execute(here).scalar())

    def holds_lock(self, connection: Connection) -> bool:
        """True only while the connection lives: after that, another writer may rely on the files placed here."""
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

    def settle(self, connection: Connection) -> None:
        """Run deferred triggers: at the commit they could undo what was read back."""
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")

    def next_id(self, connection: Connection) -> int:
        """The sequence's next free id: other tools insert ids of their own without advancing the sequence."""
        sequence = self._sequence(connection, models.name)
        if sequence is None:
            return highest_id(connection, models.name, self._largest(connection)) + 1
        while True:
            drawn: int = connection.execute(text("SELECT nextval(:sequence)"), {"sequence": sequence}).scalar_one()
            if connection.execute(select(models.c.id).where(models.c.id == drawn)).first() is None:
                return drawn

    def draw_ids(self, connection: Connection, table: str, count: int, above: int) -> list[int]:
        """The sequence's next ids, once it is past every row; without a sequence, the highest id counted on."""
        sequence = self._sequence(connection, table)
        if sequence is None:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({NUMBERING})"))
            highest = max(above, highest_id(connection, table))
            return list(range(highest + 1, highest + 1 + count))
        highest = max(above, highest_id(connection, table))
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
        """Whether a statement would find it along the search path."""
        relkind = connection.execute(_IN_POSTGRES, {"name": f'"{name}"'}).scalar()
        return relkind is not None and (relkind in "iI") == (kind == "index")

    def is_view(self, connection: Connection, name: str) -> bool:
        """Whether it is a view, a materialized view or a foreign table."""
        return connection.execute(_IN_POSTGRES, {"name": f'"{name}"'}).scalar() in {"v", "m", "f"}

    def other_tables(self, connection: Connection) -> list[tuple[str, str]]:
        """The tables and views of the database; those of a schema with a registry belong to that."""
        found = connection.execute(_OTHERS, {"own": models.name, "lock": lock.name}).all()
        return [("" if row.own else str(row.schema), str(row.name)) for row in found]

    def declared_type(self, connection: Connection, column: str) -> str:
        """The type as the server spells it."""
        return self.declared_types(connection, models.name).get(column, "")

    def declared_types(self, connection: Connection, table: str) -> dict[str, str]:
        """The types as the server spells them."""
        found = text(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
        )
        return {row.attname: row.type for row in connection.execute(found, {"name": f'"{table}"'})}

    def comments(self, connection: Connection, table: str) -> dict[str, str | None]:
        """The comments, if this role owns the table: only the owner may set them."""
        found = connection.execute(_COMMENTS, {"name": f'"{table}"'}).all()
        return {row.name: row.comment for row in found}

    def unique_columns(self, connection: Connection) -> set[str]:
        """The columns with a unique index that a foreign key may rely on."""
        found = text(
            "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
            "WHERE indrelid = to_regclass('\"RLModel\"') AND indisunique AND indisvalid AND indimmediate "
            "AND indpred IS NULL AND indnkeyatts = 1"
        )
        return set(connection.execute(found).scalars())

    def fault(self, error: DBAPIError, name: str) -> GatekeeperError:
        """The package's own error, by SQLSTATE; a refused connection has none."""
        message = str(error.orig).strip() or type(error.orig).__name__
        state: str = getattr(error.orig, "sqlstate", None) or ""
        if state.startswith("23"):
            return _of_constraint(state, error, message)
        if state in {"42P01", "42703"}:
            return no_tables(message, name)
        if state == "42501" and "row-level security" in message:
            return ConfigError(
                f"Row-level security shows this role only some rows of the registry {name} ({message}), so nothing has "
                "changed: a hold could be among the others. Give the role the attribute BYPASSRLS, or take row-level "
                "security off these tables."
            )
        if state == "42501":
            return ConfigError(
                f"The role lacks a privilege on the registry {name} ({message}). Grant it, or use another role."
            )
        if state[:2] in {"53", "58", "XX", "25", "0A"} and (fault := _of_server(state, message, name)) is not None:
            return fault
        if state.startswith("22"):
            return ConfigError(f"The registry {name} can't store a value ({message}). Nothing has changed.")
        if not state and _NO_ENTRY.search(message):
            return ConfigError(
                f"Cannot log in to registry {name} ({message}). Create the role and database, or fix GATEKEEPER_DB."
            )
        if state[:2] not in _PASSING:
            return not_possible(message, name)
        return unusable(message, name)

    def _sequence(self, connection: Connection, table: str) -> str | None:
        """The sequence of a table's ids: that of its serial or identity column, or the one its default names."""
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

    def _largest(self, connection: Connection) -> int:
        """The largest id of `"RLModel"` to count on from: its type has to hold the next ones."""
        return {"smallint": 2**15 - 2**8, "integer": 2**31 - 2**20}.get(
            self.declared_type(connection, "id"), LARGEST_COUNTED
        )

    @staticmethod
    def _refuse_closed(connection: Any, _record: object, _pooled: object) -> None:
        """Refuse a connection that the server has closed, without a round trip; the whole pool then reconnects."""
        if connection.closed:
            raise InvalidatePoolError
        with DefaultSelector() as selector:
            selector.register(connection.fileno(), EVENT_READ)
            if selector.select(0):
                raise InvalidatePoolError


def _read_iso_times(connection: Any, _record: object) -> None:
    """Read times as ISO 8601, as each transaction sets them, if the role or database has another DateStyle.

    The driver goes by what the server says when it parses: after a glance's COMMIT, that is the other style again.
    """
    if (connection.info.parameter_status("DateStyle") or "").startswith("ISO"):
        return
    from psycopg.adapt import Loader

    for kind, read in (("timestamptz", datetime), ("timestamp", datetime), ("date", date)):
        own = {"load": lambda _self, stored, read=read: read.fromisoformat(bytes(stored).decode())}
        connection.adapters.register_loader(kind, type("IsoLoader", (Loader,), own))


def _hosts(url: URL) -> str:
    """The host, or all of them: a URL may name several, of which the first that answers is used."""
    hosts = url.host or url.query.get("host") or ""
    return hosts if isinstance(hosts, str) else ",".join(hosts)


def _of_constraint(state: str, error: DBAPIError, message: str) -> GatekeeperError:
    """The error for a constraint that a write violates."""
    table = getattr(getattr(error.orig, "diag", None), "table_name", None) or ""
    if state == "23503" and not table.startswith("gatekeeper_"):
        return referred_to(message)
    if state in {"23505", "23503", "23P01"}:
        return another_writer(message)
    return forbidden(message) if state == "23514" else asks_for_more(message)


def _of_server(state: str, message: str, name: str) -> GatekeeperError | None:
    """The error for a server that is full, failing, damaged or a standby; None for anything else."""
    if state == "53100":
        return disk_full(message, name, "the database server's disk")
    if state.startswith("58"):
        return disk_failing(message, name, "the database server's disk")
    if state in {"XX001", "XX002"}:
        return damaged(message, name, "Restore it from a backup with the server's own tools, such as pg_restore.")
    if state == "25006" or "during recovery" in message:
        return Unavailable(
            f"The registry {name} is read-only ({message}), so nothing has changed: reads go on. Name the primary "
            "server in GATEKEEPER_DB, or both with target_session_attrs=read-write, or wait until this one is it."
        )
    return None
