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

from gatekeeper.registry.db.created_at import RegisteredAt
from gatekeeper.registry.naming import PRIMARY

VERSION_TABLE = "gatekeeper_alembic_version"  # apart from that of Airflow and other tools in the same database
HEAD = "0010"  # the newest revision; kept here so that opening a registry need not import alembic
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
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the model; every command takes it as ID"),
    Column(
        "version",
        Text,
        nullable=False,
        unique=True,
        comment="Name; the row whose name begins with gatekeeper_primary is the primary",
    ),
    Column("path", Text, nullable=False, comment="Path of the model's file, as servers open it"),
    Column("description", Text, comment="Note of whoever registered it"),
    Column(
        "createdAt", RegisteredAt, server_default=text("CURRENT_TIMESTAMP"), comment="When the model was registered"
    ),
    sqlite_autoincrement=True,
    comment="Models, one row each, in the five columns that older servers read",
)

# The condition for being the primary, letter for letter as in the unique index: only then does a query use the index,
# and a bound parameter would hide from SQLite that the partial index applies.
CLAIM_KEY = f'substr("version", 1, {len(PRIMARY)})'
claims: ColumnElement[bool] = literal_column(f'substr("RLModel"."version", 1, {len(PRIMARY)}) = \'{PRIMARY}\'')
ONE_PRIMARY_DDL = f"CREATE UNIQUE INDEX {ONE_PRIMARY} ON \"RLModel\" ({CLAIM_KEY}) WHERE {CLAIM_KEY} = '{PRIMARY}'"

artifacts = Table(
    "gatekeeper_artifact",
    metadata,
    Column(
        "model_id",
        Id,
        ForeignKey("RLModel.id"),
        primary_key=True,
        autoincrement=False,
        comment="Model that this is about",
    ),
    Column("sha256", Text, nullable=False, index=True, comment="SHA-256 of the file's bytes, in hexadecimal"),
    Column("size", Integer, nullable=False, comment="Size of the file, in bytes"),
    Column(
        "feature_schema", Text, comment="Name of the feature list that the model takes; null if the file does not say"
    ),
    Column("threshold", Float, nullable=False, comment="Score below which this model vetoes an idea"),
    Column("trained_from", Instant, comment="Time of the first idea in the training data; null if unknown"),
    Column("trained_to", Instant, comment="Time of the last outcome in the training data; null if unknown"),
    Column("cutoff", Instant, comment="Instant after which training used nothing; null if unknown"),
    Column("estimator", Text, comment="Training recipe, by name; null if unknown"),
    Column("fingerprint", Text, comment="Digest of the training ideas; null if unknown"),
    Column("code_version", Text, comment="Version of Gatekeeper that trained the model; null if unknown"),
    Column(
        "canary",
        Text,
        nullable=False,
        comment="JSON: rows of features, and the scores that the model gave them when it was registered",
    ),
    Column("recognised", Text, nullable=False, comment="How the score is read from the model's outputs, in words"),
    Column(
        "run_key", Text, comment="Key of the weekly run or of the caller; the same key registers the same bytes once"
    ),
    Column(
        "order_digest",
        Text,
        comment="SHA-256 of what was ordered with the run key, which does nothing else; null in older rows",
    ),
    UniqueConstraint("run_key", "sha256", name="gatekeeper_artifact_once"),
    comment="What is known of a model's file, one row for each usable model",
)

refits = Table(
    "gatekeeper_twin",
    metadata,
    Column(
        "model_id",
        Id,
        ForeignKey("RLModel.id"),
        primary_key=True,
        autoincrement=False,
        comment="The refit, which is deployed",
    ),
    Column(
        "twin_id",
        Id,
        ForeignKey("RLModel.id"),
        nullable=False,
        index=True,
        comment="The judged model: the same recipe and seed, fitted before the holdout",
    ),
    comment="Which judged model a deployed refit belongs to",
)

faults = Table(
    "gatekeeper_fault",
    metadata,
    Column(
        "model_id",
        Id,
        ForeignKey("RLModel.id"),
        primary_key=True,
        autoincrement=False,
        comment="Model that this is about",
    ),
    Column("reason", Text, nullable=False, comment="Short slug for programs, such as sha256 or operator"),
    Column("message", Text, nullable=False, comment="The same as a sentence"),
    Column("sha256", Text, comment="SHA-256 of the file that was found; null if there was none"),
    Column("at", Instant, nullable=False, comment="When it was found"),
    comment="Models whose file is missing or unusable, and why",
)

