"""PostgreSQL: the registry on a server, for more than one machine."""

import re
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from gatekeeper.errors import ConfigError, GatekeeperError
from gatekeeper.registry.db.dialect import BUSY_SECONDS, LARGEST_COUNTED, highest_id
from gatekeeper.registry.db.faults import another_writer, asks_for_more, no_tables, unusable
from gatekeeper.registry.db.tables import lock, models

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
_IN_POSTGRES = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(:name)")


class Postgres:
    """PostgreSQL dialect. Writers queue on the lock row and see what was committed meanwhile: READ COMMITTED."""

    reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    writing = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    overriding = "OVERRIDING SYSTEM VALUE"  # for tables whose ids are GENERATED ALWAYS; else it does nothing
    has_own_clock = True

    def engine(self, url: URL, *, create: bool) -> Engine:  # noqa: ARG002  # a server makes no database by itself
        """The engine, which connects at first use. Raises ConfigError."""
        if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise ConfigError(
                f"The driver {url.drivername}:// is not supported. Use postgresql+psycopg://USER@HOST/DATABASE."
            )
        if not url.database:
            raise ConfigError(f"{url} names no database. Use postgresql+psycopg://USER@HOST/DATABASE.")
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
            raise ConfigError(
                "PostgreSQL needs the package psycopg, which is not installed. "
                "Run `pip install 'gatekeeper[postgres]'`."
            ) from None
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "checkout", self._refuse_closed)
        return engine

    def name(self, url: URL) -> str:
        """Host and database, without user and options."""
        return f"postgresql://{url.host or url.query.get('host') or ''}/{url.database}"

    def write_ahead(self, engine: Engine) -> None:
        """Nothing to do: PostgreSQL always logs ahead."""

    def queue_upgrade(self, connection: Connection) -> None:
        """Take an advisory lock until the transaction ends, then make the desk's schema if it is missing."""
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADING})"))
        path = connection.execute(text("SELECT current_setting('search_path') WHERE current_schema() IS NULL")).scalar()
        if path is not None and path.isidentifier():  # a desk's own schema, which nobody has made yet
            connection.execute(text(f'CREATE SCHEMA "{path}"'))

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
        if state in {"23505", "23503", "23P01"}:
            return another_writer(message)
        if state.startswith("23"):
            return asks_for_more(message)
        if state in {"42P01", "42703"}:
            return no_tables(message, name)
        if state == "42501":
            return ConfigError(
                f"The role lacks a privilege on the registry {name} ({message}). Grant it, or use another role."
            )
        if state.startswith("22"):
            return ConfigError(f"The registry {name} can't store a value ({message}). Nothing has changed.")
        if not state and re.search(r"database \S+ does not exist|role \S+ does not exist|authentication fail", message):
            return ConfigError(
                f"Cannot log in to registry {name} ({message}). Create the role and database, or fix GATEKEEPER_DB."
            )
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
    def _prepare(connection: Any, _record: object) -> None:
        """Set up a session. Keepalives make the server release a lock within minutes after a client's host is gone."""
        connection.execute(
            f"SET TIME ZONE 'UTC'; SET lock_timeout = '{BUSY_SECONDS}s'; "
            "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"
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
