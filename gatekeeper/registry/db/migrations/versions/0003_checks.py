"""Revision 0003: the monitor's checks, and the alarms sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "gatekeeper_check",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("model_id", ID, sa.ForeignKey("RLModel.id"), nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.UniqueConstraint("as_of", "sha256", name="gatekeeper_check_once"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "gatekeeper_alarm",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("run_key", sa.Text, primary_key=True),
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
    )
