"""Revision 0004: the hash chain of the promotion history."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty; `db upgrade` fills them in."""
    op.add_column("gatekeeper_promotion", sa.Column("sha256", sa.Text))
    op.add_column("gatekeeper_promotion", sa.Column("chain", sa.Text))
