"""Spent tests: the number of statistical tests that weekly runs made up to an as-of, counted without documents."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from gatekeeper.registry.db import tables

# Only these kinds can promote by chance: a bootstrap compares with nothing, and a what-if never promotes.
SPENDING = ("weekly", "recovery")

_e, _p = tables.evaluations.c, tables.promotions.c


@dataclass(frozen=True, slots=True)
class SpentCount:
    """The spent tests (an as-of and its settings), their number of as-ofs, and how many other runs promoted."""

    spent: int
    as_ofs: int
    promoted: int


def spent(connection: Connection, as_of: datetime, run_key: str | None, days: int) -> SpentCount:
    """The tests spent in the `days` up to `as_of`, that of `run_key` at `as_of` included, recorded yet or not.

    A weekly run that was repeated, since the primary changed or its tasks were cleared, counts as one test.
    """
    since = as_of - timedelta(days=days)
    when = (_e.as_of > since) & (_e.as_of <= as_of) & _e.kind.in_(SPENDING)
    runs = {(row.as_of, row.run_key) for row in connection.execute(select(_e.as_of, _e.run_key).where(when))}
    if run_key is not None:
        runs.add((as_of, run_key))
    by_them = select(_e.run_key).join(tables.promotions, _p.evaluation_id == _e.id).where(when)
    promoted = set(connection.execute(by_them).scalars()) - {run_key}
    return SpentCount(len(runs), len({at for at, _ in runs}), len(promoted))
