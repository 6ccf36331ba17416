"""Symbols from file names: copies and dated parts of one symbol are that symbol."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_COPY = r"(?: ?\(\d{1,3}\)| - Copy)+"  # what browsers and desktops add to the name of a second file
_DATED = re.compile(
    r"(?P<symbol>.+?)[-_ ](?:(?P<bar>\d{1,3}(?:s|m|min|h|d|w|mo|M|D|H|W)|1?(?:daily|hourly|weekly))[-_ ])?"
    r"(?P<year>(?:19|20)\d{2})(?:(?P<between>[-_.]?)(?P<month>0[1-9]|1[0-2])(?:(?P=between)(?P<day>\d{2}))?)?"
)
# A year's or month's file may begin a few bars before it and end a few after.
_SLACK = np.timedelta64(7, "D")


@dataclass(frozen=True, slots=True)
class DatedName:
    """A file's name with a date in it: the symbol before it, and the time that the bars then lie in.

    bar: the bars' length, "" if the name doesn't say it.
    """

    symbol: str
    bar: str
    begins: np.datetime64
    ends: np.datetime64

    def holds(self, times: NDArray[np.datetime64]) -> bool:
        """Whether the bars are of the date in the name, so that it is a date and no part of the symbol."""
        return bool(len(times)) and bool((times.min() >= self.begins - _SLACK) and (times.max() <= self.ends + _SLACK))


def last_minutes(bar: str, times: NDArray[np.datetime64]) -> bool:
    """Whether the bars are as long as these minutes, by their most common distance; months differ by a tenth."""
    distances, counts = np.unique(np.diff(np.sort(times)), return_counts=True)
    if not len(distances):
        return True
    usual = distances[np.argmax(counts)] / np.timedelta64(1, "m")
    return bool(abs(usual / int(bar) - 1) <= 0.1)


def without_copy(stem: str) -> str:
    """The name without what marks a copy: `BTC (1)` is BTC."""
    return re.sub(_COPY + "$", "", stem) or stem


def dated(stem: str) -> DatedName | None:
    """The parts of a name such as AAPL-1d-2005 or AAPL_2024-01."""
    found = _DATED.fullmatch(stem)
    if found is None:
        return None
    text = "-".join(found[part] for part in ("year", "month", "day") if found[part])
    try:
        date = np.datetime64(text)
    except ValueError:
        return None
    return DatedName(
        found["symbol"], found["bar"] or "", date.astype("datetime64[ns]"), (date + 1).astype("datetime64[ns]")
    )
