"""Table and column comments, written into databases that support them, for readers of the database by SQL.

Every `db upgrade` writes them, not a revision: a changed comment is not a schema change, and an older Gatekeeper still
works with it.
"""

from collections.abc import Set as AbstractSet

from sqlalchemy import Connection
from sqlalchemy.schema import SetColumnComment, SetTableComment

from gatekeeper.registry.db.check_tables import checks
from gatekeeper.registry.db.database import of


def write(connection: Connection, foreign: AbstractSet[str]) -> None:
    """Bring the comments up to date, except those of tables in `foreign`, which another tool may have made."""
    for table in checks.metadata.sorted_tables:
        if table.name in foreign:
            continue
        present = of(connection).comments(connection, table.name)
        if "" in present and present[""] != table.comment:
            connection.execute(SetTableComment(table))
        for column in table.columns:
            if column.name in present and present[column.name] != column.comment:
                connection.execute(SetColumnComment(column))
