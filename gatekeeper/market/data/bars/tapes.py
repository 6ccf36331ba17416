"""Tape of bars: what a source's files hold, checked, sorted, and restricted to the bars known by an as-of.

Bars that were not yet known are dropped before anything is checked or counted, so nothing after the as-of can matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.market.data.bars.candles import EXTRAS, PRICES, Book, Candles, Stamp, Times
from gatekeeper.market.data.bars.overlaps import joined, named, require_one_length
from gatekeeper.market.data.bars.spans import FEWEST, bar_length, begins, ends, off_grid
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers, tables
from gatekeeper.market.data.reading.vendors.bars import BARS
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import LARGEST, instant

_NEVER = np.datetime64("2262-01-01", "ns")


@dataclass(frozen=True, slots=True, eq=False)
class SymbolRows:
    """All rows of one symbol, in the order of the files, and what their times stand for.

    Spellings that differ in upper and lower case alone are one symbol.
    """

    rows: pd.DataFrame
    stamp: Stamp


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What a file says of its times.

    written: when it was written; None if its store doesn't say. naive, aware: the earliest of its stamps that came
    without an offset, and with one; NaT if none did.
    """

    name: str
    written: datetime | None
    naive: np.datetime64
    aware: np.datetime64


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """All bars of a source as read; a bar is checked only once an as-of knows it.

    first: the earliest stamp. read_at: when the source was read, for files that don't say when they were written; None
    if their bars are all complete.
    """

    uri: str
    series: tuple[SymbolRows, ...]
    files: tuple[Origin, ...]
    first: np.datetime64
    read_at: datetime | None = None

    def book(self, as_of: datetime) -> Book:
        """The bars that had closed by the as-of; `unfinished.finished` leaves out those that weren't whole yet.

        Raises DataError (the file and its first rows at fault) and AsOfError (before the data).
        """
        for file in self.files:
            times.refuse_mixed(file.name, file.naive, file.aware, instant(as_of))
        candles: list[Candles] = []
        findings: list[Finding] = []
        copies, outgrown, moved, short, closing = 0, 0, 0, [], set()
        for series in self.series:
            known, length, left_out = _known(series, as_of)
            if known.empty:
                continue
            symbol = _spelled(known)
            found = joined(_checked(symbol, known))
            copies, outgrown = copies + found.copies, outgrown + found.outgrown
            moved += _out_of_order(known)
            if len(found.rows) < FEWEST:
                short.append(f"{symbol} ({len(found.rows)})")
                continue
            candles.append(_candles(symbol, found.rows, length, series.stamp))
            findings += _off_grid(symbol, left_out, length)
            closing |= {symbol} if series.stamp == "close" else set()
        notes = self._notes(instant(as_of))
        if copies:
            notes.append(f"{copies} exact duplicate bar{'s' * (copies != 1)} dropped")
        if outgrown:
            notes.append(
                f"{outgrown} bar{'s' * (outgrown != 1)} that a file has unfinished taken from another that has it whole"
            )
        if moved:
            notes.append(f"rows were not in order of time ({moved} before an earlier one) and were sorted")
        if short:
            notes.append(f"left out, fewer than {FEWEST} bars by the as-of: {', '.join(short)}")
        if not candles:
            _refuse(self.uri, as_of, self.first, short)
        return Book(tuple(candles), tuple(notes), tuple(findings), frozenset(closing))

    def _notes(self, known: np.datetime64) -> list[str]:
        notes = []
        if any(file.naive <= known for file in self.files):
            notes.append("times without offset are read as UTC")
        silent = [file for file in self.files if file.written is None and np.fmin(file.naive, file.aware) <= known]
        if silent and self.read_at is not None:
            notes.append(
                f"{silent[0].name}{f' and {len(silent) - 1} more' * (len(silent) > 1)}: the store doesn't say when it "
                "was written, so a bar counts as complete if it had closed when it was read"
            )
        return notes


def read(uri: str, as_of: datetime, stamp: Stamp) -> Book:
    """The candles at `uri` that were known by the as-of.

    stamp: `open` or `close`, the end of the bar that its time stands for.

    Raises what `Tape.book` and `files.tables` raise.
    """
    return book(tables(uri, BARS), as_of, stamp, uri)


def book(source: Iterable[Table], as_of: datetime, stamp: Stamp, uri: str) -> Book:
    """The bars of tables that were read already."""
    return tape(source, stamp, uri).book(as_of)


def tape(source: Iterable[Table], stamp: Stamp, uri: str, read_at: datetime | None = None) -> Tape:
    """All bars of the tables, of any time. Raises DataError for a table from which no bar can be read.

    stamp: `close` if all times are those of closes; else each vendor's own, by default `open`.
    """
    stamped = list(_stamped(source, stamp, read_at))
    rows = pd.concat([frame for _, frame in stamped], ignore_index=True)
    files = np.repeat(np.arange(len(stamped)), [len(frame) for _, frame in stamped])
    names = [origin.name for origin, _ in stamped]
    rows["file"] = pd.Categorical.from_codes(files, categories=pd.Index(dict.fromkeys(names)))
    series = tuple(_series(group) for _, group in rows.groupby(_one_case(rows["symbol"]), sort=True))
    return Tape(uri, series, tuple(origin for origin, _ in stamped), _times(rows).min(), read_at)


