"""Schema revision: checks that the tables are those of this version, and migrates them.

Alembic is imported lazily: opening a registry does not need it.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from gatekeeper.errors import SchemaOutOfDate
from gatekeeper.registry.db.database import Work, has_index, has_table, of
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.db.tables import HEAD, ONE_PRIMARY, ONE_PRIMARY_DDL, VERSION_TABLE

COLUMNS = {"id", "version", "path", "description", "createdAt"}
NO_IDS = {"text", "character varying", "uuid"}  # types that can't be compared with a number


def revision(connection: Connection) -> str | None:
    """The revision of the tables; None if Gatekeeper's tables are missing."""
    if not has_table(connection, VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # a constant
    return found


def refuse_other_revision(connection: Connection, name: str) -> None:
    """Raise SchemaOutOfDate unless the tables are of this version."""
    found = revision(connection)
    if found is None:
        raise SchemaOutOfDate(f"{name} holds no registry yet. {UPGRADE}")
    if found != HEAD:
        raise SchemaOutOfDate(
            f"The registry {name} is at revision {found}; this version of Gatekeeper needs {HEAD}. {UPGRADE} "
            "If the revision is newer, install a newer Gatekeeper."
        )


def to_head(work: Work) -> None:
    """Run the missing migrations inside the transaction. Raises SchemaOutOfDate for tables that can't be adopted."""
    connection = work.connection
    _refuse_other_table(connection)
    found = revision(connection)
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaOutOfDate(
            f"The registry is at revision {found}, which this version of Gatekeeper does not know. Install a newer one."
        )
    command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Any:
    """Alembic's configuration for this package's migrations on this connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def secure_names(connection: Connection) -> None:
    """Make the unique index that allows one primary, and one on `version` if the table lacks it.

    Only for tables without duplicates: adoption checks first, and the naming migration removes them.
    """
    if not has_index(connection, ONE_PRIMARY):  # IF NOT EXISTS would ask for the owner's rights even if it exists
        connection.execute(text(ONE_PRIMARY_DDL))
    if "version" not in of(connection).unique_columns(connection) and _repeated(connection, "version") is None:
        connection.execute(text('CREATE UNIQUE INDEX gatekeeper_version ON "RLModel" (version)'))


def _refuse_other_table(connection: Connection) -> None:
    if of(connection).is_view(connection, "RLModel"):
        raise SchemaOutOfDate(
            '"RLModel" is a view. Gatekeeper needs the table: name the database or schema that has it.'
        )
    if not has_table(connection, "RLModel"):
        return
    there = of(connection).declared_types(connection, "RLModel")
    missing = COLUMNS - there.keys()
    if missing:
        others = sorted(there.keys() - COLUMNS)
        raise SchemaOutOfDate(
            f'The table "RLModel" lacks {", ".join(sorted(missing))}. '
            f"Gatekeeper needs the columns {', '.join(sorted(COLUMNS))}, by these names."
            + (f" It also has {', '.join(others)}: rename a column that is meant." if others else "")
        )
    if of(connection).declared_type(connection, "id") in NO_IDS:
        raise SchemaOutOfDate('The column id of the table "RLModel" is not a number. Gatekeeper needs integer ids.')
    if "id" not in of(connection).unique_columns(connection):
        if (twice := _repeated(connection, "id")) is not None:
            raise SchemaOutOfDate(
                f'The table "RLModel" has the id {twice} more than once. Give each row its own id first.'
            )
        connection.execute(text('CREATE UNIQUE INDEX gatekeeper_id ON "RLModel" (id)'))


def _repeated(connection: Connection, column: str) -> object | None:
    """A value that several rows have in this column; None if there is none. Nulls may repeat."""
    twice = f'SELECT "{column}" FROM "RLModel" GROUP BY "{column}" HAVING count("{column}") > 1 LIMIT 1'  # noqa: S608  # constants of this module
    return connection.execute(text(twice)).scalar()
