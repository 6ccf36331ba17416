"""Candles: which bars were known, refused, or dropped with a note."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import daily, random_bars, utc, write

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.market.data.bars.candles import Book
from gatekeeper.market.data.bars.tapes import book, read
from gatekeeper.market.data.calendar.closes import daily_closes
from gatekeeper.market.data.reading.files import Table

LATE = utc("2030-01-01")
BARS = random_bars(30, seed=0)


def of(frame: pd.DataFrame, **options: object) -> Book:
    return book([Table("x.csv", "X", frame.reset_index(drop=True))], LATE, "open", "x.csv", **options)


def with_cell(row: int, column: str, value: object) -> pd.DataFrame:
    frame = BARS.astype({column: object})
    frame.loc[row, column] = value
    return frame


def test_a_good_file_comes_through_as_it_is(tmp_path: Path) -> None:
    read_back = read(write(tmp_path, "AAPL.csv", BARS), LATE, "open")
    (bars,) = read_back.candles
    assert (bars.symbol, read_back.notes) == ("AAPL", ())
    np.testing.assert_array_equal(bars.close, BARS["close"])
    np.testing.assert_array_equal(bars.closes_at, daily(30) + np.timedelta64(1, "D"))
    np.testing.assert_array_equal(bars.days, daily(30).astype("datetime64[D]"))
    assert not bars.sentiment.any()


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("close", np.nan, "missing or not a finite number"),
        ("open", None, "missing or not a finite number"),
        ("high", "abc", "missing or not a finite number"),
        ("high", np.inf, "missing or not a finite number"),
        ("low", 0.0, "not positive"),
        ("low", -1.0, "not positive"),
        ("high", 1.0, "the high is under"),
        ("low", 1e6, "the high is under"),
        ("close", 1e-40, "under 1e-30"),
    ],
)
def test_a_bad_price_names_file_and_row(column: str, value: object, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as error:
        of(with_cell(6, column, value))
    assert "x.csv row 7 (X 2016-01-12T00:00:00" in str(error.value)


def test_a_low_over_the_body_is_refused() -> None:
    frame = BARS.assign(low=BARS["high"])
    with pytest.raises(DataError, match="the low is over"):
        of(frame)


def test_many_faults_name_the_first_three() -> None:
    with pytest.raises(DataError, match=r"row 1 .*row 2 .*row 3 .*and 27 more"):
        of(BARS.assign(close=np.nan))


def test_the_last_bar_twice_is_dropped_and_counted() -> None:
    """Case 32: exact duplicates are dropped and told."""
    found = of(pd.concat([BARS, BARS.tail(1)]))
    assert found.notes == ("1 exact duplicate bar dropped",)
    np.testing.assert_array_equal(found.candles[0].close, BARS["close"])


def test_conflicting_bars_are_refused() -> None:
    """Case 32: two different bars of one time."""
    other = BARS.tail(1).assign(close=BARS["low"].iloc[-1])
    with pytest.raises(DataError, match=r"contradict .*x\.csv row 30 .*x\.csv row 31"):
        of(pd.concat([BARS, other]))
    with pytest.raises(DataError, match="contradict"):
        of(pd.concat([BARS.assign(volume=2), BARS.tail(1).assign(volume=1, high=2 * BARS["high"].iloc[-1])]))


def test_duplicates_across_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    write(tmp_path, "X.csv", BARS.iloc[10:])
    write(tmp_path / "old", "X.csv", BARS.iloc[:15])
    found = read(f"{tmp_path}/**/*.csv", LATE, "open")
    assert found.notes == ("5 exact duplicate bars dropped",)
    assert len(found.candles[0]) == 30
    write(tmp_path / "old", "X.csv", BARS.iloc[:15].assign(open=BARS["close"]))
    with pytest.raises(DataError, match=r"X\.csv row 1 .*old/X\.csv row 11"):
        read(f"{tmp_path}/**/*.csv", LATE, "open")


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(30)))
def test_rows_in_any_order_give_the_same_candles(order: list[int]) -> None:
    found = of(BARS.iloc[order])
    np.testing.assert_array_equal(found.candles[0].close, BARS["close"])
    moved = sum(later < earlier for earlier, later in pairwise(order))
    assert any(f"{moved} before" in note for note in found.notes) == (moved > 0)


def test_symbols_come_from_the_column_or_from_the_name() -> None:
    two = pd.concat([BARS.assign(symbol="B"), BARS.assign(symbol="A", close=BARS["low"])])
    found = of(two)
    assert [bars.symbol for bars in found.candles] == ["A", "B"]
    assert found.notes == ()
    with pytest.raises(DataError, match=r"symbol is empty in x\.csv row 1"):
        of(BARS.assign(symbol=""))


def test_missing_columns_are_named() -> None:
    with pytest.raises(DataError, match="no column close"):
        of(BARS.drop(columns="close"))


def test_dates_as_text_of_another_order_are_read_as_dates_or_refused() -> None:
    """Case 38: `dd.mm.yyyy` sorted as text. The 13th of a month tells the order; eight days from the 4th don't."""
    german = BARS.assign(time=[f"{text[8:10]}.{text[5:7]}.{text[:4]}" for text in BARS["time"]])
    np.testing.assert_array_equal(of(german).candles[0].opens_at, of(BARS).candles[0].opens_at)
    with pytest.raises(DataError, match=r"x\.csv: time may be day or month first.*row 1 \('04\.01\.2016'\)"):
        of(german.head(7))


