"""Sessions by hand: New York had no session on Thanksgiving (2018-11-22), closed at 13:00 the day after, and held none
on 2018-12-05, the day of mourning for a president. 21:00 UTC is its close in winter, 20:00 in summer.
"""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_bars import DAY, random_bars, utc, write

from gatekeeper.errors import ConfigError, DataError
from gatekeeper.market.data.bars.candles import Book, Candles
from gatekeeper.market.data.calendar import calendars
from gatekeeper.market.data.calendar.sessions import periods_per_year
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("calendars")  # a calendar is made once in a process

AS_OF = utc("2018-12-31T02:00")
HOLIDAYS = np.array(["2018-11-22", "2018-12-05", "2018-12-25"], dtype="datetime64[D]")
HOUR = np.timedelta64(1, "h")


def sessions(first: str = "2018-11-01", last: str = "2018-12-28") -> np.ndarray:
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    return np.setdiff1d(days[np.is_busday(days)], HOLIDAYS)


def bars(opens_at: np.ndarray, length: np.timedelta64 = DAY, symbol: str = "SPX") -> Candles:
    flat = np.full(len(opens_at), 100.0)
    opens_at = opens_at.astype("datetime64[ns]")
    return Candles(symbol, opens_at, opens_at + length, flat, flat, flat, flat, 0 * flat, 0 * flat)


def kept(one: Candles, named: dict[str, str], as_of: datetime = AS_OF) -> tuple[Candles, tuple[str, ...]]:
    book = calendars.within_sessions(Book((one,), ()), as_of, named, ended_after=7)
    return book.candles[0], book.notes


def files(folder: Path, **days: np.ndarray) -> str:
    for symbol, each in days.items():
        write(folder, f"{symbol}.csv", random_bars(len(each), 1, each.astype("datetime64[ns]")))
    return f"candles:{folder}"


def read(uri: str, named: str) -> Dataset:
    return load(uri, AS_OF, Settings(calendars=named))


def test_the_demo_holds_every_session_of_new_york_and_no_other_day() -> None:
    """Two years of real bars: named or not, the same trades on the same days, each known at its session's close."""
    as_of = utc("2008-01-07T02:00")
    plain = load("demo:", as_of, Settings())
    named = load("demo:", as_of, Settings(calendars="SP500=XNYS NASDAQ=XNAS"))
    assert named.periods_per_year == plain.periods_per_year == 252
    assert named.market_days.tolist() == plain.market_days.tolist()
    assert named.ideas.outcome.tolist() == plain.ideas.outcome.tolist()
    early = plain.ideas.time - named.ideas.time
    # Midnight UTC less 21:00 or 20:00; 18:00 or 17:00 on the half days.
    assert len(early) > 200
    assert set((early / HOUR).tolist()) <= {3.0, 4.0, 6.0, 7.0}


def test_a_daily_bar_is_known_at_its_sessions_close_early_closes_too() -> None:
    found, notes = kept(bars(sessions()), {"SPX": "XNYS"})
    closes = dict(zip(found.days.astype(str).tolist(), found.closes_at.astype(str).tolist(), strict=True))
    assert closes["2018-11-02"][:16] == "2018-11-02T20:00"
    assert closes["2018-11-05"][:16] == "2018-11-05T21:00"
    assert closes["2018-11-23"][:16] == "2018-11-23T18:00"
    assert closes["2018-12-24"][:16] == "2018-12-24T18:00"
    assert notes == ()


@pytest.mark.parametrize("stamp", ["2018-11-01T00:00", "2018-11-01T05:00", "2018-11-01T14:30"])
def test_whatever_midnight_the_vendor_stamps_it_is_the_same_session(stamp: str) -> None:
    offset = np.datetime64(stamp) - np.datetime64("2018-11-01T00:00")
    found, _ = kept(bars(sessions().astype("datetime64[m]") + offset), {"SPX": "XNYS"})
    assert found.days.tolist() == sessions().tolist()


def test_a_session_without_a_bar_is_an_error_that_names_it() -> None:
    gap = sessions()[sessions() != np.datetime64("2018-12-03")]
    with pytest.raises(DataError, match="SPX has no bar of the session 2018-12-03 of XNYS"):
        kept(bars(gap), {"SPX": "XNYS"})
    assert len(kept(bars(gap), {})[0]) == len(gap)


def test_a_daily_bar_without_a_session_is_an_error_that_names_it() -> None:
    with pytest.raises(DataError, match="SPX has a bar of 2018-12-05, on which XNYS held no session"):
        kept(bars(np.union1d(sessions(), np.array(["2018-12-05"], dtype="datetime64[D]"))), {"SPX": "XNYS"})


