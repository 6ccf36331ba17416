"""Returns by month and year of each stream, in percent of the initial capital."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatekeeper.judgement.report.streams import Stream
from gatekeeper.judgement.report.trader_formats import MINUS

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class StreamYear:
    """One stream's months of one year, "" for those outside the window, and the year's sum."""

    stream: str
    months: tuple[str, ...]
    whole: str


@dataclass(frozen=True, slots=True)
class Year:
    """One calendar year of all streams."""

    name: str
    rows: tuple[StreamYear, ...]


def of(days: Sequence[str], streams: Sequence[Stream]) -> tuple[Year, ...]:
    """The returns by year and month, the earliest year first; a day without a trade counts as 0."""
    if not days:
        return ()
    dates = np.array(days, dtype="datetime64[D]")
    year, month = dates.astype("datetime64[Y]").astype(int) + 1970, dates.astype("datetime64[M]").astype(int) % 12
    return tuple(
        Year(str(name), tuple(_row(stream, year == name, month) for stream in streams)) for name in np.unique(year)
    )


def _row(stream: Stream, these: np.ndarray, month: np.ndarray) -> StreamYear:
    mine = [stream.daily[these & (month == number)] for number in range(len(MONTHS))]
    months = tuple(_percent(each.sum()) if len(each) else "" for each in mine)
    return StreamYear(stream.name, months, _percent(stream.daily[these].sum()))


def _percent(value: float) -> str:
    return f"{100 * value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)
