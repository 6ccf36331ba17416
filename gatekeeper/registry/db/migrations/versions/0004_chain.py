"""Revision 0004: each row of the history carries a hash over itself and the row before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty at first: `db upgrade` fills it in."""
    op.add_column("gatekeeper_promotion", sa.Column("sha256", sa.Text))
    op.add_column("gatekeeper_promotion", sa.Column("chain", sa.Text))
