"""Alembic environment: migrates on the connection, and inside the transaction, of `db upgrade`."""

from alembic import context

from gatekeeper.registry.db.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
