"""Counted writes: every INSERT, UPDATE and DELETE of the registry, each checked for the number of rows that it changed.

A row-level security policy, a trigger or a rule can swallow a write without an error. Then the count differs from what
was meant, an error is raised, and the transaction is rolled back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, TableClause, delete, insert, update

from gatekeeper.registry.db.faults import not_kept

_COUNTED = {"preserve_rowcount": True}  # else an INSERT's count is dropped

Row = Mapping[str, object]


def add(connection: Connection, table: TableClause, rows: Row | Sequence[Row]) -> None:
    """Insert one row or several. Raises ConfigError if the database kept another number of rows."""
    meant = 1 if isinstance(rows, Mapping) else len(rows)
    done = connection.execute(insert(table).inline(), rows, execution_options=_COUNTED)
    _refuse(done.rowcount, meant, meant, "INSERT", table.name)


def change(
    connection: Connection,
    table: TableClause,
    where: ColumnElement[bool],
    values: Mapping[str, Any],
    *,
    meant: int = 1,
    each: Sequence[Row] | None = None,
) -> None:
    """Update the rows `where`; `each` holds the bound parameters of one update a row.

    Raises ConfigError if another number of rows than `meant` changed.
    """
    statement = update(table).where(where).values(values)
    done = connection.execute(statement, each, execution_options=_COUNTED)
    _refuse(done.rowcount, meant, meant, "UPDATE", table.name)


def remove(connection: Connection, table: TableClause, where: ColumnElement[bool], *, most: int) -> None:
    """Delete the rows `where`, which may be gone already. Raises ConfigError if more than `most` were deleted."""
    done = connection.execute(delete(table).where(where), execution_options=_COUNTED)
    _refuse(done.rowcount, 0, most, "DELETE", table.name)


def statement(connection: Connection, words: Executable, row: Row, *, table: str) -> None:
    """Execute an INSERT of one row in words of its own. Raises ConfigError unless one row was kept."""
    _refuse(connection.execute(words, row, execution_options=_COUNTED).rowcount, 1, 1, "INSERT", table)


def driver(connection: Connection, words: str, values: tuple[object, ...], *, table: str, least: int, most: int) -> int:
    """Execute an INSERT in the driver's own words; returns how many rows are new.

    Raises ConfigError if these are fewer than `least` or more than `most`.
    """
    rowcount = connection.exec_driver_sql(words, values, execution_options=_COUNTED).rowcount
    _refuse(rowcount, least, most, "INSERT", table)
    return rowcount


def _refuse(rowcount: int, least: int, most: int, verb: str, table: str) -> None:
    if not least <= rowcount <= most:
        raise not_kept(verb, table, most, rowcount)
