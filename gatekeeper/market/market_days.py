"""Which days did the market have, and how old is the newest thing known?"""

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import StaleData
from gatekeeper.market.closed import day_of
from gatekeeper.market.ideas import Ideas

Days = NDArray[np.datetime64]

WORKDAYS, EVERY_DAY = 252, 365


def check_fresh(what: str, newest: datetime, as_of: datetime, limit: int, uri: str, setting: str) -> None:
    """Raises StaleData where the newest thing known is over `limit` days old at the as-of."""
    age = as_of - newest
    if age > timedelta(days=limit):
        raise StaleData(
            f"{uri} is stale: its newest {what} is of {newest:%Y-%m-%d %H:%M}Z, {age / timedelta(days=1):.1f} days "
            f"before the as-of {as_of:%Y-%m-%d %H:%M}Z, over the limit of {limit}; mend the feed, or raise "
            f"GATEKEEPER_{setting}"
        )


def calendar_of_ideas(ideas: Ideas, as_of: datetime) -> tuple[Days, int]:
    """Monday to Friday from the first idea to the as-of; every day, if any idea or path knows a weekend."""
    if not len(ideas):
        return np.empty(0, dtype="datetime64[D]"), WORKDAYS
    started = day_of(ideas.time)
    busy = np.concatenate([started, ideas.path_day])
    days = np.arange(busy.min(), last_closed(as_of) + 1, dtype="datetime64[D]")
    if np.is_busday(busy).all():
        return days[np.is_busday(days)], WORKDAYS
    return days, EVERY_DAY


def last_closed(as_of: datetime) -> np.datetime64:
    """The last day that was over."""
    return np.datetime64(as_of.date(), "D") - np.timedelta64(1, "D")
