"""Market days and freshness: trading days, periods per year, and the age limit (staleness) of the newest data."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import StaleData
from gatekeeper.market.data.calendar.sessions import calendar_of, days_of_ideas
from gatekeeper.market.data.trades.closed_trades import day_of
from gatekeeper.market.ideas import Ideas

Days = NDArray[np.datetime64]

WORKDAYS, SIX_DAYS, EVERY_DAY = 252, 312, 365
YEARS = 20
"""Of so many whole years, the newest ones, the periods are counted."""
# A year is whole if it has bars within its first and its last days; the longest holidays are shorter.
_HOLIDAYS = np.timedelta64(11, "D")
# An odd Saturday session doesn't make a market that never closes; there, one or two days in seven are weekend.
_WEEKEND_SHARE = 0.1


def check_fresh(what: str, newest: datetime, as_of: datetime, limit: int, uri: str, setting: str) -> None:
    """Raises StaleData if the newest thing known is over `limit` days old at the as-of."""
    age = as_of - newest
    if age > timedelta(days=limit):
        raise StaleData(
            f"{uri} is stale: its newest {what} is of {newest:%Y-%m-%d %H:%M}Z, {age / timedelta(days=1):.1f} days "
            f"before the as-of {as_of:%Y-%m-%d %H:%M}Z, over the limit of {limit}; fix the feed, or raise "
            f"GATEKEEPER_{setting}",
            newest,
        )


def counted_periods(days: Days, as_of: datetime) -> int:
    """The mean number of market days in the whole years of the bars before the as-of's own; without one, a guess.

    Only whole years count, so that the number stays the same from week to week. days: (d,) distinct, in order.
    """
    years, counts = np.unique(days.astype("datetime64[Y]"), return_counts=True)
    begins: Days = years.astype("datetime64[D]")
    ends: Days = (years + np.timedelta64(1, "Y")).astype("datetime64[D]")
    first, last = days[np.searchsorted(days, begins)], days[np.searchsorted(days, ends) - 1]
    slack = max(_HOLIDAYS, _between(days))
    in_full = (first - begins < slack) & (ends - last <= slack)
    whole = in_full & (ends <= np.datetime64(as_of.date(), "D"))
    if whole.any():
        return round(float(np.mean(counts[whole][-YEARS:])))
    weekend = ~np.is_busday(days)
    if weekend.mean() < _WEEKEND_SHARE:
        return WORKDAYS
    return EVERY_DAY if len(np.unique(days[weekend].astype(np.int64) % 7)) == 2 else SIX_DAYS


def _between(days: Days) -> np.timedelta64:
    """The usual distance of bars that are longer than a week, a day or two more for months that differ."""
    usual = np.median(np.diff(days).astype(np.int64)) if len(days) > 1 else 0.0
    return np.timedelta64(int(usual * 1.1), "D")


def calendar_of_ideas(ideas: Ideas, as_of: datetime, named: Mapping[str, str] | None = None) -> tuple[Days, int]:
    """The market days from the first idea to the as-of, and the busiest symbol's periods a year.

    named: calendars by symbol (`Settings.market_calendars`). Symbols without one have Monday to Friday, or every day
    if any of their ideas or paths falls on a weekend. Raises ConfigError.
    """
    if not len(ideas):
        return np.empty(0, dtype="datetime64[D]"), WORKDAYS
    busy = np.concatenate([day_of(ideas.time), ideas.path_day])
    if not named:
        return _guessed(busy, as_of)
    symbol = np.concatenate([ideas.symbol, np.repeat(ideas.symbol, np.diff(ideas.path_start))])
    theirs = np.isin(symbol, [each for each in np.unique(symbol).tolist() if calendar_of(each, named)])
    parts = [days_of_ideas(symbol[theirs], busy[theirs], named, as_of)] if theirs.any() else []
    parts += [_guessed(busy[~theirs], as_of)] if not theirs.all() else []
    together = np.unique(np.concatenate([days for days, _ in parts]))
    return together[together <= last_closed(as_of)], max(periods for _, periods in parts)


def _guessed(busy: Days, as_of: datetime) -> tuple[Days, int]:
    days = np.arange(busy.min(), last_closed(as_of) + 1, dtype="datetime64[D]")
    if np.is_busday(busy).all():
        return days[np.is_busday(days)], WORKDAYS
    return days, EVERY_DAY


def last_closed(as_of: datetime) -> np.datetime64:
    """The last day that had ended by the as-of."""
    return np.datetime64(as_of.date(), "D") - np.timedelta64(1, "D")
