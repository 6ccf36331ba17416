"""Facts of a data passport: layouts of the files, bars of each symbol, and ideas, as plain values."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.passport import BarDigest, IdeaRecord, Layout, SymbolRecord
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.ideas import Dataset, moment

KEPT = 5  # bars of each symbol that are kept by digest
LATELY = 60  # bars whose volume stands for what is usual now
STRATEGIES = 10  # names of strategies that are listed
HOLE_BARS, HOLE = 5, np.timedelta64(4, "D")
_DAY = np.timedelta64(1, "D")
_LAYOUT_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What of a file a passport shows; as in Table."""

    name: str
    columns: tuple[str, ...]
    written: datetime | None
    vendor: str
    stamp: Literal["open", "close"] | None
    zone: str | None
    notes: tuple[str, ...]
    delimiter: str
    decimal: str
    time_unit: str


def layouts(files: Iterable[SourceFile]) -> list[Layout]:
    """The files by how they were read, in order of their names."""

    def kind(file: SourceFile) -> tuple[str, ...]:
        return file.vendor, file.stamp or "", file.zone or "", file.delimiter, file.decimal, file.time_unit

    return [_layout(list(group)) for _, group in groupby(sorted(files, key=lambda file: (kind(file), file.name)), kind)]


def _layout(files: list[SourceFile]) -> Layout:
    first = files[0]
    written = [file.written for file in files if file.written is not None]
    return Layout(
        files=len(files),
        first=first.name.rpartition("/")[2],
        vendor=first.vendor,
        columns=list(first.columns[:_LAYOUT_COLUMNS]),
        stamp=first.stamp,
        zone=first.zone,
        delimiter=first.delimiter,
        decimal=first.decimal,
        time_unit=first.time_unit,
        written_from=min(written) if written else None,
        written_to=max(written) if written else None,
        unwritten=len(files) - len(written),
        notes=list(dict.fromkeys(note for file in files for note in file.notes))[:20],
    )


def symbol(bars: Candles, *, left_out: bool) -> SymbolRecord:
    """The record of one symbol's bars."""
    length = np.median((bars.closes_at - bars.opens_at).astype(np.int64))
    holes = hole_starts(bars)
    longest = (bars.opens_at[holes + 1] - bars.closes_at[holes]).max() / _DAY if len(holes) else 0.0
    volume = bars.volume
    return SymbolRecord(
        symbol=bars.symbol,
        bars=len(bars),
        first=moment(bars.opens_at[0]),
        last=moment(bars.closes_at[-1]),
        bar_seconds=float(length) / 1e9,
        holes=len(holes),
        longest_hole_days=round(float(longest), 2),
        without_volume=None if volume is None else int(np.count_nonzero(~(volume > 0))),
        volume=None if volume is None else _quartiles(volume),
        newest_bars=newest_bars(bars),
        last_bar_left_out=left_out,
    )


def hole_starts(bars: Candles) -> NDArray[np.intp]:
    """Rows after which no bar follows for over five lengths of a bar, and over four days."""
    between = bars.opens_at[1:] - bars.closes_at[:-1]
    usual = np.median((bars.closes_at - bars.opens_at).astype(np.int64)).astype("timedelta64[ns]")
    return np.flatnonzero((between > HOLE_BARS * usual) & (between > HOLE))


def newest_bars(bars: Candles) -> list[BarDigest]:
    """The last five bars by digest."""
    return [BarDigest(moment(bars.closes_at[row]), digest(bars, row)) for row in range(len(bars))[-KEPT:]]


def digest(bars: Candles, row: int) -> str:
    """The digest of one bar, to seven digits: adjusted prices come anew each day, and differ in their last ones."""
    volume = np.nan if bars.volume is None else bars.volume[row]
    values = (bars.open[row], bars.high[row], bars.low[row], bars.close[row], volume)
    return hashlib.sha256(" ".join(f"{each:.7g}" for each in values).encode()).hexdigest()[:16]


def _quartiles(volume: NDArray[np.float64]) -> tuple[float, float, float] | None:
    lately = volume[volume > 0][-LATELY:]
    if not len(lately):
        return None
    low, middle, high = (float(each) for each in np.quantile(lately, (0.25, 0.5, 0.75)))
    return low, middle, high


def ideas(dataset: Dataset) -> IdeaRecord:
    """The record of the ideas known by the as-of."""
    found = dataset.ideas
    times = np.sort(found.time)
    return IdeaRecord(
        ideas=len(found),
        won=int(found.wins.sum()),
        symbols=len(np.unique(found.symbol)),
        strategies=np.unique(found.strategy).tolist()[:STRATEGIES],
        first=moment(times[0]) if len(times) else None,
        last=moment(times[-1]) if len(times) else None,
        a_year=round(a_year(dataset), 1),
    )


def a_year(dataset: Dataset) -> float:
    """Ideas a year, from the first idea to the last market day."""
    days = dataset.market_days
    if not len(dataset.ideas) or not len(days):
        return 0.0
    span = int(np.count_nonzero(days >= dataset.ideas.time.min().astype("datetime64[D]")))
    return float(len(dataset.ideas)) / max(1, span) * dataset.periods_per_year