evaluations = Table(
    "gatekeeper_evaluation",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the evaluation"),
    Column("challenger", Id, ForeignKey("RLModel.id"), nullable=False, index=True, comment="Model that was judged"),
    Column(
        "champion", Id, ForeignKey("RLModel.id"), comment="Model that it was compared with; null for the first model"
    ),
    Column("challenger_sha256", Text, nullable=False, comment="SHA-256 of the bytes that were judged"),
    Column(
        "champion_sha256", Text, comment="SHA-256 of the bytes that they were compared with; null for the first model"
    ),
    Column("generation", Integer, nullable=False, comment="Generation of the registry that the evaluation was made in"),
    Column("as_of", Instant, nullable=False, comment="Instant beyond which the evaluation knew nothing"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="One of weekly, bootstrap (first model), recovery (primary unusable), what-if (no promotion), copied",
    ),
    Column("verdict", Text, nullable=False, comment="Verdict: promote, keep or undecided"),
    Column(
        "document",
        Text,
        nullable=False,
        comment="JSON: the evaluation document, with all numbers that the verdict follows from",
    ),
    Column(
        "run_key", Text, nullable=False, comment="Key of the weekly run; the same key evaluates the same models once"
    ),
    Column("report", Text, comment="Path of the HTML report; null if none was written"),
    Column("at", Instant, nullable=False, comment="When the evaluation was recorded"),
    Column(
        "discounted_at",
        Instant,
        comment="When `gatekeeper doctor --repair` marked the row, whose time or as-of lay ahead of the clock: neither "
        "counts since; null for all others",
    ),
    UniqueConstraint("run_key", "challenger", "generation", "kind", "champion", name="gatekeeper_evaluation_once"),
    sqlite_autoincrement=True,
    comment="Evaluations: one comparison of a challenger with the champion, and its verdict",
)

promotions = Table(
    "gatekeeper_promotion",
    metadata,
    Column(
        "generation",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="Number of the change, counted from 1 without gaps",
    ),
    Column("from_id", Id, ForeignKey("RLModel.id"), comment="Primary before; null if there was none"),
    Column("to_id", Id, ForeignKey("RLModel.id"), nullable=False, comment="Primary from then on"),
    Column("kind", Text, nullable=False, comment="One of adopted, bootstrap, weekly, recovery, manual and rollback"),
    Column("actor", Text, nullable=False, comment="Who did it"),
    Column("reason", Text, nullable=False, comment="Why, in the actor's words or those of the verdict"),
    Column(
        "evaluation_id",
        ForeignKey("gatekeeper_evaluation.id"),
        comment="Evaluation that it rests on; null for a change by hand",
    ),
    Column(
        "as_of",
        Instant,
        nullable=False,
        comment="As-of of the evaluation; by hand the time, or on historical data the as-of of the newest evaluation",
    ),
    Column("at", Instant, nullable=False, comment="When it was done, by the database's clock"),
    Column("run_key", Text, unique=True, comment="Key of the weekly run; the same key promotes once"),
    Column(
        "sha256",
        Text,
        comment="SHA-256 of the bytes that became primary; null for an adopted row without a usable file",
    ),
    Column(
        "chain",
        Text,
        comment="SHA-256 over this row, its evidence and the chain of the row before; a changed or deleted row shows "
        "in `gatekeeper doctor` and `gatekeeper verify`",
    ),
    Column(
        "order_digest",
        Text,
        comment="SHA-256 of what was ordered with the run key, which does nothing else; null in older rows",
    ),
    Column(
        "discounted_at",
        Instant,
        comment="When `gatekeeper doctor --repair` marked the row, whose time or as-of lay ahead of the clock: neither "
        "counts since; null for all others",
    ),
    Index("gatekeeper_promotion_as_of", "as_of"),
    Index("gatekeeper_promotion_to", "to_id"),
    comment="History: every change of the primary, only ever added to",
)

