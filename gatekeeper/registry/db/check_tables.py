"""Tables of the monitor's checks and of the alarms sent. Both are append-only."""

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from gatekeeper.registry.db.tables import Id, Instant, metadata

checks = Table(  # one for each as-of and primary
    "gatekeeper_check",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("as_of", Instant, nullable=False),
    Column("model_id", Id, ForeignKey("RLModel.id"), nullable=False),
    Column("sha256", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("as_of", "sha256", name="gatekeeper_check_once"),
    sqlite_autoincrement=True,
)

alarms = Table(  # receiver: a digest of its address, which may hold a password
    "gatekeeper_alarm",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("run_key", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)
