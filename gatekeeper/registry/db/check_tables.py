"""Tables of the monitor's checks and of the alarms sent. Both are append-only."""

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from gatekeeper.registry.db.tables import Id, Instant, metadata

checks = Table(
    "gatekeeper_check",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True, comment="Number of the check"),
    Column("as_of", Instant, nullable=False, comment="Instant beyond which the check knew nothing"),
    Column("model_id", Id, ForeignKey("RLModel.id"), nullable=False, comment="Primary that was checked"),
    Column("sha256", Text, nullable=False, comment="SHA-256 of its bytes"),
    Column("generation", Integer, nullable=False, comment="Generation of the registry that the check was made in"),
    Column("document", Text, nullable=False, comment="JSON: the check document"),
    Column("at", Instant, nullable=False, comment="When the check was recorded"),
    UniqueConstraint("as_of", "sha256", name="gatekeeper_check_once"),
    sqlite_autoincrement=True,
    comment="Daily checks of the primary by the monitor, one for each as-of and primary",
)

alarms = Table(
    "gatekeeper_alarm",
    metadata,
    Column("kind", Text, primary_key=True, comment="Kind of the alarm, such as promoted or stale_feed"),
    Column("run_key", Text, primary_key=True, comment="Key of the run or act that the alarm is about"),
    Column("receiver", Text, primary_key=True, comment="Digest of the receiver's address, which may hold a password"),
    Column("at", Instant, nullable=False, comment="When it was delivered"),
    comment="Alarms that were delivered, so that each receiver gets each alarm once",
)
