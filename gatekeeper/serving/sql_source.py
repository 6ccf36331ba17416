"""Data source `sql:`: ideas scored by servers, with the outcomes known by the as-of.

`sql:` reads the registry's database, `sql:URL` another one. Uses no pandas, so that serving does not need it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from gatekeeper.errors import AsOfError, ConfigError, DataError, GatekeeperError
from gatekeeper.features import FEATURES
from gatekeeper.market.data.calendar.market_days import calendar_of_ideas, check_fresh
from gatekeeper.market.data.trades.closed_trades import (
    GIVEN,
    MEND,
    Mask,
    RowOrigin,
    booked_on_exit,
    check_order,
    check_outcome,
    checked_features,
    equals_one_before,
    repeats,
)
from gatekeeper.market.ideas import Dataset, Ideas, instant, join, moment
from gatekeeper.registry.db import created_at
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.decision_log.log import history
from gatekeeper.registry.decision_log.stored_features import action_of, number_of, vector_of
from gatekeeper.registry.decision_log.tables import DATASET
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.settings import Settings

_WORDS = (  # of the registry's errors, and of a source's
    (UPGRADE, f'Name the database that the servers write to, with its table "{DATASET}".'),
    ("The URL of the registry", "The URL of the database in GATEKEEPER_DATA"),
    (", so nothing has changed", ""),
    ("There is no registry", "There is no database"),
    ("The registry", "The database"),
    ("to registry", "to the database"),
    ("of the registry", "of the database"),
    ("GATEKEEPER_DB", "GATEKEEPER_DATA"),
)
_NEVER = np.datetime64("NaT", "ns")


@dataclass(frozen=True, slots=True, eq=False)
class _Log:
    """The rows that had started by the as-of, and their known times. NaT: unknown.

    at: the receipt of the idea; its own time if another server received it. ours: it has a row in Gatekeeper's side
    table. guessed: its outcome has no time, so closed_at and known_at are the longest hold after the idea.
    """

    rows: Sequence[Row[Any]]
    origin: RowOrigin
    at: NDArray[np.datetime64]
    closed_at: NDArray[np.datetime64]
    known_at: NDArray[np.datetime64]
    ours: Mask
    guessed: Mask

    def pick(self, mask: Mask) -> "_Log":
        origin = self.origin
        return _Log(
            [self.rows[int(i)] for i in np.flatnonzero(mask)],
            RowOrigin(origin.name, origin.number[mask], origin.symbol[mask], origin.time[mask], origin.word),
            self.at[mask],
            self.closed_at[mask],
            self.known_at[mask],
            self.ours[mask],
            self.guessed[mask],
        )


def read(uri: str, as_of: datetime, settings: Settings) -> Dataset:
    """All ideas of the decision log whose outcome was known by the as-of.

    Raises DataError (with the ids at fault), StaleData, AsOfError (before the first idea), ConfigError, Unavailable.
    """
    place, own = str(SecretUrl.source(uri)), uri.partition(":")[2]
    with (
        _told_of_a_source() if own else nullcontext(),
        closing(Database.connect(own or settings.db)) as database,
        database.read() as connection,
    ):
        rows = history(connection, as_of, database.name)
    log = _started(_dated(rows, settings.max_hold), as_of, database.name)
    known = log.pick(log.known_at <= instant(as_of))
    _refuse_unknown_hold(known, settings)
    ideas, notes = _without_repeats(_ideas(known))
    received = log.pick(log.at <= instant(as_of))
    seen = np.concatenate([received.origin.time, known.known_at])
    newest = moment(seen.max())
    check_fresh("idea or outcome", newest, as_of, settings.ideas_freshness_days, place, "IDEAS_FRESHNESS_DAYS")
    notes += _notes(received, known, as_of, settings)
    days, periods = calendar_of_ideas(ideas, as_of, settings.market_calendars)
    return Dataset(ideas, days, periods, as_of, newest, False, place, tuple(notes))


@contextmanager
def _told_of_a_source() -> Iterator[None]:
    """Errors of a database that isn't the registry, in its own words."""
    try:
        yield
    except GatekeeperError as fault:
        text = str(fault)
        for ours, its in _WORDS:
            text = text.replace(ours, its)
        fault.args = (text,)
        raise


