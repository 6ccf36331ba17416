"""Older tables: rows that can't be adopted, implausible times, and tables whose names are nearly `"RLModel"`."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import Connection, column, select, table, text

from gatekeeper.registry import naming
from gatekeeper.registry.db import created_at, tables
from gatekeeper.registry.db.database import of
from gatekeeper.registry.db.dialect import is_id

NAME = tables.models.name
LIKENESS = 0.85  # of two names without case and signs: RL_Models has 0.93, RLDataset 0.38
_CREATED = 'CAST("createdAt" AS TEXT)'  # as PostgreSQL's driver can always read it
_untyped = table(NAME, *(column(name) for name in ("id", "version", "createdAt")))


@dataclass(frozen=True, slots=True)
class Refused:
    """A row without a usable id, which Gatekeeper can't refer to. `claims`: it is named as the primary."""

    text: str
    claims: bool


def refused_rows(connection: Connection) -> list[Refused]:
    """The rows whose id is not a whole number: null, a fraction, text, bytes, or beyond 64 bits."""
    rows = connection.execute(
        select(_untyped.c.id, _untyped.c.version).where(text(f"(id IS NULL OR NOT ({is_id()}))"))
    ).all()
    return [
        Refused(
            f"A row ({version!r}) has the id {'null' if number is None else repr(number)}. Gatekeeper needs a whole "
            "number: give the row one, then run `gatekeeper db upgrade`.",
            isinstance(version, str) and naming.is_primary(version),
        )
        for number, version in rows
    ]


def undated(connection: Connection) -> dict[int, str]:
    """The models whose `createdAt` is a value that can't be their time, each with that value."""
    known = tables.models.c
    raw = text(f'SELECT id, {_CREATED} AS stored FROM "{NAME}" WHERE {is_id()} AND "createdAt" IS NOT NULL')  # noqa: S608  # constants of this module
    without = {row.id for row in connection.execute(select(known.id, known.createdAt)) if row.createdAt is None}
    return {int(row.id): str(row.stored) for row in connection.execute(raw).all() if row.id in without}


def undated_text(stored: str) -> str:
    """What is wrong with a `createdAt` that can't be a model's time."""
    read = created_at.read(stored)
    shown = f", read as {read:%Y-%m-%d %H:%M} UTC" if read is not None else ""
    return (
        f"createdAt is {stored[:40]!r}{shown}: no time that a model can have (2017 to now). It counts as unknown, so "
        "a model that doesn't state the end of its training data can't be judged. Correct the value."
    )


def similar_tables(connection: Connection) -> list[str]:
    """The tables whose name is nearly `"RLModel"`, or is that in another schema without a registry."""
    names = of(connection).other_tables(connection)
    near = get_close_matches(_plain(NAME), {_plain(name) for _, name in names}, n=len(names) or 1, cutoff=LIKENESS)
    return [f"{schema}.{name}" if schema else name for schema, name in names if _plain(name) in near]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
