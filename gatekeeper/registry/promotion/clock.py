"""Clock of acts: the database's time and as-of of an act by hand, and the refusal of times that lie ahead of it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, union_all

from gatekeeper.documents import evaluation as documents
from gatekeeper.errors import AsOfError, ClockBehind
from gatekeeper.registry.db import database, tables
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.records import COPIED

HISTORICAL = timedelta(days=365)
"""Data whose newest bar was older than this when it was judged are replayed history."""

_e, _p = tables.evaluations.c, tables.promotions.c
_STORED = union_all(
    select(func.max(_p.at).label("at")).where(_p.discounted_at.is_(None)),
    select(func.max(_e.at).label("at")).where(_e.discounted_at.is_(None) & (_e.kind != COPIED)),
)
_NEWEST = (
    select(_e.as_of, _e.at, _e.document)
    .where((_e.kind != COPIED) & _e.discounted_at.is_(None))
    .order_by(_e.id.desc())
    .limit(1)
)
_MEND = "Set the clock right, or run `gatekeeper doctor --repair`, which marks such rows so that they no longer count."


def now(connection: Connection) -> datetime:
    """The database's time, aware UTC: that of every act."""
    return database.now(connection)


def by_hand(connection: Connection, at: datetime) -> datetime:
    """The as-of of an act by hand at the time `at`.

    It is `at`; if the newest evaluation was made on historical data, it is that evaluation's as-of, or the highest that
    was promoted if that is later, so that the weeks after it go on.
    """
    newest = connection.execute(_NEWEST).first()
    if newest is None:
        return at
    bar = documents.summary(newest.document).data.newest
    if bar is None or bar.utcoffset() is None or newest.at - bar <= HISTORICAL:
        return at
    highest = catalogue.highest_as_of(connection)
    judged: datetime = newest.as_of
    return min(at, judged if highest is None else max(judged, highest))


def refuse_behind(connection: Connection, at: datetime) -> None:
    """Raise ClockBehind if a stored act is newer than `at`, the database's time, on SQLite: its clock is the host's."""
    if database.of(connection).has_own_clock:
        return
    stored = [row.at for row in connection.execute(_STORED) if row.at is not None]
    if stored and max(stored) > at:
        raise ClockBehind(
            "It is {} by this machine's clock, but the registry holds an act of {}. {}".format(
                *_told(at, max(stored)), _MEND
            )
        )


def refuse_future(connection: Connection, as_of: datetime) -> None:
    """Raise AsOfError for an as-of beyond the database's clock, ClockBehind if the highest that was promoted is."""
    at = now(connection)
    if as_of > at:
        asked, here = _told(as_of, at)
        raise AsOfError(
            f"The as-of {asked} lies in the future: it is {here} by the clock of the registry's database. "
            "Wait until then, or give an earlier as-of."
        )
    highest = catalogue.highest_as_of(connection)
    if highest is not None and highest > at:
        promoted, here = _told(highest, at)
        raise ClockBehind(
            f"A model with the as-of {promoted} was promoted, but it is {here} by the clock of the "
            f"registry's database. {_MEND}"
        )


def _told(one: datetime, other: datetime) -> tuple[str, str]:
    """Two different instants, to the second; to the microsecond if they would look the same."""
    form = "%Y-%m-%d %H:%M:%S UTC"
    if f"{one:{form}}" == f"{other:{form}}":
        form = "%Y-%m-%d %H:%M:%S.%f UTC"
    return f"{one:{form}}", f"{other:{form}}"
