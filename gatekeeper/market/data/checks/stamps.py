"""Check of stamps: whether the bars say that their times are closes instead of opens, or of another time zone.

Taken wrongly for an open, a bar is used late; for a close, or in a zone too far east, it is used ahead of its close.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gatekeeper.errors import ConfigError
from gatekeeper.market.data.bars.candles import Candles, Stamp, Times
from gatekeeper.market.data.calendar.calendar_fit import AROUND_THE_CLOCK, fit
from gatekeeper.market.data.calendar.sessions import Sessions, calendar_of, sessions
from gatekeeper.market.data.checks.checked import DEMO, Checked
from gatekeeper.market.findings import Finding, Severity

DENY = 0.001
"""The largest share of bars outside of the sessions under the reading that the bars say."""
FACTOR, MORE = 5, 0.001
"""How many times as many all other readings must have outside, and how much more at least."""
CLOSING_TIME = 0.99
"""The share of daily stamps at the exchange's closing time that makes them closes."""

UTC, BROKER = "UTC", "America/New_York+7"
_SEVEN_HOURS = pd.Timedelta(hours=7)
_ONE_DAY = np.timedelta64(1, "D")
_ENOUGH = 200_000  # bars, evenly taken: a share of a thousandth is as sure with them as with ten million


@dataclass(frozen=True, slots=True)
class Said:
    """A reading of the stamps: as opens or closes, on the clock of a zone."""

    stamp: Stamp
    zone: str


def stamps(checked: Checked) -> Iterator[Finding]:
    """What the bars say against how their stamps are read."""
    if checked.source == DEMO:
        return
    for bars in checked.as_read:
        read: Stamp = "close" if bars.symbol in checked.closing else "open"
        stamped = bars.closes_at if read == "close" else bars.opens_at
        daily = not bars.is_intraday
        held = _sessions(bars, stamped, daily, checked)
        if held is None or held.name in AROUND_THE_CLOCK:
            continue
        if daily:
            yield from _daily(bars.symbol, stamped, read, held)
        else:
            said = says(stamped, held)
            if said is not None:
                yield from _denied(bars.symbol, read, said, held)


def says(stamped: Times, held: Sessions) -> Said | None:
    """The reading under which intraday bars lie in the sessions, if all others are clearly worse.

    stamped: the stamps on their own clock.
    """
    some = stamped[:: max(1, len(stamped) // _ENOUGH)]
    outside: dict[Said, float] = {}
    seen: list[Times] = []
    for zone in (UTC, held.zone, BROKER):
        instants = _on_clock(some, zone)
        if any(np.array_equal(instants, other) for other in seen):
            continue
        seen.append(instants)
        stamp: Stamp
        for stamp in ("open", "close"):
            outside[Said(stamp, zone)] = _outside(instants, stamp, held)
    best = min(outside, key=lambda reading: outside[reading])
    least = outside.pop(best)
    clear = least <= DENY and all(each >= FACTOR * least and each >= least + MORE for each in outside.values())
    return best if clear else None


def _outside(instants: Times, stamp: Stamp, held: Sessions) -> float:
    """The share of bars that begin outside of a session, or, stamped at their closes, end outside of one."""
    place = np.searchsorted(held.closes_at, instants, side="right" if stamp == "open" else "left")
    within = place < len(held.day)
    opened = held.opens_at[np.minimum(place, len(held.day) - 1)]
    within &= (opened <= instants) if stamp == "open" else (opened < instants)
    return 1 - float(np.mean(within))


def _on_clock(stamped: Times, zone: str) -> Times:
    """The instants of stamps that show this zone's clock."""
    if zone == UTC:
        return stamped
    clock = pd.DatetimeIndex(stamped)
    if zone == BROKER:
        clock, zone = clock - _SEVEN_HOURS, "America/New_York"
    local = clock.tz_localize(zone, ambiguous=np.zeros(len(clock), dtype=bool), nonexistent="shift_forward")
    instants: Times = np.asarray(local.tz_convert(UTC).tz_localize(None), dtype="datetime64[ns]")
    return instants


def _sessions(bars: Candles, stamped: Times, daily: bool, checked: Checked) -> Sessions | None:
    """The sessions of the symbol's calendar: the one that is set, else the one that its days fit."""
    named = calendar_of(bars.symbol, checked.settings.market_calendars)
    if named is not None:
        try:
            return sessions(named, stamped[0].astype("datetime64[D]"), checked.as_of)
        except ConfigError:
            return None
    found = fit(_by_date(bars, stamped) if daily else bars, checked.as_of)
    return None if found is None else found.sessions


def _by_date(bars: Candles, stamped: Times) -> Candles:
    """The daily bars, each of the date that its stamp shows."""
    days: Times = stamped.astype("datetime64[D]").astype("datetime64[ns]")
    ends: Times = days + _ONE_DAY
    return replace(bars, opens_at=days, closes_at=ends, session=None)


def _daily(symbol: str, stamped: Times, read: Stamp, held: Sessions) -> Iterator[Finding]:
    midnight = bool((stamped == stamped.astype("datetime64[D]")).all())
    if midnight and read == "close":
        if np.isin(stamped.astype("datetime64[D]"), held.day).mean() >= CLOSING_TIME:
            yield _finding(
                symbol,
                Severity.REFUSED,
                f"The daily times of {symbol} name the sessions of {held.name}, so they are no closes "
                "(GATEKEEPER_BAR_STAMP=close): each bar would be used a day ahead. Set GATEKEEPER_BAR_STAMP=open.",
            )
    elif not midnight and read == "open" and np.isin(stamped, held.closes_at).mean() >= CLOSING_TIME:
        yield _finding(
            symbol,
            Severity.WARNING,
            f"The daily times of {symbol} are the closing times of {held.name}, and are read as opens, so each bar is "
            "used a day late. Set GATEKEEPER_BAR_STAMP=close.",
        )


def _denied(symbol: str, read: Stamp, said: Said, held: Sessions) -> Iterator[Finding]:
    if said == Said(read, UTC):
        return
    ahead = read == "close" and said.stamp == "open"
    if said.zone == UTC:
        way = f"Set GATEKEEPER_BAR_STAMP={said.stamp}."
    else:
        noon = np.array(["2024-01-15T12:00"], dtype="datetime64[ns]")
        ahead = ahead or bool((_on_clock(noon, said.zone) > noon)[0])
        way = f'Set zone = "{said.zone}" in the columns of the desk, or write each time with its offset'
        way += "." if said.stamp == read else f", and set GATEKEEPER_BAR_STAMP={said.stamp}."
    used = "ahead of its close" if ahead else "late"
    yield _finding(
        symbol,
        Severity.REFUSED if ahead else Severity.WARNING,
        f"The bars of {symbol} lie in the sessions of {held.name} only if their times are {said.stamp}s on the clock "
        f"of {said.zone}; they are read as {read}s in UTC, so each bar is used {used}. {way}",
    )


def _finding(symbol: str, severity: Severity, text: str) -> Finding:
    return Finding(severity, "stamp", symbol, "", text, f"stamp:{symbol}")
