"""Checks of market days: the calendar that the bars' days fit, sessions without a bar (holes), and cut sessions.

They propose and report; only GATEKEEPER_CALENDARS moves closes and days.
"""

from collections.abc import Iterator

import numpy as np

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.calendar_fit import AROUND_THE_CLOCK, Fit, fit
from gatekeeper.market.data.calendar.fx import FX
from gatekeeper.market.data.calendar.sessions import SETTING, Days, calendar_of
from gatekeeper.market.data.checks.checked import DEMO, Checked
from gatekeeper.market.findings import Finding, Severity

SHOWN = 5
CUT = 0.5
"""A session whose bars are under this share of the usual ones is cut short."""

# The shortest half day is over half of a whole one, and under this share of it.
_WHOLE = 0.85


def calendar(checked: Checked) -> Iterator[Finding]:
    """A note on the calendar of the symbols that have none set, and a warning for each symbol with holes in it."""
    if checked.source == DEMO:
        return  # nobody can change its bars
    groups: dict[tuple[str, ...], list[str]] = {}
    for bars in checked.candles:
        if calendar_of(bars.symbol, checked.settings.market_calendars) is not None:
            continue
        found = fit(bars, checked.as_of)
        if found is None:
            continue
        if _gains(bars, found):
            groups.setdefault(found.names, []).append(bars.symbol)
        yield from _holes(bars, found)
        yield from _cut(bars, found)
    for names, symbols in groups.items():
        yield _proposed(names, symbols)


def _gains(bars: Candles, found: Fit) -> bool:
    """Whether the calendar changes anything: around the clock, only where Sundays become Mondays."""
    name = found.sessions.name
    return name not in AROUND_THE_CLOCK or (name == FX and not np.is_busday(bars.days).all())


def _proposed(names: tuple[str, ...], symbols: list[str]) -> Finding:
    name, others = names[0], names[1:]
    like = f" (over this span the same as {listed(others)})" if others else ""
    does = "makes Sunday evenings part of Monday and counts 260 days a year" if name == FX else "checks every session"
    if name not in AROUND_THE_CLOCK:
        does = "makes each daily bar known at its session's close, early closes too, and checks every session"
    setting = " ".join(f"{symbol}={name}" for symbol in symbols[:SHOWN]) + " ..." * (len(symbols) > SHOWN)
    text = f'The days of {listed(symbols)} are those of {name}{like}. {SETTING}="{setting}" {does}.'
    symbol = symbols[0] if len(symbols) == 1 else ""
    return Finding(Severity.NOTE, "calendar", symbol, "", text, numbers={"symbols": float(len(symbols))})


def _holes(bars: Candles, found: Fit) -> Iterator[Finding]:
    if not len(found.missing):
        return
    newest = str(found.missing[-1])
    text = (
        f"{bars.symbol} has no bar of {len(found.missing)} session{'s' * (len(found.missing) != 1)} of "
        f"{found.sessions.name}: {_dates(found.missing)}. Load them anew: indicators take the bars around a hole for "
        "neighbours."
    )
    numbers = {"missing": float(len(found.missing))}
    yield Finding(Severity.WARNING, "hole", bars.symbol, newest, text, f"hole:{bars.symbol}:{newest}", numbers)


def _cut(bars: Candles, found: Fit) -> Iterator[Finding]:
    """Whole sessions of intraday bars that have under half of their bars."""
    held = found.sessions
    if held.name in AROUND_THE_CLOCK or not bars.is_intraday:
        return
    place = np.minimum(np.searchsorted(held.closes_at, bars.opens_at, side="right"), len(held.day) - 1)
    at, count = np.unique(place[held.opens_at[place] < bars.closes_at], return_counts=True)
    if not len(at):
        return
    length = (held.closes_at - held.opens_at)[at].astype(np.float64)
    whole = length > _WHOLE * np.median(length)
    short = held.day[at[whole & (count < CUT * np.median(count))]]
    if len(short):
        newest = str(short[-1])
        text = (
            f"{bars.symbol} has under half of the bars of {len(short)} whole session{'s' * (len(short) != 1)} of "
            f"{held.name}: {_dates(short)}. Load them anew."
        )
        numbers = {"cut": float(len(short))}
        yield Finding(
            Severity.WARNING, "half_day", bars.symbol, newest, text, f"half_day:{bars.symbol}:{newest}", numbers
        )


def listed(names: list[str] | tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _dates(days: Days) -> str:
    newest_first = days[::-1].astype(str).tolist()
    return listed(newest_first)
