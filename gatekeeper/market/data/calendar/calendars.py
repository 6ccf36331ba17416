"""Exchange calendars: checks a symbol's bars against its exchange's sessions and finds missing sessions.

Only for symbols that the setting `calendars` names; the market days of the others are the days of their bars.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import Book, Candles, picked
from gatekeeper.market.data.calendar.fx import FX
from gatekeeper.market.data.calendar.market_days import last_closed
from gatekeeper.market.data.calendar.sessions import OTHERS, SETTING, Days, Sessions, calendar_of, sessions
from gatekeeper.market.ideas import instant

SHOWN = 5
_ONE_DAY = np.timedelta64(1, "D")


def within_sessions(book: Book, as_of: datetime, named: Mapping[str, str], ended_after: int) -> Book:
    """The book with the bars of each named symbol assigned to the sessions of its calendar.

    A daily bar is known at its session's close, on early closes too. Intraday bars outside of sessions are left out
    and counted in a note. ended_after: a symbol without a bar for this many days has ended, so none is missing.

    Raises DataError for a session without a bar and for a daily bar without a session; ConfigError.
    """
    candles, notes = [], list(book.notes)
    for bars in book.candles:
        name = calendar_of(bars.symbol, named)
        if name is None:
            candles.append(bars)
            continue
        held = sessions(name, bars.days[0], as_of)
        candles.append(_within_sessions(bars, held, as_of, notes))
        notes += _late(candles[-1], held, as_of, ended_after)
    if absent := sorted(set(named) - {OTHERS} - {bars.symbol for bars in book.candles}):
        notes.append(f"no bars of {', '.join(absent)}, which {SETTING} names")
    return replace(book, candles=tuple(candles), notes=tuple(notes))


def _within_sessions(bars: Candles, held: Sessions, as_of: datetime, notes: list[str]) -> Candles:
    symbol, name = bars.symbol, held.name
    # A day of currencies ends at 17:00 in New York or at midnight in London, and its bars don't say at which.
    if name == FX or np.median(bars.closes_at - bars.opens_at) < _ONE_DAY:
        inside = _overlapping(bars, held)
        if outside := len(bars) - len(inside):
            notes.append(f"{outside} bar{'s' * (outside != 1)} of {symbol} outside the sessions of {name} left out")
    else:
        inside = _daily(bars, held)
        inside = picked(inside, inside.closes_at <= instant(as_of))
    if not len(inside):
        raise DataError(
            f"no bar of {symbol} lies in a session of {name}: are its times in UTC? Fix them, or name another "
            f"calendar in {SETTING}"
        )
    if missing := _named(np.setdiff1d(held.owed(inside.days[0], inside.days[-1]), inside.days)):
        raise DataError(
            f"{symbol} has no bar of the session {missing} of {name}; add the missing bars, or take {symbol} out of "
            f"{SETTING}"
        )
    return inside


def _daily(bars: Candles, held: Sessions) -> Candles:
    days = bars.days
    if strange := _named(np.setdiff1d(days, held.day)):
        raise DataError(
            f"{bars.symbol} has a bar of {strange}, on which {held.name} held no session; remove it, or name another "
            f"calendar in {SETTING}"
        )
    if (np.diff(days) <= np.timedelta64(0, "D")).any():
        raise DataError(f"{bars.symbol} has two bars of one session of {held.name}; keep one of them")
    place = np.searchsorted(held.day, days)
    return replace(bars, opens_at=held.opens_at[place], closes_at=held.closes_at[place], session=days)


def _overlapping(bars: Candles, held: Sessions) -> Candles:
    """The bars that overlap a session, each of the first one that it overlaps; their own closes stay."""
    place = np.searchsorted(held.closes_at, bars.opens_at, side="right")
    inside = place < len(held.day)
    inside[inside] = held.opens_at[place[inside]] < bars.closes_at[inside]
    place = np.minimum(place, len(held.day) - 1)
    return picked(replace(bars, session=held.day[place]), inside)


def _named(days: Days) -> str:
    """The first few days as text, and how many more there are."""
    more = f" and {len(days) - SHOWN} more" if len(days) > SHOWN else ""
    return ", ".join(days[:SHOWN].astype(str)) + more


def _late(bars: Candles, held: Sessions, as_of: datetime, ended_after: int) -> Iterable[str]:
    """A note on the newest sessions without a bar; a feed that is one session late is not a gap yet."""
    if bars.closes_at[-1] < instant(as_of) - np.timedelta64(ended_after, "D"):
        return
    owed = held.owed(bars.days[-1] + _ONE_DAY, last_closed(as_of))
    if len(owed):
        yield (
            f"no bar of {bars.symbol} yet of {len(owed)} session{'s' * (len(owed) != 1)} of {held.name}, from {owed[0]}"
        )
