"""Hash chain of the promotion history: each row has a hash over itself, its evidence and the row before.

A row that is changed, added or removed breaks the chain from there on. A chain that was rewritten as a whole differs
from the hashes in receipts made before.
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
"""The hash before the first row."""

Entry = dict[str, Any]

_FIELDS = tuple(name for name in Promotion.__slots__ if name != "chain")


def entry(connection: Connection, promotion: Promotion) -> Entry:
    """A row as JSON values, with the sha256 of the evaluation that it rests on."""
    fields = {name: _plain(getattr(promotion, name)) for name in _FIELDS}
    rests_on = promotion.evaluation_id
    return {**fields, "evidence": None if rests_on is None else evidence_of(facts(connection, rests_on))}


def link(before: str, row: Mapping[str, Any]) -> str:
    """The hash of an entry that follows the hash `before`."""
    return hashlib.sha256(f"{before}\n{canonical(row)}".encode()).hexdigest()


def evidence_of(evaluation: Mapping[str, Any]) -> str:
    """The sha256 of an evaluation: its facts and its document, as read from JSON."""
    return hashlib.sha256(canonical(evaluation).encode()).hexdigest()


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII. Raises ValueError for a number that is not finite."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def chained(connection: Connection, promotion: Promotion, newest: Promotion | None) -> Promotion:
    """The row with its hash, to be written after `newest`."""
    before = GENESIS if newest is None or newest.chain is None else newest.chain
    return replace(promotion, chain=link(before, entry(connection, promotion)))


def seal(work: Work) -> None:
    """Add hashes to the rows that an older Gatekeeper wrote, as they are now."""
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
    """All promotions, oldest first."""
    rows = connection.execute(select(tables.promotions).order_by(tables.promotions.c.generation))
    return [promotion_of(row) for row in rows]


def entries(connection: Connection) -> list[Entry]:
    """The whole chain as a receipt stores it: every row with its hash."""
    return [{**entry(connection, row), "chain": row.chain} for row in history(connection)]


def first_break(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The generation of the first row that was changed or doesn't follow the row before it; None if all is well."""
    before = GENESIS
    for row in rows:
        if link(before, {name: value for name, value in row.items() if name != "chain"}) != row["chain"]:
            return int(row["generation"])
        before = row["chain"]
    return None


def facts(connection: Connection, evaluation_id: int) -> Entry:
    """An evaluation's row as JSON values, without its report: a path on some disk is not evidence."""
    row = connection.execute(select(tables.evaluations).where(tables.evaluations.c.id == evaluation_id)).one()
    fields = {name: _plain(value) for name, value in row._mapping.items() if name != "report"}
    return {**fields, "document": json.loads(row.document)}


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
