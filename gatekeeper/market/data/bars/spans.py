"""Bar spans: when each bar ends, from its stamp, the bars around it and the time zone that daily stamps keep to."""

import numpy as np
import pandas as pd

from gatekeeper.market.data.bars.candles import Times

FEWEST = 10
"""Fewer bars than this don't tell how long a bar is; no idea comes from under 200 anyway."""

DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")
_NONE = np.timedelta64(0, "ns")

# One zone for each rule of daylight saving that an exchange or a broker lives by; zones alike share theirs.
ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "America/Santiago",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Asia/Jerusalem",
    "Australia/Sydney",
    "Pacific/Auckland",
)
# A grid has few places within a bar's length: a tenth or so of the bars, not each bar its own.
_PLACES = 5


def bar_length(stamps: Times) -> np.timedelta64:
    """How long the bars of a series are: their most common distance. stamps: distinct, in order."""
    spacing, counts = np.unique(np.diff(stamps), return_counts=True)
    return spacing[np.argmax(counts)] if len(spacing) else _NONE


def ends(stamps: Times, length: np.timedelta64) -> Times:
    """When the bars that open at these stamps end: after `length`, and never after the next one begins.

    A day in a zone with daylight saving has 23 hours once a year, and 25 once: a bar of 25 hours ends where the next
    begins; the last one by the zone, if its stamps show one. stamps: distinct, in order.
    """
    ended = stamps + length
    if length >= DAY:
        for zone in zones(stamps):
            ended = np.maximum(ended, _later(stamps, length, zone))
        gap = np.diff(stamps)
        longer = (gap > length) & (gap <= length + HOUR)
        ended[:-1][longer] = stamps[1:][longer]
    ended[:-1] = np.minimum(ended[:-1], stamps[1:])
    return ended


def begins(stamps: Times, length: np.timedelta64) -> Times:
    """When the bars that close at these stamps began: `length` before, and never before the one before has ended."""
    before = np.append(stamps[:1] - length, stamps[:-1])
    begun = np.maximum(stamps - length, before)
    if length >= DAY:
        longer = stamps - before <= length + HOUR
        begun[longer] = before[longer]
    return begun


def zones(stamps: Times) -> tuple[str, ...]:
    """The zones in which daily stamps keep to one local time, though their UTC time moves; none if it doesn't move."""
    if not len(stamps) or (_time_of_day(stamps) == _time_of_day(stamps[:1])).all():
        return ()
    instants = pd.DatetimeIndex(stamps, tz="UTC")
    found = []
    for zone in ZONES:
        local = _time_of_day(instants.tz_convert(zone).tz_localize(None).to_numpy())
        if (local == local[0]).all():
            found.append(zone)
    return tuple(found)


def off_grid(stamps: Times, length: np.timedelta64) -> bool:
    """Whether the last stamp is at a place within the bar's length at which no earlier one is.

    So a vendor writes the bar that is still going on: at the minute of the download. An hour apart is daylight saving.
    """
    if len(stamps) < FEWEST or length <= _NONE:
        return False
    place = stamps.astype("datetime64[ns]").astype(np.int64) % length.astype("timedelta64[ns]").astype(np.int64)
    if (place[:-1] == place[-1]).any():
        return False
    earlier, last = np.unique(place[:-1]), place[-1]
    if len(earlier) * _PLACES > len(place):
        return False
    whole = length.astype("timedelta64[ns]").astype(np.int64)
    hour = int(HOUR.astype("timedelta64[ns]").astype(np.int64)) % whole
    apart = (last - earlier) % whole
    return not np.isin(apart, [0, hour, (whole - hour) % whole]).any()


def _later(stamps: Times, length: np.timedelta64, zone: str) -> Times:
    """The instants one bar's length after the stamps on the zone's own clock."""
    local = pd.DatetimeIndex(stamps, tz="UTC").tz_convert(zone).tz_localize(None) + pd.Timedelta(length)
    there = local.tz_localize(zone, ambiguous=np.zeros(len(local), dtype=bool), nonexistent="shift_forward")
    later: Times = np.asarray(there.tz_convert("UTC").tz_localize(None), dtype="datetime64[ns]")
    return later


def _time_of_day(instants: Times) -> Times:
    past_midnight: Times = instants - instants.astype("datetime64[D]")
    return past_midnight
