"""Exchange sessions: opens, closes and sessions per year of an exchange's trading calendar.

From `exchange-calendars`, and `FX` of our own. Needs only numpy besides, since the log of a scoring server has
calendars too.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError
from gatekeeper.market.data.calendar.fx import FX, fx_sessions

Days = NDArray[np.datetime64]

OTHERS = "*"
YEARS = 20  # with ten, New York is at 251 in some years
SETTING = "GATEKEEPER_CALENDARS"


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """(n,) each, in order: the day of each session, and the instants of its open and its close (UTC).

    known_from: the first whole year that the calendar knows; None if it knows all. optional: days of sessions that
    needn't have a bar. zone: the exchange's time zone.
    """

    name: str
    known_from: int | None
    day: Days
    opens_at: Days
    closes_at: Days
    zone: str = "UTC"
    optional: Days = field(default_factory=lambda: np.empty(0, dtype="datetime64[D]"))

    def owed(self, first: np.datetime64, last: np.datetime64) -> Days:
        """The days from `first` to `last`, both included, that must have a bar."""
        return np.setdiff1d(self.between(first, last), self.optional)

    def between(self, first: np.datetime64, last: np.datetime64) -> Days:
        """The days from `first` to `last`, both included."""
        return self.day[(self.day >= first) & (self.day <= last)]


def calendar_of(symbol: str, named: Mapping[str, str]) -> str | None:
    """The name of the symbol's calendar; None if the setting names none for it."""
    return named.get(symbol, named.get(OTHERS))


def sessions(name: str, first: np.datetime64, as_of: datetime) -> Sessions:
    """The sessions of the years from that of `first`, or an earlier one, to that of the as-of. Raises ConfigError."""
    begins = _year(first)
    try:  # one list does for the periods too
        return _sessions(name, min(begins, as_of.year - YEARS), as_of.year)
    except ConfigError:
        return _sessions(name, begins, as_of.year)


def periods_per_year(name: str, since: np.datetime64, as_of: datetime) -> int:
    """Sessions per year: the mean of the last twenty whole years, or of as many as the calendar knows.

    Only whole years before that of the as-of count, so that the number stays the same from week to week. since: the
    first day of the data. Raises ConfigError.
    """
    first = max(as_of.year - YEARS, sessions(name, since, as_of).known_from or 0)
    if first >= as_of.year:
        raise ConfigError(
            f"{SETTING}: {name} is known from {first} on, and its periods per year need a whole year before the as-of "
            f"{as_of:%Y-%m-%d}; choose a later as-of, or another calendar"
        )
    held = _sessions(name, min(first, _year(since)), as_of.year)
    count = _count(held.day, first, as_of.year) - _count(held.optional, first, as_of.year) / 2  # some trade on them
    return round(count / (as_of.year - first))


def days_of_ideas(symbols: NDArray[np.str_], busy: Days, named: Mapping[str, str], as_of: datetime) -> tuple[Days, int]:
    """The sessions from the first busy day to that of the as-of, and the busiest calendar's periods a year.

    symbols, busy: (k,) each: a symbol, and a day on which it has an idea or a mark; each symbol has a calendar.
    """
    days, periods = [], []
    calendars = np.array([calendar_of(symbol, named) for symbol in symbols.tolist()])
    for name in np.unique(calendars).tolist():
        first = busy[calendars == name].min()
        days.append(sessions(name, first, as_of).between(first, np.datetime64(as_of.date(), "D")))
        periods.append(periods_per_year(name, first, as_of))
    return np.unique(np.concatenate(days)), max(periods)


def _count(days: Days, first_year: int, end_year: int) -> int:
    years = days.astype("datetime64[Y]")
    return int(np.count_nonzero((years >= _new_year(first_year)) & (years < _new_year(end_year))))


