"""Comments of the tables and columns, written into a database that keeps them, for whoever looks at it by SQL.

They are written by every `db upgrade`, not by a revision: a comment that reads better is no other schema, and an older
Gatekeeper goes on with it.
"""

from collections.abc import Set as AbstractSet

from sqlalchemy import Connection
from sqlalchemy.schema import SetColumnComment, SetTableComment

from gatekeeper.registry.db.check_tables import checks
from gatekeeper.registry.db.database import of


def write(connection: Connection, foreign: AbstractSet[str]) -> None:
    """Bring the comments up to date. Tables named in `foreign`, which another tool may have made, keep theirs."""
    for table in checks.metadata.sorted_tables:
        if table.name in foreign:
            continue
        present = of(connection).comments(connection, table.name)
        if "" in present and present[""] != table.comment:
            connection.execute(SetTableComment(table))
        for column in table.columns:
            if column.name in present and present[column.name] != column.comment:
                connection.execute(SetColumnComment(column))
