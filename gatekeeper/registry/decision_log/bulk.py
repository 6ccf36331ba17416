"""Bulk insert: many rows in few statements.

Each statement delays a scoring thread once, and a driver's work for each value takes time from that thread too.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import chain

from sqlalchemy import Connection

from gatekeeper.registry.db import writes
from gatekeeper.registry.db.database import of

STATEMENT_ROWS = (256, 64, 16, 4, 1)  # few sizes, so that the driver can cache each statement


def insert_rows(
    connection: Connection,
    table: str,
    columns: Mapping[str, str],
    rows: Sequence[Sequence[object]],
    *,
    tail: str = "",
) -> int:
    """Insert `rows`; returns how many are new: all, unless the `tail` says what to do with a row that is there.

    columns: names and declared types, in the order of the values. Raises ConfigError if the database dropped a row.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    into = f'INSERT INTO "{table}" ({names}) {of(connection).overriding}'
    if connection.dialect.name == "sqlite":
        return _with_parameters(connection, table, into, len(columns), rows, tail)
    return _as_json(connection, table, into, columns, rows, tail)


def _with_parameters(
    connection: Connection, table: str, into: str, width: int, rows: Sequence[Sequence[object]], tail: str
) -> int:
    one = f"({','.join('?' * width)})"
    added = start = 0
    for size in STATEMENT_ROWS:
        words = f"{into} VALUES {','.join([one] * size)} {tail}"
        while start + size <= len(rows):
            values = tuple(chain.from_iterable(rows[start : start + size]))
            added += writes.driver(connection, words, values, table=table, least=0 if tail else size, most=size)
            start += size
    return added


def _as_json(
    connection: Connection,
    table: str,
    into: str,
    columns: Mapping[str, str],
    rows: Sequence[Sequence[object]],
    tail: str,
) -> int:
    """Send one JSON array, which the server unpacks; each value is cast to the type of its column."""
    if not rows:
        return 0
    values = ", ".join(f"(v ->> {place}){_cast(declared)}" for place, declared in enumerate(columns.values()))
    words = f"{into} SELECT {values} FROM json_array_elements(%s::json) AS v {tail}"  # noqa: S608  # constants of this module
    least = 0 if tail else len(rows)
    return writes.driver(connection, words, (json.dumps(rows),), table=table, least=least, most=len(rows))


def _cast(declared: str) -> str:
    """The cast to a column's type; "" for text, since a cast to varchar(n) truncates what the column would refuse."""
    return "" if declared.startswith("character") else f"::{declared}"
