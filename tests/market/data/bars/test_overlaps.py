"""Files of one symbol: joined in order of time, or refused with the reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import random_bars, utc

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import Book
from gatekeeper.market.data.bars.tapes import book
from gatekeeper.market.data.reading.files import Table

LATE = utc("2030-01-01")
BARS = random_bars(60, seed=3).assign(volume=np.arange(60) + 1000.0)


def of(*frames: pd.DataFrame, symbols: tuple[str, ...] = ("X", "X", "X")) -> Book:
    tables = [
        Table(f"{place}/{symbol}.csv", symbol, frame.reset_index(drop=True))
        for place, (frame, symbol) in enumerate(zip(frames, symbols, strict=False))
    ]
    return book(tables, LATE, "open", "x")


def begun(row: pd.DataFrame) -> pd.DataFrame:
    """The same bar as it was read before its close: half of its range, and its price then."""
    inside = (row["high"] + row["open"]) / 2
    return row.assign(
        high=np.maximum(inside, row["open"]), low=row["open"], close=row["open"], volume=row["volume"] / 2
    )


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), min_size=2, max_size=2, unique=True), overlap=st.integers(0, 5))
def test_files_in_any_pieces_are_one_series(cuts: list[int], overlap: int) -> None:
    """Case 82: the same bars as from one file."""
    first, second = sorted(cuts)
    found = of(BARS[second:], BARS[: first + overlap], BARS[first:second])
    (bars,) = found.candles
    (whole,) = of(BARS).candles
    for name in ("opens_at", "closes_at", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(whole, name))


@pytest.mark.parametrize("whole_first", [False, True])
def test_a_bar_that_one_file_has_unfinished_is_taken_from_the_other(whole_first: bool) -> None:
    """Case 129: two yearly files overlap by the bar that was going on when the first was written."""
    early = pd.concat([BARS[:30], begun(BARS[30:31])])
    found = of(BARS[30:], early) if whole_first else of(early, BARS[30:])
    np.testing.assert_array_equal(found.candles[0].close, BARS["close"])
    assert found.notes == ("1 bar that a file has unfinished taken from another that has it whole",)


@pytest.mark.parametrize(
    "change",
    [
        {"open": 1.0001},  # another open
        {"high": 1.01, "volume": 0.5},  # a larger range on a smaller volume
        {"close": 1.0001},  # neither is larger
    ],
)
def test_other_bars_of_one_time_contradict(change: dict[str, float]) -> None:
    row = BARS[30:31].copy()
    row["close"], row["open"] = (row["high"] + row["low"]) / 2, (row["high"] + row["low"]) / 2
    other = row.assign(**{name: row[name] * factor for name, factor in change.items()})
    with pytest.raises(DataError, match=r"contradict each other in 0/X\.csv row 1 .*1/X\.csv row 1"):
        of(pd.concat([row, BARS[31:]]), other)


def test_another_adjustment_is_told() -> None:
    """A file from before a 4:1 split and one from after it."""
    prices = ["open", "high", "low", "close"]
    after = BARS[20:].assign(**{name: BARS[name] / 4 for name in prices})
    with pytest.raises(DataError, match=r"one factor, 0\.25, .*adjusted differently.*load both anew"):
        of(BARS[:30], after)


def test_symbols_in_upper_and_lower_case_are_one(tmp_path: Path) -> None:
    """Case 81: copies are no second market; other bars under such a name are refused."""
    found = of(BARS, BARS, symbols=("AAPL", "aapl"))
    assert [bars.symbol for bars in found.candles] == ["AAPL"]
    assert found.notes == ("60 exact duplicate bars dropped",)
    assert [bars.symbol for bars in of(BARS[:30], BARS[30:], symbols=("aapl", "AAPL")).candles] == ["AAPL"]
    with pytest.raises(DataError, match=r"AAPL and aapl count as one symbol; rename one if they are two"):
        of(BARS, random_bars(60, seed=4), symbols=("AAPL", "aapl"))


def test_hours_and_days_of_one_symbol_are_no_series() -> None:
    """Midnight's hour holds less than its day, so it would be taken for the beginning of it."""
    hours = np.datetime64("2016-01-04", "ns") + np.arange(60) * np.timedelta64(1, "h")
    with pytest.raises(DataError, match=r"X differ in the length of a bar: 0/X\.csv has bars of 1 days .*0 days 01"):
        of(BARS, random_bars(60, 3, hours))


@pytest.mark.parametrize("seed", range(100))
def test_files_that_share_out_the_bars_of_one_symbol_are_one_series(seed: int) -> None:
    """Each has holes, and in some the commonest distance is two days: they are no bars of two days."""
    place = np.random.default_rng(seed).integers(0, 3, len(BARS))
    found = of(*(BARS[place == part] for part in range(3)))
    (whole,), (bars,) = of(BARS).candles, found.candles
    assert (bars.closes_at == whole.closes_at).all()
    assert (bars.close == whole.close).all()
