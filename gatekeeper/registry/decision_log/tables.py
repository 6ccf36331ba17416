"""Which tables hold the decisions?

`"RLDataset"` keeps the nine columns of the older table, so that what trains on it goes on working; where a server
before us made it, it stays as it is. What it has no column for lives in a side table of ours.
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

# No foreign key to "RLDataset": a table of others may lack the unique id that one needs, and may be thinned out.
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
