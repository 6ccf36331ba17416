"""Revision 0009: approvals of promotions, asked for and answered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and its index."""
    op.create_table(
        "gatekeeper_approval",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("run_key", sa.Text, nullable=False),
        sa.Column("model_id", ID, sa.ForeignKey("RLModel.id"), nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("evaluation_id", ID, sa.ForeignKey("gatekeeper_evaluation.id")),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("answered_by", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("at", INSTANT),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gatekeeper_approval_run_key", "gatekeeper_approval", ["run_key"])
