"""Is the history as it was written? Each row of it carries a hash over itself, its evidence and the row before.

Whoever changes, adds or removes a row in between breaks the chain from there on; whoever holds the hash of a later row
(a receipt does) sees a chain that was written anew.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.records import Promotion, promotion_of

GENESIS = hashlib.sha256(b"gatekeeper").hexdigest()
"""What the first row follows on."""

Entry = dict[str, Any]

_FIELDS = tuple(name for name in Promotion.__slots__ if name != "chain")


def entry(connection: Connection, promotion: Promotion) -> Entry:
    """A row with the sha256 of the evaluation that it rests on; JSON-friendly."""
    fields = {name: _plain(getattr(promotion, name)) for name in _FIELDS}
    rests_on = promotion.evaluation_id
    return {**fields, "evidence": None if rests_on is None else evidence_of(facts(connection, rests_on))}


def link(before: str, row: Mapping[str, Any]) -> str:
    """The hash of an entry that follows on `before`."""
    return hashlib.sha256(f"{before}\n{canonical(row)}".encode()).hexdigest()


def evidence_of(evaluation: Mapping[str, Any]) -> str:
    """The sha256 of an evaluation: its facts and its document, as JSON gives them back."""
    return hashlib.sha256(canonical(evaluation).encode()).hexdigest()


def canonical(value: object) -> str:
    """One text for one value: keys sorted, no space, ASCII. Raises ValueError for what is not finite."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def chained(connection: Connection, promotion: Promotion, newest: Promotion | None) -> Promotion:
    """The row as it is to be written behind the newest one."""
    before = GENESIS if newest is None or newest.chain is None else newest.chain
    return replace(promotion, chain=link(before, entry(connection, promotion)))


def seal(work: Work) -> None:
    """Chain the rows that an older Gatekeeper wrote, as they are now."""
    before = GENESIS
    for promotion in history(work.connection):
        sealed = promotion
        if promotion.chain is None:
            artifact = select(tables.artifacts.c.sha256).where(tables.artifacts.c.model_id == promotion.to_id)
            sealed = replace(promotion, sha256=work.connection.execute(artifact).scalar())
            sealed = replace(sealed, chain=link(before, entry(work.connection, sealed)))
            here = tables.promotions.c.generation == promotion.generation
            values = {"sha256": sealed.sha256, "chain": sealed.chain}
            work.connection.execute(update(tables.promotions).where(here).values(**values))
        before = str(sealed.chain)


def history(connection: Connection) -> list[Promotion]:
    """All promotions, the oldest first."""
    rows = connection.execute(select(tables.promotions).order_by(tables.promotions.c.generation))
    return [promotion_of(row) for row in rows]


def entries(connection: Connection) -> list[Entry]:
    """The whole chain, as a receipt keeps it: every row, each with its hash."""
    return [{**entry(connection, row), "chain": row.chain} for row in history(connection)]


def first_break(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The generation of the first row that isn't as it was written, or doesn't follow on the one before it."""
    before = GENESIS
    for row in rows:
        if link(before, {name: value for name, value in row.items() if name != "chain"}) != row["chain"]:
            return int(row["generation"])
        before = row["chain"]
    return None


def facts(connection: Connection, evaluation_id: int) -> Entry:
    """An evaluation's row, JSON-friendly; its report is a place on some disk, and no evidence."""
    row = connection.execute(select(tables.evaluations).where(tables.evaluations.c.id == evaluation_id)).one()
    said = {name: _plain(value) for name, value in row._mapping.items() if name != "report"}
    return {**said, "document": json.loads(row.document)}


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
