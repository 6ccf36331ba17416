"""Tape of bars: what a source's files hold, checked, sorted, and restricted to the bars known by an as-of.

Bars that were not yet known are dropped before anything is checked or counted, so nothing after the as-of can matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.market.data import times
from gatekeeper.market.data.candles import EXTRAS, PRICES, Book, Candles, Stamp, Times
from gatekeeper.market.data.files import Table, numbers, tables
from gatekeeper.market.ideas import LARGEST, instant

# Fewer bars than this don't tell how long a bar is; no idea comes from under 200 anyway.
FEWEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """All bars of a source as read; a bar is checked only once an as-of knows it.

    symbols: each symbol's rows, in the order of the files. first: the earliest stamp. naive: the earliest stamp that
    was written without an offset; NaT if all have one.
    """

    uri: str
    stamp: Stamp
    symbols: tuple[tuple[str, pd.DataFrame], ...]
    first: np.datetime64
    naive: np.datetime64

    def book(self, as_of: datetime) -> Book:
        """The bars that were known by the as-of.

        Raises DataError (the file and its first rows at fault) and AsOfError (before the data).
        """
        candles: list[Candles] = []
        dropped, moved, short = 0, 0, []
        for symbol, rows in self.symbols:
            known, duration = _known(rows, as_of, self.stamp)
            if known.empty:
                continue
            unique = _checked(symbol, known)
            dropped += len(known) - len(unique)
            moved += _out_of_order(known)
            if len(unique) < FEWEST:
                short.append(f"{symbol} ({len(unique)})")
            else:
                candles.append(_candles(symbol, unique, duration, self.stamp))
        notes = ["times without offset are read as UTC"] if self.naive <= instant(as_of) else []
        if dropped:
            notes.append(f"{dropped} exact duplicate bar{'s' * (dropped != 1)} dropped")
        if moved:
            notes.append(f"rows were not in order of time ({moved} before an earlier one) and were sorted")
        if short:
            notes.append(f"left out, fewer than {FEWEST} bars by the as-of: {', '.join(short)}")
        if not candles:
            _refuse(self.uri, as_of, self.first, short)
        return Book(tuple(candles), tuple(notes))


def read(uri: str, as_of: datetime, stamp: Stamp) -> Book:
    """The candles at `uri` that were known by the as-of.

    stamp: `open` or `close`, the end of the bar that its time stands for.

    Raises what `Tape.book` and `files.tables` raise.
    """
    return book(tables(uri), as_of, stamp, uri)


def book(source: Iterable[Table], as_of: datetime, stamp: Stamp, uri: str) -> Book:
    """The bars of tables that were read already."""
    return tape(source, stamp, uri).book(as_of)


def tape(source: Iterable[Table], stamp: Stamp, uri: str) -> Tape:
    """All bars of the tables, of any time. Raises DataError for a table from which no bar can be read."""
    stamped = list(_stamped(source))
    rows = pd.concat([frame for _, frame, _ in stamped], ignore_index=True)
    files = np.repeat(np.arange(len(stamped)), [len(frame) for _, frame, _ in stamped])
    rows["file"] = pd.Categorical.from_codes(files, categories=pd.Index([name for name, _, _ in stamped]))
    symbols = tuple((str(symbol), group) for symbol, group in rows.groupby("symbol", sort=True))
    return Tape(uri, stamp, symbols, _times(rows).min(), np.fmin.reduce([naive for _, _, naive in stamped]))


def _refuse(uri: str, as_of: datetime, first: np.datetime64, short: list[str]) -> None:
    if short:
        found = ", ".join(short)
        raise DataError(f"{uri} has too few bars by {as_of:%Y-%m-%d %H:%M}Z: {found}; the 200th gives the first idea")
    raise AsOfError(
        f"as-of {as_of:%Y-%m-%d %H:%M}Z lies before the data of {uri}: its first bar is stamped {first}, and a bar is "
        "known at its close; choose a later as-of"
    )


def _stamped(source: Iterable[Table]) -> Iterator[tuple[str, pd.DataFrame, np.datetime64]]:
    """Each table's name, its rows with numbers read, and the first of their times that came without offset."""
    extras: dict[bool, str] = {}
    for table in source:
        table.require(("time", *PRICES))
        extras.setdefault(_has_extras(table), table.name)
        if len(extras) > 1:
            both = " and ".join(EXTRAS)
            raise DataError(f"{extras[True]} has {both}, {extras[False]} does not; give them to all files or to none")
        stamps, naive = times.parse(table.frame["time"], f"{table.name}: time")
        yield table.name, _numbers(table, stamps), times.first(stamps, naive)


def _has_extras(table: Table) -> bool:
    found = [column for column in EXTRAS if column in table.frame.columns]
    if len(found) == 1:
        raise DataError(f"{table.name} has {found[0]} without the other of {' and '.join(EXTRAS)}; give both or none")
    return bool(found)


