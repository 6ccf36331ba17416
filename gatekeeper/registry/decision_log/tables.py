"""Decision tables: `"RLDataset"` and its side table.

`"RLDataset"` keeps the nine columns of the older table, so that programs which train on it go on working; a table made
by another server stays as it is. All other facts are in the side table.
"""

from sqlalchemy import JSON, Boolean, Column, Float, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from gatekeeper.registry.db.created_at import CreatedAt
from gatekeeper.registry.db.tables import Id, Instant, metadata

DATASET = "RLDataset"

dataset = Table(
    DATASET,
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("ts", CreatedAt, nullable=False),  # the idea's own time
    Column("symbol", Text, nullable=False),
    Column("featureVec", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Float),
    Column("strategyVersionId", Text),
    Column("gateScore", Float),
    Column("modelId", Id),
    sqlite_autoincrement=True,
)

# No foreign key to "RLDataset": a table of another tool may lack the unique id that it needs, and may lose rows.
decisions = Table(
    "gatekeeper_decision",
    metadata,
    Column("dataset_id", Id, primary_key=True, autoincrement=False),
    Column("idea_id", Text, nullable=False),
    Column("at", Instant, nullable=False),  # receipt
    Column("time", Instant, nullable=False),  # the idea's own, to the microsecond
    Column("strategy", Text),
    Column("threshold", Float, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("sha256", Text),
    Column("degraded", Boolean, nullable=False),
    Column("closed_at", Instant),
    Column("known_at", Instant),
    Column("stated", Boolean),  # known_at is what the sender said, and not our receipt
    Column("outcome_at", Instant),  # receipt of the outcome
    Index("gatekeeper_decision_idea", "idea_id", unique=True),
)
