"""OHLC bars (candles) of one symbol, and the book of all symbols' bars as known at one as-of."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.findings import Finding
from gatekeeper.market.ideas import market_day, moment

PRICES = ("open", "high", "low", "close")
EXTRAS = ("avgSent", "avgOB")

Stamp = Literal["open", "close"]
Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """One symbol's checked bars, (n,) each, in order of time. A bar is known at its close.

    session: (n,) datetime64[D], the day that the symbol's calendar gives each bar, if it has a calendar.
    volume: NaN where it is missing; None if the source has no volume.
    untraded: (n,) bool, bars that give no ideas, since nothing was traded; None if there are none of them.
    written: when each bar's file was written, NaT if nobody knows; None if nobody knows of any.
    """

    symbol: str
    opens_at: Times
    closes_at: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    sentiment: Floats
    order_book: Floats
    session: Times | None = None
    volume: Floats | None = None
    untraded: NDArray[np.bool_] | None = None
    written: Times | None = None

    def __len__(self) -> int:
        return len(self.close)

    @property
    def is_intraday(self) -> bool:
        """Whether the median bar is shorter than a day."""
        length, day = self.closes_at - self.opens_at, np.timedelta64(1, "D")
        shorter = 2 * int(np.count_nonzero(length < day))
        if shorter != len(length):  # the median of a million takes as long as their indicators
            return shorter > len(length)
        return bool(np.median(length) < day)

    @property
    def days(self) -> Times:
        """(n,) datetime64[D]: the market day that each bar belongs to.

        Of an intraday bar, the day of its last instant. Daily bars are stamped at the midnight or the session of the
        vendor's own time zone: of the days that their opens, middles and last instants fall on, those that hold the
        fewest weekend days.
        """
        if self.session is not None:
            return self.session
        last = market_day(self.closes_at)
        if self.is_intraday:
            return last
        middle = (self.opens_at + (self.closes_at - self.opens_at) // 2).astype("datetime64[D]")
        by_open = self.opens_at.astype("datetime64[D]")
        return min((by_open, middle, last), key=lambda days: int(np.count_nonzero(~np.is_busday(days))))


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """The bars of all symbols of a source as known at one as-of, notes about them for people, and what was found.

    closing: the symbols whose stamps are closes.
    """

    candles: tuple[Candles, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    closing: frozenset[str] = frozenset()


def newest(candles: Iterable[Candles]) -> datetime:
    """When the newest bar became known."""
    return moment(max(bars.closes_at[-1] for bars in candles))


def picked(bars: Candles, mask: NDArray[np.bool_]) -> Candles:
    """The bars that a mask (n,) picks."""
    columns = {each.name: getattr(bars, each.name) for each in fields(bars) if each.name != "symbol"}
    return replace(bars, **{name: column[mask] for name, column in columns.items() if column is not None})
