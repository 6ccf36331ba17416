"""Overlapping files of one symbol: which of several rows of one time is its bar, or why none of them can be."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import EXTRAS, PRICES, Times
from gatekeeper.market.data.bars.spans import FEWEST, bar_length

# Prices are rounded to cents: what is adjusted by one factor agrees to this.
_SAME_FACTOR = 0.005
_MOSTLY = 0.5
_NO_DISTANCE = np.timedelta64(0, "ns")


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """rows: one for each time, in order. copies: exact duplicates dropped. outgrown: rows that were a bar's beginning,
    dropped for the row that holds them."""

    rows: pd.DataFrame
    copies: int
    outgrown: int


def joined(rows: pd.DataFrame) -> Joined:
    """The bars of one symbol from rows in order of time. Raises DataError for rows of one time that contradict."""
    if (np.diff(_times(rows)) > np.timedelta64(0)).all():
        return Joined(rows, 0, 0)  # the rule; to look for duplicates takes several times as long as all other checks
    unique = rows.drop_duplicates(["time", "volume", *PRICES, *EXTRAS])
    copies = len(rows) - len(unique)
    several = unique.duplicated("time", keep=False).to_numpy()
    if not several.any():
        return Joined(unique, copies, 0)
    candidates = unique[several]
    largest = np.concatenate([_largest(group) for _, group in candidates.groupby("time", sort=True)])
    if not len(largest) or (largest < 0).any():
        raise DataError(_contradiction(candidates))
    kept = unique[~several | unique.index.isin(largest)]
    return Joined(kept, copies, len(unique) - len(kept))


def require_one_length(symbol: str, rows: pd.DataFrame) -> None:
    """Raises DataError if two files hold bars of another length: hours and days are no bars of one series.

    Longer bars mostly come at one distance, and never as close to each other as the shorter ones usually do. A file
    with many holes has bars at all distances, whatever the commonest is.
    """
    codes = rows["file"].cat.codes.to_numpy()
    if (codes == codes[0]).all():
        return
    usual: dict[str, np.timedelta64] = {}
    smallest: dict[str, np.timedelta64] = {}
    for file, group in rows.groupby("file", observed=True):
        stamps = np.unique(_times(group))
        if len(stamps) >= FEWEST:
            gaps, usual[str(file)] = np.diff(stamps), bar_length(stamps)
            smallest[str(file)] = gaps.min() if (gaps == usual[str(file)]).mean() > _MOSTLY else _NO_DISTANCE
    if not usual:
        return
    short, long = min(usual, key=lambda file: usual[file]), max(smallest, key=lambda file: smallest[file])
    if smallest[long] > usual[short]:
        both = (f"{name} has bars of {pd.Timedelta(usual[name])}" for name in usual if name in (short, long))
        raise DataError(f"files of {symbol} differ in the length of a bar: {', '.join(both)}; keep one of the two")


def named(rows: pd.DataFrame, limit: int = 3) -> str:
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


def _largest(group: pd.DataFrame) -> NDArray[np.int64]:
    """The index of the row that holds all others of its time: the same open, range and volume around theirs; else -1.

    A bar only grows while it goes on, so the others were read before it had closed.
    """
    opened, high, low = (group[name].to_numpy() for name in ("open", "high", "low"))
    volume, extras = group["volume"].to_numpy(), group[list(EXTRAS)].to_numpy()
    one_volume = not np.isnan(volume).any()
    if (opened != opened[0]).any() or (one_volume != (not np.isnan(volume).all())):
        return np.array([-1])
    size = np.nan_to_num(volume)
    holds = (high == high.max()) & (low == low.min()) & (size == size.max())
    same = (extras == extras[0]).all()
    return group.index.to_numpy()[holds] if holds.sum() == 1 and same else np.array([-1])


def _contradiction(rows: pd.DataFrame) -> str:
    """What to say of rows that contradict: another adjustment, if one factor explains all prices; else which rows."""
    first = rows.groupby("time", sort=True).head(1).sort_values("time")
    last = rows.groupby("time", sort=True).tail(1).sort_values("time")
    factor = (last[list(PRICES)].to_numpy() / first[list(PRICES)].to_numpy()).ravel()
    middle = float(np.median(factor))
    which = named(rows)
    if abs(middle - 1) > _SAME_FACTOR and (np.abs(factor / middle - 1) < _SAME_FACTOR).all():
        return (
            f"bars of one time differ by one factor, {middle:.4g}, in {which}: the files are adjusted differently (for "
            "splits or dividends); load both anew on one day"
        )
    spelled = sorted({str(symbol) for symbol in rows["symbol"]})
    twins = f" {' and '.join(spelled)} count as one symbol; rename one if they are two." if len(spelled) > 1 else ""
    return f"bars of one time contradict each other in {which}; keep the right one.{twins}"


def _times(rows: pd.DataFrame) -> Times:
    return np.asarray(rows["time"], dtype="datetime64[ns]")
