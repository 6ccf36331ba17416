"""Run keys of acts by hand: what a key has done, so that it does nothing else."""

from sqlalchemy import Connection, Table, select

from gatekeeper.registry.context import plain
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.orders import key_used
from gatekeeper.registry.records import Promotion

PROMOTION, HOLD, RELEASE, CLEARING = "promotion", "hold", "release", "clearing"
"""The kinds of acts with a key, each recorded in a place of its own."""

_h, _q = tables.holds.c, tables.quarantines.c


def refuse_other_act(connection: Connection, run_key: str | None, kind: str, asked: str) -> None:
    """Raise KeyUsed if the key has done an act of another kind than `kind`. `asked`: what it is to do now.

    Raises ConfigError for a blank key, and for one that a database can't store.
    """
    if run_key is None:
        return
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


def moved(made: Promotion) -> str:
    """What a promotion or rollback did, as a clause."""
    verb = "rolled back to" if made.kind == "rollback" else "promoted"
    return f"{verb} model {made.to_id} in generation {made.generation}, on {made.at:%Y-%m-%d %H:%M} UTC ({made.reason})"


def _first(connection: Connection, table: Table, here: object) -> int | None:
    shown = table.c.id if table is tables.holds else table.c.model_id
    found: int | None = connection.execute(select(shown).where(here).order_by(table.c.id).limit(1)).scalar()  # type: ignore[arg-type]  # a condition
    return found