def _series(rows: pd.DataFrame) -> SymbolRows:
    stamps = rows["stamp"].unique()
    if len(stamps) > 1:
        opens, closes = (rows.loc[rows["stamp"] == each, "file"].iloc[0] for each in ("open", "close"))
        raise DataError(
            f"the times of {rows['symbol'].iloc[0]} are opens in {opens} and closes in {closes}; take the files of one "
            "vendor, or set GATEKEEPER_BAR_STAMP=close if all are closes"
        )
    return SymbolRows(rows.drop(columns="stamp"), stamps[0])


def _one_case(symbols: pd.Series) -> pd.Series:
    """The symbols, those that differ in upper and lower case alone as the first of them."""
    first: dict[str, str] = {}
    for symbol in sorted({str(each) for each in symbols.unique()}):
        first.setdefault(symbol.casefold(), symbol)
    return symbols.map(lambda symbol: first[str(symbol).casefold()])


def _spelled(rows: pd.DataFrame) -> str:
    return min(str(symbol) for symbol in rows["symbol"].unique())


def _refuse(uri: str, as_of: datetime, first: np.datetime64, short: list[str]) -> None:
    if short:
        found = ", ".join(short)
        raise DataError(f"{uri} has too few bars by {as_of:%Y-%m-%d %H:%M}Z: {found}; the 200th gives the first idea")
    raise AsOfError(
        f"as-of {as_of:%Y-%m-%d %H:%M}Z lies before the data of {uri}: its first bar is stamped {first}, and a bar is "
        "known at its close; choose a later as-of"
    )


def _stamped(source: Iterable[Table], stamp: Stamp, read_at: datetime | None) -> Iterator[tuple[Origin, pd.DataFrame]]:
    """Each table's rows with times and numbers read, and what it says of its times."""
    extras: dict[bool, str] = {}
    for table in source:
        table.require(("time", *PRICES))
        extras.setdefault(_has_extras(table), table.name)
        if len(extras) > 1:
            both = " and ".join(EXTRAS)
            raise DataError(f"{extras[True]} has {both}, {extras[False]} does not; give them to all files or to none")
        stamps, naive = times.parse(table.frame["time"], f"{table.name}: time")
        frame = _numbers(table, stamps)
        written = table.written or read_at
        frame["written"] = np.datetime64("NaT", "ns") if written is None else instant(written)
        if stamp == "close" and table.stamp == "open":
            raise DataError(
                f"the times of {table.name} are a bar's opens{f' ({table.vendor})' if table.vendor else ''}, and "
                "GATEKEEPER_BAR_STAMP=close would use each bar ahead of its close. Set GATEKEEPER_BAR_STAMP=open, or, "
                'if this file has closes, stamp = "close" in [columns]'
            )
        frame["stamp"] = "close" if stamp == "close" else table.stamp or "open"
        yield Origin(table.name, table.written, times.first(stamps, naive), times.first(stamps, ~naive)), frame


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
    closes_at: Times = np.full(len(frame), np.datetime64("NaT", "ns"))
    if "closes_at" in frame.columns:
        # A vendor's last millisecond or microsecond of a bar is the instant at which it has closed.
        last, _ = times.parse(frame["closes_at"], f"{table.name}: closes_at", optional=True)
        closes_at = times.whole_seconds(last)
    rows = {"row": np.arange(1, len(frame) + 1), "symbol": symbols, "time": stamps, "closes_at": closes_at}
    return pd.DataFrame({**rows, **columns})


def _known(series: SymbolRows, as_of: datetime) -> tuple[pd.DataFrame, np.timedelta64, Times]:
    """The rows that the as-of knows with their closes, how long their bars are, and the stamp of a last bar left out.

    Of two rows of one time, one that had not closed when its file was written is dropped for one that had.
    """
    times_of_rows = _times(series.rows)
    known = np.flatnonzero(times_of_rows <= instant(as_of))
    stamps, place = _distinct(times_of_rows[known])
    length = bar_length(stamps)
    left_out = stamps[len(stamps) :]
    if off_grid(stamps, length):
        stamps, left_out = stamps[:-1], stamps[-1:]
        earlier = times_of_rows[known] <= stamps[-1]
        known, place = known[earlier], place[earlier]
    closed = stamps
    if series.stamp == "open":
        closed = ends(stamps, length)
        given = series.rows["closes_at"].to_numpy(dtype="datetime64[ns]")[known]
        if (early := given <= times_of_rows[known]).any():
            raise DataError(
                f"the file's own close is not after the open in {named(series.rows.iloc[known[early]])}, so the bar "
                "would be known before it began; fix or remove that column"
            )
        _take_given(closed, stamps, place, given)
        left_out = left_out[left_out + length <= instant(as_of)]
    closes_at = closed[place]
    whole = closes_at <= instant(as_of)
    rows = _at(series.rows, known[whole]).assign(closes_at=closes_at[whole])
    return _without_unfinished_copies(rows), length, left_out