@lru_cache(maxsize=256)
def _sessions(name: str, first_year: int, last_year: int) -> Sessions:
    if name == FX:
        day, opens_at, closes_at, optional = fx_sessions(first_year, last_year)
        return Sessions(FX, None, day, opens_at, closes_at, "America/New_York", optional)
    calendars = _library()
    try:
        with warnings.catch_warnings():  # it still uses what pandas 4 will change, and says so each time
            warnings.simplefilter("ignore", DeprecationWarning)
            found = calendars.get_calendar(name, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    except calendars.errors.InvalidCalendarName:
        known = ", ".join([FX, *calendars.get_calendar_names(include_aliases=False)])
        raise ConfigError(f"{SETTING} names {name!r}, which exchange-calendars doesn't know; known: {known}") from None
    except (ValueError, NotImplementedError) as fault:
        raise ConfigError(
            f"{SETTING}: exchange-calendars has no sessions of {name} from {first_year} to {last_year} "
            f"({fault!s:.200}); name another calendar"
        ) from fault
    opens_at, closes_at = (
        column.dt.tz_convert(None).to_numpy().astype("datetime64[ns]") for column in (found.opens, found.closes)
    )
    earliest = found.bound_min()
    known_from = None if earliest is None else earliest.year + int(earliest.day_of_year > 1)
    day = found.sessions.to_numpy().astype("datetime64[D]")
    return Sessions(name, known_from, day, opens_at, closes_at, str(found.tz))


def _library() -> ModuleType:
    try:
        import exchange_calendars  # type: ignore[import-untyped]  # it ships no types
    except ImportError as fault:
        raise ConfigError(
            f"{SETTING} needs exchange-calendars ({fault}); install gatekeeper[train], or leave it empty"
        ) from fault
    library: ModuleType = exchange_calendars
    return library


def _year(day: np.datetime64) -> int:
    return int(str(day.astype("datetime64[Y]")))


def _new_year(year: int) -> np.datetime64:
    return np.datetime64(str(year), "Y")


def outline(name: str, first: np.datetime64, as_of: datetime) -> Sessions:
    """The sessions with their days alone, without opens and closes, if the rules for holidays tell them; else whole.

    Days in weeks with other weekdays than usual are optional, so that bars differ from an outline by no more days than
    from the sessions.

    To build a calendar works out the holidays of over two centuries, which takes many times as long.
    Raises ConfigError.
    """
    begins, ends = _year(first), as_of.year
    found = _outline(name, min(begins, ends - YEARS), ends) or _outline(name, begins, ends)
    return found or sessions(name, first, as_of)


@lru_cache(maxsize=256)
def _outline(name: str, first_year: int, last_year: int) -> Sessions | None:
    if name not in week_masks():
        return None
    kind = _library().calendar_utils._default_calendar_factories[name]
    bare = kind.__new__(kind)
    start, end = np.datetime64(f"{first_year}-01-01", "D"), np.datetime64(f"{last_year}-12-31", "D")
    none = np.empty(0, dtype="datetime64[D]")
    try:
        earliest, rules, others = bare.bound_min(), bare.regular_holidays, bare.adhoc_holidays
        if earliest is not None and earliest > start:
            return None
        regular = none if rules is None else rules.holidays(start, end).to_numpy().astype("datetime64[D]")
    except NotImplementedError:  # then the calendar can't be built either, and `sessions` says so
        return None
    closed = np.append(regular, np.array(others, dtype="datetime64[D]"))
    days = np.arange(start, end + np.timedelta64(1, "D"))
    special = np.zeros(len(days), dtype=np.bool_)
    for since, until, _ in getattr(bare, "special_weekmasks", []):
        begins, ends = (
            day if given is None else np.datetime64(given, "D") for day, given in ((start, since), (end, until))
        )
        special |= (days >= begins) & (days <= ends)
    held = days[special | np.is_busday(days, bare.weekmask, closed)]
    return Sessions(name, None, held, none, none, str(bare.tz), days[special])


@lru_cache(maxsize=1)
def week_masks() -> dict[str, str | None]:
    """Each calendar's weekdays with sessions, Monday first, as 1 and 0; None if they changed. Builds no calendar.

    Empty without exchange-calendars.
    """
    try:
        library = _library()
    except ConfigError:
        return {}
    found: dict[str, str | None] = {}
    for name, kind in library.calendar_utils._default_calendar_factories.items():  # names alone are public
        bare = kind.__new__(kind)  # a mask is a constant of its class, and building a calendar takes 0.1 s
        found[name] = None if "special_weekmasks" in vars(kind) else str(bare.weekmask)
    return found
