"""Run keys of acts by hand: what a key has done, so that it does nothing else."""

from sqlalchemy import Connection, Table, select

from gatekeeper.registry.context import plain
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work, now
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.orders import key_used
from gatekeeper.registry.records import Promotion

PROMOTION, HOLD, RELEASE, CLEARING = "promotion", "hold", "release", "clearing"
"""The kinds of acts with a key, each recorded in a place of its own."""

_h, _q, _u = tables.holds.c, tables.quarantines.c, tables.unchanged.c


def refuse_other_act(connection: Connection, run_key: str | None, kind: str, order: str, asked: str) -> int | None:
    """The generation in which the key carried out this order and had nothing to change; None if it hasn't.

    `order`: the order's digest. `asked`: the same, as a clause. Raises KeyUsed if the key has done an act of another
    kind than `kind`, or had nothing to change by another order; ConfigError for a key that a database can't store.
    """
    if run_key is None:
        return None
    plain(run_key, "run key")
    if kind != PROMOTION and (made := catalogue.promotion_by_key(connection, run_key)):
        raise key_used(run_key, moved(made), asked)
    for other, told, table, column in (
        (HOLD, "placed hold", tables.holds, _h.run_key),
        (RELEASE, "released hold", tables.holds, _h.release_key),
        (CLEARING, "cleared the quarantine of model", tables.quarantines, _q.release_key),
    ):
        if kind != other and (found := _first(connection, table, column == run_key)) is not None:
            raise key_used(run_key, f"{told} {found}", asked)
    stored = connection.execute(select(tables.unchanged).where(_u.run_key == run_key)).first()
    if stored is None:
        return None
    if stored.order_digest != order:
        raise key_used(run_key, stored.outcome, asked)
    return int(stored.generation)


def note_unchanged(work: Work, run_key: str | None, kind: str, order: str, outcome: str) -> None:
    """Record that an act with this key had nothing to change. `outcome`: what it found, as a clause."""
    if run_key is None:
        return
    connection = work.connection
    noted: dict[str, object] = {"run_key": run_key, "act": kind, "order_digest": order, "outcome": outcome}
    noted |= {"generation": work.generation, "at": now(connection)}
    writes.add(connection, tables.unchanged, noted)
    work.settle()
    stored = connection.execute(select(tables.unchanged).where(_u.run_key == run_key)).one()
    if stored._mapping != noted:
        raise rewritten("the run key", stored, noted)


def moved(made: Promotion) -> str:
    """What a promotion or rollback did, as a clause."""
    verb = "rolled back to" if made.kind == "rollback" else "promoted"
    return f"{verb} model {made.to_id} in generation {made.generation}, on {made.at:%Y-%m-%d %H:%M} UTC ({made.reason})"


def _first(connection: Connection, table: Table, here: object) -> int | None:
    shown = table.c.id if table is tables.holds else table.c.model_id
    found: int | None = connection.execute(select(shown).where(here).order_by(table.c.id).limit(1)).scalar()  # type: ignore[arg-type]  # a condition
    return found