def test_a_bar_is_known_at_its_close() -> None:
    """Case 51: a daily bar stamped Monday 00:00 isn't known to Monday 02:00, but is to Tuesday 00:00."""
    frame = BARS.iloc[:26]  # the last bar is Monday's, 2016-02-08
    source = [Table("x.csv", "X", frame)]
    assert book(source, utc("2016-02-08T02:00"), "open", "x").candles[0].days[-1] == np.datetime64("2016-02-05")
    assert len(book(source, utc("2016-02-08T23:59:59.999999"), "open", "x").candles[0]) == 25
    assert len(book(source, utc("2016-02-09T00:00"), "open", "x").candles[0]) == 26


def test_bars_stamped_at_their_close() -> None:
    (bars,) = book([Table("x.csv", "X", BARS)], utc("2016-02-08"), "close", "x").candles
    assert len(bars) == 26
    assert bars.closes_at[-1] == np.datetime64("2016-02-08T00:00")
    assert bars.opens_at[-1] == np.datetime64("2016-02-07T00:00")
    hourly = np.datetime64("2018-01-01T10:00", "ns") + np.arange(30) * np.timedelta64(1, "h")
    hourly[-2] -= np.timedelta64(30, "m")  # a half bar
    (bars,) = book([Table("x.csv", "X", random_bars(30, 0, hourly))], LATE, "close", "x").candles
    np.testing.assert_array_equal(bars.opens_at[1:-1], hourly[:-2])


def test_nothing_of_a_bar_that_was_not_known_is_looked_at() -> None:
    """Case 34: NaN, conflicts and disorder after the as-of change nothing, not even the notes."""
    as_of = utc("2016-01-25T02:00")
    clean = book([Table("x.csv", "X", BARS)], as_of, "open", "x")
    poison = BARS.astype({"close": object, "open": object})
    poison.loc[15:, ["close", "open"]] = ["abc", -1.0]
    poison = pd.concat([poison, poison.iloc[[20, 16]], poison.tail(3).assign(open=np.nan)])
    found = book([Table("x.csv", "X", poison.reset_index(drop=True))], as_of, "open", "x")
    assert len(clean.candles[0]) == len(found.candles[0]) == 15
    np.testing.assert_array_equal(found.candles[0].close, clean.candles[0].close)
    assert found.notes == clean.notes == ()


def test_extras_are_for_all_or_none() -> None:
    both = BARS.assign(avgSent=0.25, avgOB=-3.0)
    (bars,) = of(both).candles
    assert (set(bars.sentiment), set(bars.order_book)) == ({0.25}, {-3.0})
    with pytest.raises(DataError, match="avgSent without the other"):
        of(BARS.assign(avgSent=0.25))
    with pytest.raises(DataError, match="avgSent or avgOB is missing"):
        of(both.assign(avgOB=np.nan))
    with pytest.raises(DataError, match=r"a\.csv has avgSent and avgOB, b\.csv does not"):
        book([Table("a.csv", "A", both), Table("b.csv", "B", BARS)], LATE, "open", "x")


def test_an_as_of_before_the_data() -> None:
    with pytest.raises(AsOfError, match=r"2015-01-01 .* before the data .* 2016-01-04"):
        book([Table("x.csv", "X", BARS)], utc("2015-01-01"), "open", "x.csv")


def test_too_few_bars_to_know_how_long_one_is() -> None:
    found = of(pd.concat([BARS.assign(symbol="OLD"), BARS.tail(2).assign(symbol="NEW")]))
    assert [bars.symbol for bars in found.candles] == ["OLD"]
    assert found.notes == ("left out, fewer than 10 bars by the as-of: NEW (2)",)
    with pytest.raises(DataError, match=r"too few bars .* X \(3\)"):
        of(BARS.head(3))


def test_times_without_offset_are_told_once() -> None:
    bare = BARS.assign(time=BARS["time"].str[:10])
    found = book([Table("a.csv", "A", bare), Table("b.csv", "B", bare)], LATE, "open", "x")
    assert found.notes == ("times without offset are read as UTC",)


def test_daily_closes_carry_on_and_know_no_later_bar() -> None:
    """A symbol that starts late has no price before; one that ends keeps its last."""
    early = BARS.iloc[:20].assign(symbol="A")
    late = BARS.iloc[5:].assign(symbol="B")
    both = of(pd.concat([early, late]))
    days = daily(30).astype("datetime64[D]")
    closes = daily_closes(both.candles, days, LATE, 20 * 365)
    close = BARS["close"].to_numpy()
    np.testing.assert_array_equal(closes[:, 0], np.concatenate((close[:20], np.full(10, close[19]))))
    np.testing.assert_array_equal(closes[:, 1], np.concatenate((np.full(5, np.nan), close[5:])))
    known = book([Table("x.csv", "X", early)], utc("2016-01-18"), "open", "x.csv")
    seen = days[days < np.datetime64("2016-01-18")]
    np.testing.assert_array_equal(daily_closes(known.candles, seen, utc("2016-01-18"), 365)[:, 0], close[: len(seen)])


def test_daily_closes_reach_back_a_month_over_the_holdout() -> None:
    days = np.arange("2015-01-01", "2016-02-01", dtype="datetime64[D]")
    closes = daily_closes(of(BARS).candles, days, utc("2016-02-01"), 10)
    assert len(closes) == 40
