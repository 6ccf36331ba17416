"""Eligibility of an as-of: which promotion keeps a past week from promoting, and in which words."""

from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, select

from gatekeeper.registry.db import tables
from gatekeeper.registry.records import KINDS_BY_EVALUATION, Promotion, promotion_of

UNKNOWN = "a later week was promoted already"
"""What is said of a past week whose promotion is not on record."""

LARGEST = 2**31 - 1

_p = tables.promotions.c
_weekly = _p.kind.in_(KINDS_BY_EVALUATION)
# Built once: SQLAlchemy takes longer to build these than the database to answer them.
_LATER = select(tables.promotions).where(
    _p.discounted_at.is_(None)
    & (_p.generation <= bindparam("generation", type_=Integer))
    & (_p.as_of >= bindparam("as_of", type_=tables.Instant()))
)
_BY_RUN = _LATER.where(_weekly).order_by(_p.as_of.desc()).limit(1)
_BY_HAND = _LATER.where(~_weekly).order_by(_p.generation.desc()).limit(1)


def blocker(connection: Connection, as_of: datetime, generation: int | None = None) -> Promotion | None:
    """The promotion that makes `as_of` a past week; None if it may promote.

    It is that of a weekly run with this as-of or a later one, else the newest act by hand with such an as-of: it was
    made when this one was known. With `generation`, as things stood then. Rows that `doctor --repair` marked count for
    nothing.
    """
    asked = {"as_of": as_of, "generation": LARGEST if generation is None else generation}
    for statement in (_BY_RUN, _BY_HAND):
        if row := connection.execute(statement, asked).first():
            return promotion_of(row)
    return None


def not_eligible(connection: Connection, as_of: datetime, generation: int | None = None) -> str | None:
    """The reason that an evaluation as of `as_of` can't promote, as a clause; None if it may. As in `blocker`."""
    made = blocker(connection, as_of, generation)
    if made is None:
        return None
    if made.by_evaluation:
        which = "this week" if made.as_of == as_of else f"a later week (as of {_told(made.as_of)})"
        return f"{which} was promoted already"
    act = {"rollback": "rollback", "adopted": "adoption"}.get(made.kind, "promotion by hand")
    known = "" if made.as_of == made.at else f", which knew the data as of {_told(made.as_of)}"
    return f"as-of {_told(as_of)} lies before the {act} of {_told(made.at)}{known}"


def _told(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