def _dated(rows: Sequence[Row[Any]], max_hold: int | None) -> _Log:
    """The rows with their times."""
    ours = np.array([_side(row, "idea_id") is not None for row in rows], dtype=np.bool_)
    times = [_side(row, "time") or created_at.read(row.ts) for row in rows]
    origin = RowOrigin(
        f'"{DATASET}"',
        np.array([row.id for row in rows], dtype=np.int64),
        np.array([_text(row.symbol) for row in rows], dtype=np.str_),
        _instants(times),
        "id",
    )
    origin.refuse(np.isnat(origin.time), "ts is not a readable time", MEND)
    ended = np.array([row.outcome is not None for row in rows], dtype=np.bool_)
    timed = np.array([_side(row, "outcome_at") is not None for row in rows], dtype=np.bool_)
    later = origin.time + np.timedelta64(timedelta(days=max_hold or 0))
    closed_at = _instants([_side(row, "closed_at") for row in rows])
    known_at = _instants([_side(row, "known_at") for row in rows])
    return _Log(
        rows,
        origin,
        at=np.where(ours, _instants([_side(row, "at") for row in rows]), origin.time),
        closed_at=np.where(timed, closed_at, np.where(ended, later, _NEVER)),
        known_at=np.where(timed, known_at, np.where(ended, later, _NEVER)),
        ours=ours,
        guessed=ended & ~timed,
    )


def _started(log: _Log, as_of: datetime, name: str) -> _Log:
    started = log.pick(log.origin.time <= instant(as_of))
    # An idea received later did not count yet, unless its sender states that its outcome was known by then.
    there = started.pick((started.at <= instant(as_of)) | (started.known_at <= instant(as_of)))
    if not len(there.rows):
        first = f"the first is of {log.origin.time.min()}" if len(log.rows) else "it holds none by then"
        raise AsOfError(
            f'The as-of {as_of:%Y-%m-%d %H:%M}Z lies before the ideas in "{DATASET}" of {name}: {first}. '
            "Choose a later as-of, or let servers score ideas first."
        )
    return there


def _refuse_unknown_hold(known: _Log, settings: Settings) -> None:
    """Raise DataError or ConfigError for outcomes without a time, unless GATEKEEPER_MAX_HOLD is valid."""
    count = int(known.guessed.sum())
    if count and settings.max_hold is None:
        raise DataError(
            f'{count} outcomes in "{DATASET}" (ids from {known.origin.number[known.guessed].min()}) come from other '
            "servers and have no time at which they were known. Set GATEKEEPER_MAX_HOLD to the most days that such a "
            "trade was open: each then counts as known that long after its idea."
        )
    if count and settings.max_hold is not None and settings.max_hold > settings.longest_hold_days:
        raise ConfigError(
            f"GATEKEEPER_MAX_HOLD={settings.max_hold} exceeds GATEKEEPER_LONGEST_HOLD_DAYS="
            f"{settings.longest_hold_days}. Lower the former or raise the latter."
        )


