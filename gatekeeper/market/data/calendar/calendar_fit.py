"""Calendar fit: the exchange calendar that the days of a symbol's bars are those of, if one is sure.

It reports and proposes; only the setting `calendars` moves closes and days.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.fx import FX
from gatekeeper.market.data.calendar.sessions import Days, Sessions, outline, sessions, week_masks

SHORTEST = np.timedelta64(183, "D")
"""A span under half a year has too few holidays to tell calendars apart."""
MISSING = 0.03
"""The largest share of sessions without a bar."""
FX_MISSING = 0.01
"""The same of currencies, which have no holidays: an unknown exchange has over 2 % fewer days."""
APART = 2
"""By how many days the next best calendar must be worse."""
AROUND_THE_CLOCK = {FX, "24/5", "24/7"}
# Of calendars with the same sessions, these are named first.
FIRST = (FX, "XNYS", "XLON", "XETR", "XPAR", "XTSE", "XTKS", "XHKG", "XSHG", "XASX")

_ONE_DAY, _HALF_A_DAY = np.timedelta64(1, "D"), np.timedelta64(12, "h")
# A weekday of a market has more of its bars than an odd session on a Saturday.
_A_WEEKDAY = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """names: the calendars that have the same sessions over the span. sessions: those of the first of them. missing:
    days of sessions without a bar."""

    names: tuple[str, ...]
    sessions: Sessions
    missing: Days


def fit(bars: Candles, as_of: datetime) -> Fit | None:
    """The calendar of the bars' days; None if none is sure. One search does for all symbols with the same days."""
    days = bars.days
    if not (days[1:] > days[:-1]).all():
        days = np.unique(days)
    hours = np.empty(0, dtype="datetime64[h]")
    if bars.is_intraday:
        hours = np.unique(bars.opens_at.astype("datetime64[h]"))
    return _search(days.tobytes(), hours.tobytes(), as_of.year)


@lru_cache(maxsize=256)
def _search(days_held: bytes, hours_held: bytes, year: int) -> Fit | None:
    days, hours = np.frombuffer(days_held, dtype="datetime64[D]"), np.frombuffer(hours_held, dtype="datetime64[h]")
    if days[-1] - days[0] < SHORTEST:
        return None
    as_of = datetime(year, 1, 1, tzinfo=UTC)
    held = {each.name: each for each in _candidates(days, hours, as_of)}
    whole: dict[str, Sessions] = {}
    while True:
        ranked = _ranked(days, hours, held)
        if not ranked:
            return None
        unsure = len(ranked) > 1 and ranked[1][0][0] - ranked[0][0][0] < APART
        needed = [*ranked[0], *(ranked[1][:1] if unsure else [])]
        new = [each.name for _, _, each in needed if each.name not in whole]
        if not new:
            break
        for name in new:
            with suppress(ConfigError):
                whole[name] = sessions(name, days[0], as_of)
        # A calendar that can't be built is none; the others keep their order.
        held = {name: whole.get(name, each) for name, each in held.items() if name in whole or name not in new}
    if unsure:
        return None
    same = sorted(ranked[0], key=lambda each: FIRST.index(each[2].name) if each[2].name in FIRST else len(FIRST))
    best = same[0][1]
    return None if best is None else replace(best, names=tuple(each.name for _, _, each in same))


def _ranked(
    days: Days, hours: NDArray[np.datetime64], held: dict[str, Sessions]
) -> list[list[tuple[int, Fit | None, Sessions]]]:
    """The calendars with how far each is from the bars, those with the same sessions together, the nearest first."""
    alike: dict[bytes, list[tuple[int, Fit | None, Sessions]]] = {}
    for each in held.values():
        distance, found = _compared(days, hours, each)
        alike.setdefault(each.between(days[0], days[-1]).tobytes(), []).append((distance, found, each))
    return sorted(alike.values(), key=lambda group: group[0][0])


def _candidates(days: Days, hours: NDArray[np.datetime64], as_of: datetime) -> Iterator[Sessions]:
    """The calendars whose weekdays are those of the bars, by their days alone if that is the shorter way."""
    mask = _mask(days)
    if mask in ("1111100", "1111101"):
        yield sessions(FX, days[0], as_of)
    whole = np.busday_count(days[0], days[-1] + _ONE_DAY) - np.count_nonzero(np.is_busday(days))
    # No exchange works half a year without a holiday.
    names = ["24/5"] if mask == "1111100" and whole < APART else list(week_masks())
    # Where a session holds midnight in UTC, half a day on its days are those of its zone.
    masks = {mask, _mask(np.unique((hours + _HALF_A_DAY).astype("datetime64[D]")))} if len(hours) else {mask}
    five = any(each.count("1") == 5 for each in masks)
    for name in names:
        its = week_masks().get(name, "")
        if its in masks or (its is None and five):
            with suppress(ConfigError):  # it isn't known for the span
                yield outline(name, days[0], as_of)


def _mask(days: Days) -> str:
    """The weekdays of a market, Monday first, as 1 and 0."""
    of_week = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7)  # the epoch was a Thursday
    return "".join("1" if count > _A_WEEKDAY * len(days) else "0" for count in of_week)


def _compared(days: Days, hours: NDArray[np.datetime64], held: Sessions) -> tuple[int, Fit | None]:
    """By how many days the bars differ from the sessions, and the fit if none is outside and few are missing."""
    readings = [days]
    if held.name == FX:
        readings = [np.unique(np.busday_offset(days, 0, roll="forward"))]  # Sunday evenings are of Monday
    elif len(hours) and held.zone:  # a session may have midnight in UTC within it
        local = pd.DatetimeIndex(hours.astype("datetime64[ns]"), tz="UTC").tz_convert(held.zone).tz_localize(None)
        readings.append(np.unique(local.to_numpy().astype("datetime64[D]")))
    best: tuple[int, Fit | None] | None = None
    for own in readings:
        missing, outside = np.setdiff1d(held.owed(own[0], own[-1]), own), np.setdiff1d(own, held.day)
        share = FX_MISSING if held.name == FX else MISSING
        sure = not len(outside) and len(missing) <= share * len(own)
        found = len(missing) + len(outside), Fit((held.name,), held, missing) if sure else None
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None  # noqa: S101  # there is at least one reading
    return best
