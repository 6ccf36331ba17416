"""Revision 0002: the table of scored ideas, if no other tool has made it, and its side table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # as wide as the ids of any other tool
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the missing tables; an existing `"RLDataset"` stays as it is, whatever its columns."""
    if not sa.inspect(op.get_bind()).has_table("RLDataset"):
        _dataset_table()
    op.create_table(
        "gatekeeper_decision",
        sa.Column("dataset_id", ID, primary_key=True, autoincrement=False),
        sa.Column("idea_id", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("strategy", sa.Text),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("degraded", sa.Boolean, nullable=False),
        sa.Column("closed_at", INSTANT),
        sa.Column("known_at", INSTANT),
        sa.Column("stated", sa.Boolean),
        sa.Column("outcome_at", INSTANT),
        sa.Index("gatekeeper_decision_idea", "idea_id", unique=True),
    )


def _dataset_table() -> None:
    op.create_table(
        "RLDataset",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("ts", INSTANT, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("featureVec", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Float),
        sa.Column("strategyVersionId", sa.Text),
        sa.Column("gateScore", sa.Float),
        sa.Column("modelId", ID),
        sqlite_autoincrement=True,
    )