def _distinct(instants: Times) -> tuple[Times, NDArray[np.intp]]:
    """The distinct instants in order, and (n,) the place of each among them."""
    if (instants[1:] > instants[:-1]).all():
        return instants, np.arange(len(instants))  # the rule
    distinct, place = np.unique(instants, return_inverse=True)
    return distinct, place


def _at(rows: pd.DataFrame, place: NDArray[np.intp]) -> pd.DataFrame:
    """The rows at these places, in order; those that follow each other without a copy."""
    whole = len(place) and place[-1] - place[0] + 1 == len(place)
    return rows.iloc[place[0] : place[-1] + 1] if whole else rows.iloc[place]


def _take_given(closed: Times, stamps: Times, place: NDArray[np.intp], given: Times) -> None:
    """Replace the closes that the vendor gives, as long as the next bar hasn't begun."""
    has = ~np.isnat(given)
    if has.any():
        begins_next = np.append(stamps[1:], _NEVER)[place]
        closed[place[has]] = np.minimum(begins_next, given)[has]


def _without_unfinished_copies(rows: pd.DataFrame) -> pd.DataFrame:
    late = rows["closes_at"].to_numpy() > rows["written"].to_numpy()
    if not late.any() or late.all():
        return rows
    whole = np.isin(_times(rows), _times(rows[~late]))
    return rows[~(late & whole)]


def _off_grid(symbol: str, left_out: Times, length: np.timedelta64) -> Iterator[Finding]:
    for stamp in left_out:
        yield Finding(
            Severity.NOTE,
            "unfinished",
            symbol,
            str(stamp)[:19],
            f"The last bar of {symbol}, stamped {str(stamp)[:19]}, is left out: no other of its bars of "
            f"{pd.Timedelta(length)} stands at such a time, so it was still going on.",
        )


def _checked(symbol: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in order of time. Raises DataError for a bad price, and for files whose bars differ in length."""
    if not symbol:
        raise DataError(f"the symbol is empty in {named(rows)}; fill it in")
    # Column by column: to pick several of a frame at once takes longer than all that is asked of them.
    prices = np.stack([rows[name].to_numpy() for name in PRICES])
    extras = np.stack([rows[name].to_numpy() for name in EXTRAS])
    opened, high, low, close = prices
    faults = {
        "a price is missing or not a finite number": ~np.isfinite(prices).all(axis=0),
        "a price is not positive": (prices <= 0).any(axis=0),
        "a price is under 1e-30 or over 1e30": ((prices < 1 / LARGEST) | (prices > LARGEST)).any(axis=0),
        "the high is under the open, low or close": high < np.maximum(np.maximum(opened, close), low),
        "the low is over the open or close": low > np.minimum(opened, close),
        "avgSent or avgOB is missing or not a finite number": ~(np.abs(extras) < LARGEST).all(axis=0),
    }
    for fault, where in faults.items():
        if where.any():
            raise DataError(f"{fault} in {named(rows[where])}; fix or remove the rows")
    require_one_length(symbol, rows)
    return rows if _is_sorted(rows) else rows.sort_values("time", kind="stable")


def _times(rows: pd.DataFrame) -> Times:
    return np.asarray(rows["time"], dtype="datetime64[ns]")


def _is_sorted(rows: pd.DataFrame) -> bool:
    instants = _times(rows)
    return bool((instants[1:] >= instants[:-1]).all())


def _out_of_order(rows: pd.DataFrame) -> int:
    """The number of rows that stand before an earlier row of the same file."""
    if _is_sorted(rows):
        return 0
    same_file = rows["file"].cat.codes.diff().to_numpy()[1:] == 0
    return int((same_file & (np.diff(_times(rows)) < np.timedelta64(0))).sum())


def _candles(symbol: str, rows: pd.DataFrame, length: np.timedelta64, stamp: Stamp) -> Candles:
    stamps = _times(rows)
    closes_at = rows["closes_at"].to_numpy(dtype="datetime64[ns]")
    opens_at = stamps if stamp == "open" else begins(stamps, length)
    o, h, lo, c, sentiment, book = (rows[name].to_numpy(dtype=np.float64) for name in (*PRICES, *EXTRAS))
    volume = rows["volume"].to_numpy(dtype=np.float64)
    traded = None if np.isnan(volume).all() else volume
    written = rows["written"].to_numpy(dtype="datetime64[ns]")
    whole = None if np.isnat(written).all() else written
    return Candles(symbol, opens_at, closes_at, o, h, lo, c, sentiment, book, volume=traded, written=whole)
