"""Features joined to trades: the newest row of the trade's symbol that was known at its entry, never a later one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table
from gatekeeper.market.data.trades.closed_trades import GIVEN
from gatekeeper.market.ideas import instant

Times = NDArray[np.datetime64]
Index = NDArray[np.intp]

SETTING = "GATEKEEPER_IDEA_FEATURES"
MOST_UNMATCHED = 0.05
_REGULAR = 0.5
_NONE = np.intp(-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Symbol:
    """One symbol's rows in order of time. known_at: NaT for a last row whose bar has no end yet."""

    rows: Index
    stamps: Times
    known_at: Times


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRows:
    """The rows of all files. by_bar: they are stamped with their bar's opening, and known when the next bar begins."""

    frame: pd.DataFrame
    symbols: dict[str, _Symbol]
    by_bar: bool
    uri: str

    def of(self, symbol: NDArray[np.str_], entry: Times) -> Index:
        """(n,) the row for each trade; -1 if none was known at its entry, or only one over a bar old."""
        found = np.full(len(entry), _NONE)
        for name in np.unique(symbol).tolist():
            if name in self.symbols:
                of_symbol = np.flatnonzero(symbol == name)
                found[of_symbol] = _newest(self.symbols[name], entry[of_symbol])
        return found

    def way_out(self, symbol: str) -> str:
        """What to do about ideas of this symbol that have no row."""
        if symbol not in self.symbols:
            held = ", ".join([*self.symbols][:3]) + (" ..." if len(self.symbols) > 3 else "")
            return f"It has rows of {held}: write symbols alike in both"
        return "Is there a row for each bar, are both in UTC, and is GATEKEEPER_BAR_STAMP right?"

    def check_regular(self, as_of: datetime) -> None:
        """Raises DataError if rows that are stamped with a bar's opening are no bars, by what the as-of knows."""
        for name, each in self.symbols.items() if self.by_bar else ():
            gaps = np.diff(each.stamps[each.stamps <= instant(as_of)])
            if len(gaps) < 20:
                continue
            length, count = max(zip(*np.unique(gaps, return_counts=True), strict=True), key=lambda each: int(each[1]))
            if count < _REGULAR * len(gaps):
                raise DataError(
                    f"{self.uri}: only {count} of the {len(gaps)} distances between the rows of {name} are alike "
                    f"({pd.Timedelta(length)}), so they aren't one row a bar, and it can't be told when each was "
                    "known. Give a column known_at, or set GATEKEEPER_BAR_STAMP=close if `time` is when it was known"
                )


def read(source: Iterable[Table], stamp: Literal["open", "close"], uri: str) -> FeatureRows:
    """The feature rows of the tables: `symbol` (or one file each), `time`, the six features, and perhaps `known_at`.

    Without `known_at` a row is known at its `time` if the stamp is `close`, else when the next row's bar begins.
    Raises DataError.
    """
    parts = []
    for table in source:
        table.require(("time", *GIVEN))
        frame = table.frame[list(GIVEN)].copy()
        frame["time"], _ = times.parse(table.frame["time"], f"{table.name}: time")
        frame["symbol"] = table.text("symbol") if "symbol" in table.frame.columns else table.stem
        if "known_at" in table.frame.columns:
            frame["known_at"], _ = times.parse(table.frame["known_at"], f"{table.name}: known_at")
        parts.append(frame)
    if len({"known_at" in part.columns for part in parts}) > 1:
        raise DataError(f"{uri}: some files have a column known_at and others have none. Give it to all or to none")
    frame = pd.concat(parts, ignore_index=True)
    given = "known_at" in frame.columns
    by_bar = stamp == "open" and not given
    symbols = {}
    for name, group in frame.sort_values("time", kind="stable").groupby("symbol", sort=True):
        stamps = group["time"].to_numpy(dtype="datetime64[ns]")
        if len(twice := stamps[1:][stamps[1:] == stamps[:-1]]):
            raise DataError(f"{uri}: two rows of {name} have the time {str(twice[0])[:19]}. Keep the right one")
        known_at = group["known_at"].to_numpy(dtype="datetime64[ns]") if given else stamps
        if given and (known_at < stamps).any():
            raise DataError(f"{uri}: known_at lies before time in a row of {name}. Fix or remove it")
        if by_bar:
            known_at = np.append(stamps[1:], np.datetime64("NaT", "ns"))
        symbols[str(name)] = _Symbol(group.index.to_numpy(dtype=np.intp), stamps, known_at)
    return FeatureRows(frame, symbols, by_bar, uri)


def _newest(held: _Symbol, entry: Times) -> Index:
    """The newest of the symbol's rows known at each entry, if it was known for less than a bar by then.

    A bar: the distance from that row to the one before it, so that nothing after the entry is looked at.
    """
    order = np.argsort(held.known_at, kind="stable")  # NaT sorts last
    known_at = held.known_at[order][: np.count_nonzero(~np.isnat(held.known_at))]
    at = np.searchsorted(known_at, entry, side="right") - 1
    newest = order[np.maximum(at, 0)]
    bars = np.diff(held.stamps, prepend=np.datetime64("NaT", "ns"))
    age = entry - held.known_at[newest]
    fresh = (at >= 0) & ((age == np.timedelta64(0)) | (age < bars[newest]))  # of the first row no bar is known
    return np.where(fresh, held.rows[newest], _NONE)
