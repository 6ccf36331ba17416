"""Hash chain of the promotion history: each row has a hash over itself, its evidence and the row before.

A row that is changed, added or removed breaks the chain from there on. A chain that was rewritten as a whole differs
from the hashes in receipts made before.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.records import Promotion, promotion_of

if TYPE_CHECKING:
    from gatekeeper.documents.receipt import ChainedEntry, HistoryEntry, ReceiptEvaluation
    from gatekeeper.documents.serialization import JsonObject

GENESIS = hashlib.sha256(b"gatekeeper").hexdigest()
"""The hash before the first row."""


def entry(connection: Connection, promotion: Promotion) -> "HistoryEntry":
    """A row with the sha256 of the evaluation that it rests on."""
    from gatekeeper.documents.receipt import HistoryEntry, as_hashed

    rests_on = promotion.evaluation_id
    evidence = None
    if rests_on is not None:
        evidence = evidence_of(as_hashed(facts(connection, rests_on)))
    return HistoryEntry(
        generation=promotion.generation,
        from_id=promotion.from_id,
        to_id=promotion.to_id,
        kind=promotion.kind,
        actor=promotion.actor,
        reason=promotion.reason,
        evaluation_id=rests_on,
        as_of=_hashed(promotion.as_of),
        at=_hashed(promotion.at),
        run_key=promotion.run_key,
        sha256=promotion.sha256,
        evidence=evidence,
    )


def link(before: str, row: "Mapping[str, object]") -> str:
    """The hash of an entry, as JSON, that follows the hash `before`."""
    return hashlib.sha256(f"{before}\n{canonical(row)}".encode()).hexdigest()


def evidence_of(evaluation: object) -> str:
    """The sha256 of an evaluation: its facts and its document, as read from JSON."""
    return hashlib.sha256(canonical(evaluation).encode()).hexdigest()


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII. Raises ValueError for a number that is not finite."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def chained(connection: Connection, promotion: Promotion, newest: Promotion | None) -> Promotion:
    """The row with its hash, to be written after `newest`."""
    from gatekeeper.documents.receipt import as_hashed

    before = GENESIS if newest is None or newest.chain is None else newest.chain
    return replace(promotion, chain=link(before, as_hashed(entry(connection, promotion))))


def seal(work: Work) -> None:
    """Add hashes to the rows that an older Gatekeeper wrote, as they are now."""
    from gatekeeper.documents.receipt import as_hashed

    before = GENESIS
    for promotion in history(work.connection):
        sealed = promotion
        if promotion.chain is None:
            artifact = select(tables.artifacts.c.sha256).where(tables.artifacts.c.model_id == promotion.to_id)
            sealed = replace(promotion, sha256=work.connection.execute(artifact).scalar())
            sealed = replace(sealed, chain=link(before, as_hashed(entry(work.connection, sealed))))
            here = tables.promotions.c.generation == promotion.generation
            values = {"sha256": sealed.sha256, "chain": sealed.chain}
            writes.change(work.connection, tables.promotions, here, values)
        before = str(sealed.chain)


def history(connection: Connection) -> list[Promotion]:
    """All promotions, oldest first."""
    rows = connection.execute(select(tables.promotions).order_by(tables.promotions.c.generation))
    return [promotion_of(row) for row in rows]


def entries(connection: Connection) -> "list[ChainedEntry]":
    """The whole chain as a receipt stores it: every row with its hash."""
    from msgspec import structs

    from gatekeeper.documents.receipt import ChainedEntry

    return [ChainedEntry(**structs.asdict(entry(connection, row)), chain=row.chain) for row in history(connection)]


def first_break(rows: "Iterable[JsonObject]") -> int | None:
    """The generation of the first row that was changed or doesn't follow the row before it; None if all is well.

    Rows are JSON as read, so an added key counts as a change. Raises KeyError for a missing key.
    """
    before = GENESIS
    for row in rows:
        if link(before, {name: value for name, value in row.items() if name != "chain"}) != row["chain"]:
            return int(str(row["generation"]))
        before = str(row["chain"])
    return None


def facts(connection: Connection, evaluation_id: int) -> "ReceiptEvaluation":
    """An evaluation's row without its report: a path on some disk is not evidence.

    Raises DataError if its document is damaged.
    """
    from gatekeeper.documents import evaluation, serialization
    from gatekeeper.documents.receipt import ReceiptEvaluation

    row = connection.execute(select(tables.evaluations).where(tables.evaluations.c.id == evaluation_id)).one()
    return ReceiptEvaluation(
        id=row.id,
        challenger=row.challenger,
        champion=row.champion,
        challenger_sha256=row.challenger_sha256,
        champion_sha256=row.champion_sha256,
        generation=row.generation,
        as_of=_hashed(row.as_of),
        kind=row.kind,
        verdict=row.verdict,
        document=serialization.read_object(row.document, evaluation.named(row.id)),
        run_key=row.run_key,
        at=_hashed(row.at),
    )


def _hashed(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
