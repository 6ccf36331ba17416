"""Bars that were not whole when their file was written, and those whose file's time can't be true."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import DAY, daily, random_bars, utc, write

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import Book
from gatekeeper.market.data.bars.tapes import tape
from gatekeeper.market.data.bars.unfinished import finished
from gatekeeper.market.data.calendar.calendars import within_sessions
from gatekeeper.market.data.reading.files import Table
from gatekeeper.market.ideas import instant
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

BARS = random_bars(30, seed=0)  # daily, to Friday 2016-02-12
LATE = utc("2030-01-01")
MONDAY = utc("2016-02-15T02:00")


def of(frame: pd.DataFrame, written: datetime | None, as_of: datetime = MONDAY, read_at: datetime = LATE) -> Book:
    table = Table("x.csv", "X", frame.reset_index(drop=True), written=written)
    return finished(tape([table], "open", "x", read_at).book(as_of))


def test_a_bar_that_was_going_on_when_its_file_was_written_is_not_used() -> None:
    """Case 127: Friday's bar, downloaded at noon, is no bar on Monday."""
    found = of(BARS, utc("2016-02-12T12:00"))
    assert str(found.candles[0].days[-1]) == "2016-02-11"
    (finding,) = found.findings
    assert finding.kind == "unfinished"
    assert finding.at == "2016-02-12T00:00:00"
    assert "closes at 2016-02-13 00:00Z, after its file was written at 2016-02-12 12:00Z" in finding.message
    whole = of(BARS, utc("2016-02-13T00:00"))
    assert (len(whole.candles[0]), whole.findings) == (30, ())


def test_the_rule_asks_the_as_of_too() -> None:
    """On Friday the bar isn't known whenever its file was written, and nothing is said of it."""
    found = of(BARS, utc("2016-02-12T12:00"), utc("2016-02-12T12:00"))
    assert (len(found.candles[0]), found.findings) == (29, ())


@pytest.mark.xdist_group("calendars")  # a calendar is made once in a process
@pytest.mark.parametrize(("written", "kept"), [("2016-02-12T20:30", 28), ("2016-02-12T21:30", 29)])
def test_a_calendar_says_when_the_bar_had_closed(written: str, kept: int) -> None:
    """New York closes at 21:00 UTC in winter: what was downloaded after that is whole."""
    days = daily(30)[daily(30) != np.datetime64("2016-01-18")]  # a holiday
    table = Table("x.csv", "X", random_bars(29, 0, days), written=utc(written))
    book = tape([table], "open", "x", LATE).book(MONDAY)
    assert len(finished(book).candles[0]) == 28
    assert len(finished(within_sessions(book, MONDAY, {"X": "XNYS"}, ended_after=7)).candles[0]) == kept


def test_a_time_that_cannot_be_true_leaves_out_the_last_bar_only() -> None:
    """An archive that was unpacked with the times of another day."""
    found = of(BARS, utc("2016-01-20T12:00"))
    assert (len(found.candles[0]), len(found.findings)) == (29, 1)
    assert "18 bars of X close after 2016-01-20 12:00Z" in found.findings[0].message
    assert "can't be trusted, so the last bar is left out" in found.findings[0].message


def test_a_store_without_times_is_told_and_its_reading_counts() -> None:
    found = of(BARS, None, read_at=utc("2016-02-12T12:00"))
    assert len(found.candles[0]) == 29
    assert found.notes[-1].startswith("x.csv: the store doesn't say when it was written")
    assert len(of(BARS, None).candles[0]) == 30


