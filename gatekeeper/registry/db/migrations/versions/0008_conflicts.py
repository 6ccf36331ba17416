"""Revision 0008: the version that answered an idea, and answers that differ from the logged one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the column, empty, and make the table."""
    op.add_column("gatekeeper_decision", sa.Column("version", sa.Text))
    op.create_table(
        "gatekeeper_conflict",
        sa.Column("idea_id", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("time", INSTANT, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("features", sa.Text, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("model_id", ID),
        sa.Column("sha256", sa.Text),
        sa.Column("version", sa.Text),
    )