holds = Table(
    "gatekeeper_hold",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the hold"),
    Column("actor", Text, nullable=False, comment="Who placed it"),
    Column("reason", Text, nullable=False, comment="Why it was placed"),
    Column("until", Instant, comment="When it ends by itself; null if only a person ends it"),
    Column("at", Instant, nullable=False, comment="When it was placed"),
    Column("released_at", Instant, comment="When it was released; null while it is in force"),
    Column("released_by", Text, comment="Who released it"),
    Column("release_reason", Text, comment="Why it was released"),
    Column("run_key", Text, comment="Key of the run that placed it; the same key places one hold"),
    Column("order_digest", Text, comment="SHA-256 of what was ordered with the run key"),
    Column("release_key", Text, comment="Key of the run that released it; the same key releases nothing more"),
    sqlite_autoincrement=True,
    comment="Holds: while any is in force, weekly runs judge but promote nothing",
)

quarantines = Table(
    "gatekeeper_quarantine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the quarantine"),
    Column("model_id", Id, ForeignKey("RLModel.id"), nullable=False, comment="Model that was rolled back from"),
    Column(
        "sha256", Text, nullable=False, index=True, comment="SHA-256 of the bytes that are barred, under whatever name"
    ),
    Column("actor", Text, nullable=False, comment="Who rolled back"),
    Column("reason", Text, nullable=False, comment="Why the rollback was done"),
    Column("at", Instant, nullable=False, comment="When the rollback was done"),
    Column("released_at", Instant, comment="When the quarantine was cleared; null while it is in force"),
    Column("released_by", Text, comment="Who cleared it"),
    Column("release_reason", Text, comment="Why it was cleared"),
    Column("release_key", Text, comment="Key of the run that cleared it; the same key clears nothing more"),
    sqlite_autoincrement=True,
    comment="Quarantines: bytes that were rolled back from and may not be promoted again",
)

approvals = Table(
    "gatekeeper_approval",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the question, in the order of asking"),
    Column("run_key", Text, nullable=False, index=True, comment="Key of the weekly run or act that would promote"),
    Column("model_id", Id, ForeignKey("RLModel.id"), nullable=False, comment="Model that would become the primary"),
    Column("sha256", Text, nullable=False, comment="SHA-256 of its bytes: the answer is about these alone"),
    Column(
        "evaluation_id",
        Id,
        ForeignKey("gatekeeper_evaluation.id"),
        comment="Evaluation that the person was shown; null for a promotion by hand",
    ),
    Column("generation", Integer, nullable=False, comment="Generation of the registry that the question is about"),
    Column("question", Text, nullable=False, comment="Where it was asked: DAG and run"),
    Column("asked_by", Text, comment="User who asked; null if a schedule or an asset did, or if nobody knows"),
    Column("asked_at", Instant, nullable=False, comment="When it was asked"),
    Column("answered_by", Text, comment="User who answered; null if nobody did"),
    Column("answer", Text, comment="approved, rejected, or expired (nobody answered in time); null while it is open"),
    Column("at", Instant, comment="When it was answered"),
    sqlite_autoincrement=True,
    comment="Approvals: whom a promotion was asked for, who answered, and what; the promotion reads its answer here",
)

unchanged = Table(
    "gatekeeper_act",
    metadata,
    Column(
        "run_key", Text, primary_key=True, comment="Key of the run or of the caller; the same key does nothing else"
    ),
    Column("act", Text, nullable=False, comment="promotion, release (of holds) or clearing (of a quarantine)"),
    Column("order_digest", Text, nullable=False, comment="SHA-256 of what was ordered with the run key"),
    Column("outcome", Text, nullable=False, comment="What was found instead of something to change, as a clause"),
    Column("generation", Integer, nullable=False, comment="Generation of the registry that it was found in"),
    Column("at", Instant, nullable=False, comment="When it was found"),
    comment="Run keys of acts that had nothing to change, so that repeating one later changes nothing either",
)

retired = Table(
    "gatekeeper_retired",
    metadata,
    Column("name", Text, primary_key=True, comment="File name inside the model store"),
    Column("at", Instant, nullable=False, comment="When it was retired"),
    comment="File names that no row uses any more, kept until their grace period is over",
)

lock = Table(
    "gatekeeper_lock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="Always 1"),
    Column("generation", Integer, nullable=False, comment="Number of the newest promotion; 0 before the first"),
    Column("epoch", Text, comment="Random text that each `gatekeeper db restore` replaces; null before the first"),
    comment="One row: writers queue on it, and it counts the promotions",
)