def test_the_vendors_own_close_counts() -> None:
    """Binance's bar of a day closes at 23:59:59.999; written a second after midnight it is whole."""
    times = pd.to_datetime(BARS["time"])
    closing = BARS.assign(
        closes_at=(times + pd.Timedelta("1D") - pd.Timedelta("1ms")).dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    )
    found = of(closing, utc("2016-02-13T00:00"))
    np.testing.assert_array_equal(found.candles[0].closes_at, daily(30) + DAY)
    early = BARS.assign(closes_at=(times + pd.Timedelta("15h")).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    found = of(early, utc("2016-02-12T15:00"), utc("2016-02-12T16:00"))
    assert len(found.candles[0]) == 30
    assert found.candles[0].closes_at[-1] == np.datetime64("2016-02-12T15:00")


def test_a_last_bar_off_the_grid_is_left_out() -> None:
    """The minute of the download, in a series of days."""
    extra = BARS.tail(1).assign(time="2016-02-13T14:33:07Z")
    found = of(pd.concat([BARS, extra]), LATE)
    assert len(found.candles[0]) == 30
    assert found.candles[0].closes_at[-1] == np.datetime64("2016-02-13T00:00")
    assert [(each.kind, each.at) for each in found.findings] == [("unfinished", "2016-02-13T14:33:07")]


def test_of_two_files_the_one_that_was_written_after_the_close_is_taken() -> None:
    """Case 129, with the files' times: even where the unfinished bar is no part of the whole one."""
    wrong = BARS[20:21].assign(high=2 * BARS["high"])
    tables = [
        Table("a.csv", "X", pd.concat([BARS[:20], wrong], ignore_index=True), written=utc("2016-02-01T12:00")),
        Table("b.csv", "X", BARS[20:].reset_index(drop=True), written=LATE),
    ]
    found = finished(tape(tables, "open", "x", LATE).book(MONDAY))
    np.testing.assert_array_equal(found.candles[0].high, BARS["high"])
    assert found.findings == ()


def test_a_files_own_time_is_what_counts(tmp_path: Path) -> None:
    """The whole way: written today, all bars of 2016 are whole."""
    frame = random_bars(260, seed=1)
    data = load(f"candles:{write(tmp_path, 'X.csv', frame)}", utc("2016-12-31"), Settings())
    assert data.newest == utc("2016-12-31")
    assert not any("left out" in note and "bar of" in note for note in data.notes)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    cut=st.integers(12, 28),
    written=st.integers(-40 * 24, 24 * 24),
    later=st.sampled_from(["as it is", "gone", "absurd", "doubled", "off the grid", "without offset"]),
)
def test_nothing_after_the_as_of_changes_what_is_left_out(seed: int, cut: int, written: int, later: str) -> None:
    """Case 34: bars, notes and findings are the same whatever came later."""
    frame = random_bars(30, seed)
    as_of = pd.Timestamp(frame["time"].iloc[cut]).to_pydatetime() + timedelta(hours=2)
    at = as_of + timedelta(hours=written)
    known, after = frame.iloc[: cut + 1], frame.iloc[cut + 1 :].astype(object)
    if later == "gone":
        after = after.iloc[:0]
    elif later == "absurd":
        after = after.assign(close=-1.0)
    elif later == "doubled":
        after = pd.concat([after, after.assign(open=after["close"])])
    elif later == "off the grid":
        after = after.assign(time=after["time"].str.replace("00:00:00", "14:33:07"))
    elif later == "without offset":
        after = after.assign(time=after["time"].str.rstrip("Z"))
    clean, found = of(frame, at, as_of), of(pd.concat([known, after]), at, as_of)
    assert (found.notes, found.findings) == (clean.notes, clean.findings)
    for name in ("opens_at", "closes_at", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(found.candles[0], name), getattr(clean.candles[0], name))
    assert (clean.candles[0].closes_at <= instant(as_of)).all()


def test_rows_with_and_without_offset_in_one_file_are_refused() -> None:
    """Case 85: two hours or ten lie between them, and nobody knows."""
    mixed = BARS.assign(time=[*BARS["time"][:10], *BARS["time"][10:].str.rstrip("Z")])
    with pytest.raises(DataError, match=r"x\.csv has times with an offset .* and without .*write all of them"):
        of(mixed, LATE)
    assert len(of(mixed, LATE, utc("2016-01-17T23:59")).candles[0]) == 10  # the first without is stamped a minute later