def test_intraday_bars_outside_of_sessions_are_left_out_and_counted() -> None:
    """Every hour from Wednesday to Friday. In session: 14:00 to 21:00 on Wednesday; 14:00 to 18:00 on the half day."""
    hours = np.arange(np.datetime64("2018-11-21T00"), np.datetime64("2018-11-24T00"))
    found, notes = kept(bars(hours, HOUR), {"SPX": "XNYS"}, utc("2018-11-24T02:00"))
    assert found.days.astype(str).tolist() == ["2018-11-21"] * 7 + ["2018-11-23"] * 4
    assert found.opens_at[-1].astype(str)[:13] == "2018-11-23T17"
    assert notes == (f"{72 - 11} bars of SPX outside the sessions of XNYS left out",)
    with pytest.raises(DataError, match="no bar of SPX lies in a session of XNYS"):
        kept(bars(hours[24:36], HOUR), {"SPX": "XNYS"}, utc("2018-11-24T02:00"))


def test_a_sunday_evening_of_futures_belongs_to_monday() -> None:
    hours = np.arange(np.datetime64("2018-11-11T12"), np.datetime64("2018-11-12T23"))
    found, _ = kept(bars(hours, HOUR, "ES=F"), {"*": "CMES"}, utc("2018-11-13T02:00"))
    assert found.opens_at[0].astype(str)[:13] == "2018-11-11T23"
    assert set(found.days.astype(str).tolist()) == {"2018-11-12"}


def test_a_session_that_is_not_over_is_not_known() -> None:
    """Stamps of 16:00 in New York that were written as UTC: at 16:30 UTC the session has more than four hours to go."""
    stamped = bars(sessions().astype("datetime64[h]") + 16 * HOUR - DAY)
    found, _ = kept(stamped, {"SPX": "XNYS"}, utc("2018-12-28T16:30"))
    assert str(found.days[-1]) == "2018-12-27"


def test_a_late_feed_is_told_of_and_one_that_ended_owes_nothing() -> None:
    named = {"SPX": "XNYS", "GONE": "XNYS"}
    late = kept(bars(sessions()[:-1]), named)[1]
    assert late == (
        "no bar of SPX yet of 1 session of XNYS, from 2018-12-28",
        "no bars of GONE, which GATEKEEPER_CALENDARS names",
    )
    assert kept(bars(sessions(last="2018-12-14")), {"SPX": "XNYS"})[1] == ()


def test_periods_are_those_of_the_calendars_and_a_mixed_book_takes_the_busier(tmp_path: Path) -> None:
    """Twenty whole years before 2018: New York held 5032 sessions, so 252 a year; Tokyo 4911, so 246."""
    coin = np.arange(np.datetime64("2018-11-01"), np.datetime64("2018-12-31"))
    uri = files(tmp_path, SPX=sessions(), BTC=coin)
    mixed = read(uri, "SPX=XNYS BTC=24/7")
    assert mixed.periods_per_year == 365
    assert mixed.market_days.tolist() == coin.tolist()
    (tmp_path / "BTC.csv").unlink()
    stocks = read(uri, "*=XNYS")
    assert (stocks.periods_per_year, stocks.market_days.tolist()) == (252, sessions().tolist())
    assert periods_per_year("XTKS", np.datetime64("2018-11-01"), AS_OF) == 246
    assert periods_per_year("24/7", np.datetime64("2018-11-01"), AS_OF) == 365


def test_labelled_ideas_count_the_sessions_of_their_calendars(tmp_path: Path) -> None:
    """Mondays of one November: without a calendar Thanksgiving is a market day, with it it is none."""
    rows = {
        "symbol": ["SPX", "BTC"],
        "time": ["2018-11-19T21:00Z", "2018-11-19T21:00Z"],
        "closed_at": ["2018-11-27T21:00Z", "2018-11-27T21:00Z"],
        "action": ["buy", "buy"],
        "outcome": [0.01, 0.02],
        **{name: [1.0, 2.0] for name in ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB")},
    }
    as_of = utc("2018-12-03T02:00")
    pd.DataFrame(rows).iloc[:1].to_csv(tmp_path / "one.csv", index=False)
    uri = f"ideas:{tmp_path}/one.csv"
    assert len(load(uri, as_of, Settings()).market_days) == 10
    stocks = load(uri, as_of, Settings(calendars="SPX=XNYS"))
    assert stocks.market_days.tolist() == sessions("2018-11-19", "2018-11-30").tolist()
    pd.DataFrame(rows).to_csv(tmp_path / "one.csv", index=False)
    mixed = load(uri, as_of, Settings(calendars="SPX=XNYS BTC=24/7"))
    assert (mixed.periods_per_year, len(mixed.market_days)) == (365, 14)
    unnamed = load(uri, as_of, Settings(calendars="SPX=XNYS"))
    assert (unnamed.periods_per_year, len(unnamed.market_days)) == (252, 10)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NYSE?", "names 'NYSE\\?', which exchange-calendars doesn't know; known: .*XNYS"),
        ("XSAU", "no sessions of XSAU from 2018 to 2018"),
    ],
)
def test_a_calendar_that_cannot_be_had_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        kept(bars(sessions()), {"SPX": name})