def _ideas(known: _Log) -> Ideas:
    """The values of the known rows, checked. Values that were not known yet are not read."""
    origin, rows = known.origin, known.rows
    check_order(origin, known.closed_at, known.known_at)
    vectors = [vector_of(row.featureVec) for row in rows]
    unread = np.array([vector is None for vector in vectors], dtype=np.bool_)
    origin.refuse(unread, "featureVec is neither an array in FEATURES order nor an object by feature name", MEND)
    values = np.array([vector or [] for vector in vectors], dtype=np.float64).reshape(len(rows), len(FEATURES))
    action = np.array([action_of(row.action) for row in rows], dtype=np.float64)
    origin.refuse(
        ~np.isnan(values[:, -1]) & ~np.isnan(action) & (values[:, -1] != action),
        "action and featureVec give different sides",
        MEND,
    )
    given = {name: values[:, place] for place, name in enumerate(GIVEN)}
    features = checked_features(origin, given, np.where(np.isnan(values[:, -1]), action, values[:, -1]))
    outcome = np.array([number_of(row.outcome) for row in rows], dtype=np.float64)
    check_outcome(origin, outcome)
    path_start, path_day, path_return = booked_on_exit(known.closed_at, outcome)
    return Ideas(
        symbol=origin.symbol,
        strategy=np.array([_strategy(row) for row in rows], dtype=np.str_),
        time=origin.time,
        features=features,
        outcome=outcome,
        closed_at=known.closed_at,
        known_at=known.known_at,
        path_start=path_start,
        path_day=path_day,
        path_return=path_return,
    )


def _without_repeats(ideas: Ideas) -> tuple[Ideas, list[str]]:
    """The ideas in order, without exact duplicates. Repeats that differ stay, since each has an id of its own."""
    ideas = join([ideas])
    same = repeats(ideas)
    again = np.array([i for i in np.flatnonzero(same) if equals_one_before(ideas, i)], dtype=np.int64)
    notes = []
    if len(again):
        notes.append(f"{len(again)} exact duplicate idea{'s' * (len(again) != 1)} dropped")
    if differing := int(same.sum()) - len(again):
        notes.append(f"{differing} idea{'s' * (differing != 1)} with the symbol, time and strategy of another one")
    return ideas.take(np.setdiff1d(np.arange(len(ideas)), again)), notes


def _notes(received: _Log, known: _Log, as_of: datetime, settings: Settings) -> list[str]:
    """Notes on missing outcomes: a model that learns only from approved ideas is biased."""
    due = received.origin.time <= instant(as_of - settings.longest_hold)
    missing = ~(received.known_at <= instant(as_of))
    approved = np.array([_side(row, "approved") is not False for row in received.rows], dtype=np.bool_)
    notes = []
    if due.any():
        groups = [
            f"{name} {int((missing & due & group).sum())} of {int((due & group).sum())}"
            for name, group in [
                ("approved", received.ours & approved),
                ("vetoed", received.ours & ~approved),
                ("of other servers", ~received.ours),
            ]
            if (due & group).any() or name != "of other servers"
        ]
        notes.append(f"{int((missing & due).sum())} of {int(due.sum())} outcomes missing ({', '.join(groups)})")
    still_open = int((missing & ~due).sum())
    if still_open:
        notes.append(f"{still_open} idea{'s' * (still_open != 1)} still open left out")
    late = int((known.known_at - known.origin.time > np.timedelta64(settings.longest_hold)).sum())
    if late:
        notes.append(f"{late} outcome{'s' * (late != 1)} known later than {settings.longest_hold_days} days after")
    stated = sum(bool(_side(row, "stated")) for row in known.rows)
    if stated:
        notes.append(f"{stated} outcome{'s' * (stated != 1)} known before receipt, as the sender states")
    if guessed := int(known.guessed.sum()):
        notes.append(
            f"{guessed} outcome{'s' * (guessed != 1)} of other servers, taken as known {settings.max_hold} days after"
        )
    return notes


def _side(row: Row[Any], name: str) -> Any:
    """A column of the side table; None if there is no side table or no row in it."""
    return getattr(row, name, None)


def _instants(moments: Sequence[datetime | None]) -> NDArray[np.datetime64]:
    """The times, (n,) datetime64[ns], from aware UTC."""
    plain = [None if one is None else one.replace(tzinfo=None) for one in moments]
    return np.array(plain, dtype="datetime64[us]").astype("datetime64[ns]")


def _strategy(row: Row[Any]) -> str:
    return _text(_side(row, "strategy") if _side(row, "idea_id") is not None else _side(row, "strategyVersionId"))


def _text(stored: object) -> str:
    return "" if stored is None else str(stored).strip()
