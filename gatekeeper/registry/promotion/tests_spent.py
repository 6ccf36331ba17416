"""How many looks were spent in the time up to an as-of? Counted by the database: no document is opened."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from gatekeeper.registry.db import tables

# Of them alone a promotion may come by chance: the first model has nobody to beat, a what-if promotes nothing.
SPENDING = ("weekly", "recovery")

_e, _p = tables.evaluations.c, tables.promotions.c


@dataclass(frozen=True, slots=True)
class Looks:
    """What was spent: looks (an as-of and its settings), the as-ofs that they were of, and how many others promoted."""

    spent: int
    as_ofs: int
    promoted: int


def spent(connection: Connection, as_of: datetime, run_key: str | None, days: int) -> Looks:
    """The looks of the `days` up to `as_of`, and the one of `run_key` at `as_of`, whether it is on record yet or not.

    A look that was judged again, since the primary moved, or whose tasks were cleared, is the same look.
    """
    since = as_of - timedelta(days=days)
    when = (_e.as_of > since) & (_e.as_of <= as_of) & _e.kind.in_(SPENDING)
    looks = {(row.as_of, row.run_key) for row in connection.execute(select(_e.as_of, _e.run_key).where(when))}
    if run_key is not None:
        looks.add((as_of, run_key))
    by_them = select(_e.run_key).join(tables.promotions, _p.evaluation_id == _e.id).where(when)
    promoted = set(connection.execute(by_them).scalars()) - {run_key}
    return Looks(len(looks), len({at for at, _ in looks}), len(promoted))
