"""Revision 0006: digests of orders, keys of holds and releases, and marks of rows whose time lay ahead of the clock."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = {
    "gatekeeper_artifact": ["order_digest"],
    "gatekeeper_promotion": ["order_digest"],
    "gatekeeper_hold": ["run_key", "order_digest", "release_key"],
    "gatekeeper_quarantine": ["release_key"],
}


def upgrade() -> None:
    """Add the columns, all null in the rows that are there."""
    for table, names in TEXT.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.Text()))
    for table in ("gatekeeper_evaluation", "gatekeeper_promotion"):
        op.add_column(table, sa.Column("discounted_at", sa.DateTime(timezone=True)))
