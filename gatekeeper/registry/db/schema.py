"""Are the tables those of this version, and how do they become so?

Alembic is imported inside: opening a registry needs none of it.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from gatekeeper.errors import SchemaOutOfDate
from gatekeeper.registry.db.database import Work, has_table, of
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.db.tables import HEAD, ONE_PRIMARY_DDL, VERSION_TABLE

COLUMNS = {"id", "version", "path", "description", "createdAt"}
NO_IDS = {"text", "character varying", "uuid"}  # what is compared with no number


def revision(connection: Connection) -> str | None:
    """The revision of the tables; None where ours aren't there."""
    if not has_table(connection, VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # a constant
    return found


def refuse_other_revision(connection: Connection, name: str) -> None:
    """Raise SchemaOutOfDate unless the tables are of this version."""
    found = revision(connection)
    if found is None:
        raise SchemaOutOfDate(f"{name} has no registry yet; {UPGRADE}")
    if found != HEAD:
        raise SchemaOutOfDate(
            f"{name} is at revision {found}, this Gatekeeper knows {HEAD}; {UPGRADE}; a newer revision needs a newer "
            "Gatekeeper"
        )


def to_head(work: Work) -> None:
    """Run the migrations that are missing, inside the transaction. Raises SchemaOutOfDate for tables not to be kept."""
    connection = work.connection
    _refuse_other_table(connection)
    found = revision(connection)
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaOutOfDate(f"the registry is at revision {found}, which only a newer Gatekeeper knows: install that")
    command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Any:
    """Alembic's configuration: the scripts of this package, on this connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def secure_names(connection: Connection) -> None:
    """The index that keeps a second primary out, whoever writes, and unique ids and versions where a table lacks them.

    Only for tables whose rows are unique: adoption looks first, the naming migration makes them so.
    """
    connection.execute(text(ONE_PRIMARY_DDL.replace("UNIQUE INDEX", "UNIQUE INDEX IF NOT EXISTS")))
    if "version" not in of(connection).unique_columns(connection) and not _repeats(connection, "version"):
        connection.execute(text('CREATE UNIQUE INDEX gatekeeper_version ON "RLModel" (version)'))


def _refuse_other_table(connection: Connection) -> None:
    if not has_table(connection, "RLModel"):
        return
    missing = COLUMNS - {column["name"] for column in inspect(connection).get_columns("RLModel")}
    if missing:
        raise SchemaOutOfDate(f'the table "RLModel" has no column {", ".join(sorted(missing))}; it needs all five')
    if of(connection).declared_type(connection, "id") in NO_IDS:
        raise SchemaOutOfDate('the column id of the table "RLModel" is no number; Gatekeeper counts its models')
    if "id" not in of(connection).unique_columns(connection):
        if _repeats(connection, "id"):
            raise SchemaOutOfDate('the table "RLModel" has an id twice; give each row its own first')
        connection.execute(text('CREATE UNIQUE INDEX gatekeeper_id ON "RLModel" (id)'))


def _repeats(connection: Connection, column: str) -> bool:
    twice = f'SELECT 1 FROM "RLModel" GROUP BY "{column}" HAVING count(*) > 1 LIMIT 1'  # noqa: S608  # our own names
    return connection.execute(text(twice)).first() is not None
