"""Revision 0007: the epoch, which tells servers that the database was restored from a backup."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: `gatekeeper db restore` fills it."""
    op.add_column("gatekeeper_lock", sa.Column("epoch", sa.Text))