def _numbers(table: Table, stamps: Times) -> pd.DataFrame:
    frame = table.frame
    columns = {name: numbers(frame[name]) for name in PRICES}
    for name in EXTRAS:
        columns[name] = numbers(frame[name]) if name in frame.columns else np.zeros(len(frame))
    columns["volume"] = numbers(frame["volume"]) if "volume" in frame.columns else np.full(len(frame), np.nan)
    symbols = table.text("symbol").to_numpy() if "symbol" in frame.columns else table.stem
    return pd.DataFrame({"row": np.arange(1, len(frame) + 1), "symbol": symbols, "time": stamps, **columns})


def _known(group: pd.DataFrame, as_of: datetime, stamp: Stamp) -> tuple[pd.DataFrame, np.timedelta64]:
    """The rows of a symbol that the as-of knows, and how long its bars are: their most common spacing."""
    group = group[_times(group) <= instant(as_of)]
    gaps = np.diff(np.sort(_times(group), kind="stable"))
    spacing, counts = np.unique(gaps[gaps > np.timedelta64(0)], return_counts=True)
    duration = spacing[np.argmax(counts)] if len(spacing) else np.timedelta64(0, "ns")
    if stamp == "open":
        group = group[_times(group) + duration <= instant(as_of)]
    return group, duration


def _checked(symbol: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in order of time, without exact duplicates. Raises DataError for errors that sorting can't explain."""
    if not symbol:
        raise DataError(f"the symbol is empty in {_name(rows)}; fill it in")
    prices = rows[list(PRICES)].to_numpy()
    extras = rows[list(EXTRAS)].to_numpy()
    body_high, body_low = prices[:, [0, 3]].max(axis=1), prices[:, [0, 3]].min(axis=1)
    faults = {
        "a price is missing or not a finite number": ~np.isfinite(prices).all(axis=1),
        "a price is not positive": (prices <= 0).any(axis=1),
        "a price is under 1e-30 or over 1e30": ((prices < 1 / LARGEST) | (prices > LARGEST)).any(axis=1),
        "the high is under the open, low or close": prices[:, 1] < np.maximum(body_high, prices[:, 2]),
        "the low is over the open or close": prices[:, 2] > body_low,
        "avgSent or avgOB is missing or not a finite number": ~(np.abs(extras) < LARGEST).all(axis=1),
    }
    for fault, where in faults.items():
        if where.any():
            raise DataError(f"{fault} in {_name(rows[where])}; fix or remove the rows")
    ordered = rows.sort_values("time", kind="stable")
    if (np.diff(_times(ordered)) > np.timedelta64(0)).all():
        return ordered  # the rule; to look for duplicates takes several times as long as all of the above
    unique = ordered.drop_duplicates(["time", "volume", *PRICES, *EXTRAS])
    conflict = unique.duplicated("time", keep=False)
    if conflict.any():
        raise DataError(f"bars of one time contradict each other in {_name(unique[conflict])}; keep the right one")
    return unique


def _times(rows: pd.DataFrame) -> Times:
    return np.asarray(rows["time"], dtype="datetime64[ns]")


def _out_of_order(rows: pd.DataFrame) -> int:
    """The number of rows that stand before an earlier row of the same file."""
    same_file = rows["file"].cat.codes.diff().to_numpy()[1:] == 0
    return int((same_file & (np.diff(_times(rows)) < np.timedelta64(0))).sum())


def _name(rows: pd.DataFrame, limit: int = 3) -> str:
    """`prices.csv row 4 (AAPL 2018-01-31T00:00:00) ...` for the first rows, and how many more."""
    head = rows.head(limit)
    prices = (f"open {o:g}, high {h:g}, low {lo:g}, close {c:g}" for o, h, lo, c in head[list(PRICES)].to_numpy())
    shown = [
        f"{file} row {row} ({symbol} {str(time)[:19]}: {values})"
        for file, row, symbol, time, values in zip(
            head["file"], head["row"], head["symbol"], head["time"].to_numpy(), prices, strict=True
        )
    ]
    return ", ".join(shown) + (f" and {len(rows) - limit} more" if len(rows) > limit else "")


def _candles(symbol: str, rows: pd.DataFrame, duration: np.timedelta64, stamp: Stamp) -> Candles:
    stamps = _times(rows)
    opens_at, closes_at = stamps, stamps
    if stamp == "open":
        closes_at = stamps + duration
    else:  # no bar begins before the one before it has ended
        opens_at = np.maximum(stamps - duration, np.append(stamps[:1] - duration, stamps[:-1]))
    o, h, lo, c, sentiment, book = (rows[name].to_numpy(dtype=np.float64) for name in (*PRICES, *EXTRAS))
    volume = rows["volume"].to_numpy(dtype=np.float64)
    traded = None if np.isnan(volume).all() else volume
    return Candles(symbol, opens_at, closes_at, o, h, lo, c, sentiment, book, volume=traded)
