"""Registry tables: the model table `"RLModel"` and Gatekeeper's side tables.

`"RLModel"` keeps the five columns of the older table, so that servers which read it go on working. All else is in side
tables, by foreign key.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from gatekeeper.registry.db.created_at import CreatedAt
from gatekeeper.registry.naming import PRIMARY

VERSION_TABLE = "gatekeeper_alembic_version"  # our own: Airflow's and other tools' stay theirs
HEAD = "0005"  # the newest revision; kept here so that opening a registry need not import alembic
ONE_PRIMARY = "gatekeeper_one_primary"


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, also in a database without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware datetime in, UTC stored."""
        if value is None:
            return None
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def result_processor(
        self,
        dialect: Dialect,
        coltype: object,  # noqa: ARG002  # the signature is SQLAlchemy's
    ) -> Callable[[Any], datetime | None]:
        """Aware UTC out. `process_result_value` would make a page of models a fifth slower."""
        return _of_text if dialect.name == "sqlite" else _of_time


def _of_text(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored + "+00:00")


def _of_time(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.astimezone(UTC)


class Clock(FunctionElement[datetime]):
    """The database's time now, not at the begin of the transaction, which may have waited for the lock since."""

    type = Instant()
    inherit_cache = True


@compiles(Clock, "sqlite")
def _to_the_millisecond(_element: Clock, _compiler: object, **_: object) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


@compiles(Clock, "postgresql")
def _of_the_server(_element: Clock, _compiler: object, **_: object) -> str:
    return "clock_timestamp()"


# As wide as any id of a table that another tool made, and any that a caller may ask for. SQLite's integers all are.
Id = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

models = Table(
    "RLModel",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("version", Text, nullable=False, unique=True),
    Column("path", Text, nullable=False),
    Column("description", Text),
    Column("createdAt", CreatedAt, server_default=text("CURRENT_TIMESTAMP")),
    sqlite_autoincrement=True,
)

# The condition for being the primary, letter for letter as in the unique index: only then does a query use the index,
# and a bound parameter would hide from SQLite that the partial index applies.
CLAIM_KEY = f'substr("version", 1, {len(PRIMARY)})'
claims: ColumnElement[bool] = literal_column(f'substr("RLModel"."version", 1, {len(PRIMARY)}) = \'{PRIMARY}\'')
ONE_PRIMARY_DDL = f"CREATE UNIQUE INDEX {ONE_PRIMARY} ON \"RLModel\" ({CLAIM_KEY}) WHERE {CLAIM_KEY} = '{PRIMARY}'"

artifacts = Table(
    "gatekeeper_artifact",
    metadata,
    Column("model_id", Id, ForeignKey("RLModel.id"), primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("feature_schema", Text),
    Column("threshold", Float, nullable=False),
    Column("trained_from", Instant),
    Column("trained_to", Instant),
    Column("cutoff", Instant),
    Column("estimator", Text),
    Column("fingerprint", Text),
    Column("code_version", Text),
    Column("canary", Text, nullable=False),
    Column("recognised", Text, nullable=False),
    Column("run_key", Text),
    UniqueConstraint("run_key", "sha256", name="gatekeeper_artifact_once"),
)

refits = Table(  # deployed refit -> judged model: the same recipe and seed, fitted before the holdout
    "gatekeeper_twin",
    metadata,
    Column("model_id", Id, ForeignKey("RLModel.id"), primary_key=True, autoincrement=False),
    Column("twin_id", Id, ForeignKey("RLModel.id"), nullable=False, index=True),
)

faults = Table(  # rows whose file is missing or is not a usable model
    "gatekeeper_fault",
    metadata,
    Column("model_id", Id, ForeignKey("RLModel.id"), primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("sha256", Text),
    Column("at", Instant, nullable=False),
)

evaluations = Table(
    "gatekeeper_evaluation",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("challenger", Id, ForeignKey("RLModel.id"), nullable=False, index=True),
    Column("champion", Id, ForeignKey("RLModel.id")),
    Column("challenger_sha256", Text, nullable=False),
    Column("champion_sha256", Text),
    Column("generation", Integer, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("run_key", Text, nullable=False),
    Column("report", Text),
    Column("at", Instant, nullable=False),
    UniqueConstraint("run_key", "challenger", "generation", "kind", "champion", name="gatekeeper_evaluation_once"),
    sqlite_autoincrement=True,
)

promotions = Table(  # append-only: the audit
    "gatekeeper_promotion",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("from_id", Id, ForeignKey("RLModel.id")),
    Column("to_id", Id, ForeignKey("RLModel.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evaluation_id", ForeignKey("gatekeeper_evaluation.id")),
    Column("as_of", Instant, nullable=False),
    Column("at", Instant, nullable=False),
    Column("run_key", Text, unique=True),
    Column("sha256", Text),  # of the promoted bytes
    Column("chain", Text),  # a hash over this row and the one before: history_chain.py
    Index("gatekeeper_promotion_as_of", "as_of"),
    Index("gatekeeper_promotion_to", "to_id"),
)

holds = Table(
    "gatekeeper_hold",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("until", Instant),
    Column("at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("released_by", Text),
    Column("release_reason", Text),
    sqlite_autoincrement=True,
)

quarantines = Table(
    "gatekeeper_quarantine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("model_id", Id, ForeignKey("RLModel.id"), nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("released_by", Text),
    Column("release_reason", Text),
    sqlite_autoincrement=True,
)

retired = Table(  # file names that no row holds any more; removed after the grace period
    "gatekeeper_retired",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)

lock = Table(  # one row: writers queue on it, and it counts the promotions
    "gatekeeper_lock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Integer, nullable=False),
)
