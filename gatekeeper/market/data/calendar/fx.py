"""Currency calendar `FX`: Sunday 17:00 to Friday 17:00 in New York, in days that end there at 17:00."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

FX = "FX"

Days = NDArray[np.datetime64]

_NEW_YORK = ZoneInfo("America/New_York")
_END = time(17)
_ONE_DAY = timedelta(days=1)
# Christmas and New Year's Day: some quote them, some don't.
_OPTIONAL = ((12, 25), (1, 1))


def fx_sessions(first_year: int, last_year: int) -> tuple[Days, Days, Days, Days]:
    """The days, opens and closes (UTC) of the sessions of these years, and the days that needn't have one."""
    count = (date(last_year + 1, 1, 1) - date(first_year, 1, 1)).days
    every = [date(first_year, 1, 1) + i * _ONE_DAY for i in range(count)]
    days = [day for day in every if day.weekday() < 5]
    opens_at = np.array([_end(day - _ONE_DAY) for day in days], dtype="datetime64[ns]")
    closes_at = np.array([_end(day) for day in days], dtype="datetime64[ns]")
    optional = [day for day in days if (day.month, day.day) in _OPTIONAL]
    return np.array(days, dtype="datetime64[D]"), opens_at, closes_at, np.array(optional, dtype="datetime64[D]")


def _end(day: date) -> datetime:
    return datetime.combine(day, _END, _NEW_YORK).astimezone(UTC).replace(tzinfo=None)
