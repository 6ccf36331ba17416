"""Revision 0001: the model table, if no other tool has made it, and the side tables.

Written out in full, so that later changes of `tables.py` don't change this revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MODEL = "RLModel.id"
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # as wide as the ids of any other tool
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the missing tables; an existing `"RLModel"` stays as it is."""
    if not sa.inspect(op.get_bind()).has_table("RLModel"):
        _model_table()
    _artifact_tables()
    _evidence_tables()
    _operator_tables()
    _bookkeeping_tables()


def _model_table() -> None:
    op.create_table(
        "RLModel",
        # As the older table has it: a wider number reaches the servers of some languages as text.
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("version", sa.Text, nullable=False, unique=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("createdAt", INSTANT, server_default=sa.text("CURRENT_TIMESTAMP")),
        sqlite_autoincrement=True,
    )


def _artifact_tables() -> None:
    op.create_table(
        "gatekeeper_artifact",
        sa.Column("model_id", ID, sa.ForeignKey(MODEL), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.Text, nullable=False, index=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("feature_schema", sa.Text),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("trained_from", INSTANT),
        sa.Column("trained_to", INSTANT),
        sa.Column("cutoff", INSTANT),
        sa.Column("estimator", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("code_version", sa.Text),
        sa.Column("canary", sa.Text, nullable=False),
        sa.Column("recognised", sa.Text, nullable=False),
        sa.Column("run_key", sa.Text),
        sa.UniqueConstraint("run_key", "sha256", name="gatekeeper_artifact_once"),
    )
    op.create_table(
        "gatekeeper_fault",
        sa.Column("model_id", ID, sa.ForeignKey(MODEL), primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("at", INSTANT, nullable=False),
    )


def _evidence_tables() -> None:
    op.create_table(
        "gatekeeper_evaluation",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("challenger", ID, sa.ForeignKey(MODEL), nullable=False, index=True),
        sa.Column("champion", ID, sa.ForeignKey(MODEL)),
        sa.Column("challenger_sha256", sa.Text, nullable=False),
        sa.Column("champion_sha256", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("run_key", sa.Text, nullable=False),
        sa.Column("report", sa.Text),
        sa.Column("at", INSTANT, nullable=False),
        sa.UniqueConstraint(
            "run_key", "challenger", "generation", "kind", "champion", name="gatekeeper_evaluation_once"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "gatekeeper_promotion",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("from_id", ID, sa.ForeignKey(MODEL)),
        sa.Column("to_id", ID, sa.ForeignKey(MODEL), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evaluation_id", ID, sa.ForeignKey("gatekeeper_evaluation.id")),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("run_key", sa.Text, unique=True),
        sa.Index("gatekeeper_promotion_as_of", "as_of"),
        sa.Index("gatekeeper_promotion_to", "to_id"),
    )


def _operator_tables() -> None:
    op.create_table("gatekeeper_hold", *_standing(sa.Column("until", INSTANT)), sqlite_autoincrement=True)
    op.create_table(
        "gatekeeper_quarantine",
        *_standing(
            sa.Column("model_id", ID, sa.ForeignKey(MODEL), nullable=False),
            sa.Column("sha256", sa.Text, nullable=False, index=True),
        ),
        sqlite_autoincrement=True,
    )


def _standing(*what: "sa.Column[object]") -> list["sa.Column[object]"]:
    """The columns shared by holds and quarantines."""
    return [
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        *what,
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("released_at", INSTANT),
        sa.Column("released_by", sa.Text),
        sa.Column("release_reason", sa.Text),
    ]


def _bookkeeping_tables() -> None:
    op.create_table(
        "gatekeeper_retired",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
    )
    lock = op.create_table(
        "gatekeeper_lock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    op.bulk_insert(lock, [{"id": 1, "generation": 0}])
