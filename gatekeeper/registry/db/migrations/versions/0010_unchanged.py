"""Revision 0010: run keys of acts that had nothing to change."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "gatekeeper_act",
        sa.Column("run_key", sa.Text, primary_key=True),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("order_digest", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
