"""Revision 0005: the judged model of each deployed refit."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table and its index."""
    op.create_table(
        "gatekeeper_twin",
        sa.Column("model_id", ID, sa.ForeignKey("RLModel.id"), primary_key=True, autoincrement=False),
        sa.Column("twin_id", ID, sa.ForeignKey("RLModel.id"), nullable=False),
    )
    op.create_index("ix_gatekeeper_twin_twin_id", "gatekeeper_twin", ["twin_id"])
