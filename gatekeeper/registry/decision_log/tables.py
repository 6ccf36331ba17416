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
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the scored idea"),
    Column("ts", CreatedAt, nullable=False, comment="Time of the idea"),
    Column("symbol", Text, nullable=False, comment="Symbol of the idea"),
    Column(
        "featureVec",
        JSON().with_variant(JSONB(), "postgresql"),
        nullable=False,
        comment="The seven features as a JSON array of numbers",
    ),
    Column("action", Text, nullable=False, comment="Direction of the trade: buy or sell"),
    Column(
        "outcome", Float, comment="Net return of the trade as a fraction of its entry price; null until it is known"
    ),
    Column("strategyVersionId", Text, comment="Strategy that had the idea; null if it was not named"),
    Column("gateScore", Float, comment="Score of the idea; null if no model answered"),
    Column("modelId", Id, comment="Model that scored it; null if no model answered"),
    sqlite_autoincrement=True,
    comment="Scored ideas, one row each, in the nine columns that older servers write",
)

# No foreign key to "RLDataset": a table of another tool may lack the unique id that it needs, and may lose rows.
decisions = Table(
    "gatekeeper_decision",
    metadata,
    Column("dataset_id", Id, primary_key=True, autoincrement=False, comment="Row of RLDataset that this is about"),
    Column("idea_id", Text, nullable=False, comment="Name of the idea, by which its outcome is reported"),
    Column("at", Instant, nullable=False, comment="When the server received the idea"),
    Column("time", Instant, nullable=False, comment="Time of the idea, to the microsecond"),
    Column("strategy", Text, comment="Strategy that had the idea; null if it was not named"),
    Column("threshold", Float, nullable=False, comment="Score below which the idea was to be vetoed"),
    Column("approved", Boolean, nullable=False, comment="Whether the idea was approved"),
    Column("sha256", Text, comment="SHA-256 of the model that answered; null if none did"),
    Column("degraded", Boolean, nullable=False, comment="Whether a model other than the primary answered, or none"),
    Column("closed_at", Instant, comment="When the trade was closed; null until the outcome is known"),
    Column("known_at", Instant, comment="When the outcome was known; data later than an as-of are not used for it"),
    Column("stated", Boolean, comment="Whether the sender stated known_at; otherwise it is the time of receipt"),
    Column("outcome_at", Instant, comment="When the server received the outcome"),
    Column("version", Text, comment="Name that the model had when it answered; null if none did, or on older servers"),
    Index("gatekeeper_decision_idea", "idea_id", unique=True),
    comment="What the server decided on a scored idea, beside its row of RLDataset",
)

conflicts = Table(
    "gatekeeper_conflict",
    metadata,
    Column("idea_id", Text, primary_key=True, comment="Name of the idea that has another decision in the log"),
    Column("content", Text, primary_key=True, comment="SHA-256 of what follows, so that each is stored once"),
    Column("at", Instant, nullable=False, comment="When the server received the idea"),
    Column("time", Instant, nullable=False, comment="Time of the idea, to the microsecond"),
    Column("symbol", Text, nullable=False, comment="Symbol of the idea"),
    Column("features", Text, nullable=False, comment="The seven features as a JSON array of numbers"),
    Column("score", Float, comment="Score of the idea; null if no model answered"),
    Column("approved", Boolean, nullable=False, comment="Whether the idea was approved"),
    Column("model_id", Id, comment="Model that scored it; null if no model answered"),
    Column("sha256", Text, comment="SHA-256 of that model; null if no model answered"),
    Column("version", Text, comment="Name that this model had when it answered; null if none did, or on older servers"),
    comment="Answers that differ from the logged decision of the same idea: the row that arrived first counts",
)
