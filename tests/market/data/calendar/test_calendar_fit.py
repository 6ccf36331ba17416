"""The calendar of real and planted days: which one is sure, and where none is."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from arch.data import nasdaq, sp500
from market_bars import DAY, daily, utc

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.calendar_fit import _search, fit
from gatekeeper.market.data.calendar.fx import fx_sessions
from gatekeeper.market.data.calendar.sessions import outline, sessions

pytestmark = pytest.mark.xdist_group("calendars")  # a calendar is made once in a process

AS_OF = utc("2019-01-07T02:00")


def bars(days: np.ndarray, length: np.timedelta64 = DAY, symbol: str = "X") -> Candles:
    flat = np.full(len(days), 100.0)
    opens_at = days.astype("datetime64[ns]")
    return Candles(symbol, opens_at, opens_at + length, flat, flat, flat, flat, 0 * flat, 0 * flat)


def held(name: str, first: str = "2015-01-05", last: str = "2018-12-28", as_of: datetime = AS_OF) -> np.ndarray:
    return sessions(name, np.datetime64(first), as_of).between(np.datetime64(first), np.datetime64(last))


@pytest.mark.parametrize("series", [sp500, nasdaq])
def test_real_indices_are_of_new_york(series: object) -> None:
    days = series.load().index.to_numpy()  # type: ignore[attr-defined]
    found = fit(bars(days), AS_OF)
    assert found is not None
    assert "XNYS" in found.names
    assert not len(found.missing)


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON", "XETR", "XHKG", "24/7", "FX"])
def test_the_days_of_a_calendar_are_its_own(name: str) -> None:
    """Alike ones are named together: Frankfurt's are those of other German exchanges, and 24/5 those of currencies."""
    found = fit(bars(held(name)), AS_OF)
    assert found is not None
    assert name in found.names


def test_holes_are_found_and_three_in_a_hundred_are_too_many() -> None:
    days = held("XNYS")
    gone = np.arange(100, 130, 10)
    found = fit(bars(np.delete(days, gone)), AS_OF)
    assert found is not None
    assert found.missing.tolist() == days[gone].tolist()
    assert fit(bars(np.delete(days, np.arange(100, 135))), AS_OF) is None


def test_a_bar_outside_or_half_a_year_tells_nothing() -> None:
    days = held("XNYS")
    thanksgiving = np.array(["2018-11-22"], dtype="datetime64[D]")
    assert fit(bars(np.union1d(days, thanksgiving)), AS_OF) is None
    assert fit(bars(held("XNYS", "2018-01-02", "2018-06-29")), AS_OF) is None


def test_made_up_working_days_are_no_exchanges() -> None:
    found = fit(bars(daily(600)), AS_OF)
    assert found is not None
    assert set(found.names) == {"FX", "24/5"}


def test_currencies_with_sunday_evenings() -> None:
    """Case 86: 24/5 has no Sundays."""
    day, opens_at, closes_at, optional = fx_sessions(2018, 2018)
    traded = ~np.isin(day, optional)
    hour = np.timedelta64(1, "h")
    hours = np.concatenate([np.arange(a, b, hour) for a, b in zip(opens_at[traded], closes_at[traded], strict=True)])
    found = fit(bars(hours, hour), AS_OF)
    assert found is not None
    assert found.names == ("FX",)
    assert not len(found.missing)


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XASX"])
def test_intraday_bars_are_of_the_exchanges_own_days(name: str) -> None:
    """Sydney's session holds midnight in UTC."""
    mine = sessions(name, np.datetime64("2017-01-02"), AS_OF)
    inside = (mine.day >= np.datetime64("2017-01-02")) & (mine.day < np.datetime64("2018-12-28"))
    hour = np.timedelta64(1, "h")
    opens, closes = mine.opens_at[inside], mine.closes_at[inside]
    hours = np.concatenate([np.arange(a, b, hour) for a, b in zip(opens, closes, strict=True)])
    found = fit(bars(hours, hour), AS_OF)
    assert found is not None
    assert name in found.names


def test_symbols_with_the_same_days_share_one_search() -> None:
    days = held("XTKS")
    fit(bars(days, symbol="A"), AS_OF)
    before = _search.cache_info()
    fit(bars(days, symbol="B"), AS_OF)
    after = _search.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_pandas_and_the_search_agree_on_weekdays() -> None:
    days = daily(10)
    assert ((days.astype("datetime64[D]").astype(np.int64) + 3) % 7).tolist() == pd.DatetimeIndex(
        days
    ).day_of_week.tolist()


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XETR", "XBOM", "24/5"])
def test_an_outline_has_the_days_that_the_built_calendar_has(name: str) -> None:
    """Apart from weeks with other weekdays than usual, such as Mumbai's of January 2024."""
    first, as_of = np.datetime64("2014-03-03"), utc("2024-06-03T02:00")
    short, built = outline(name, first, as_of), sessions(name, first, as_of)
    assert len(built.day) > 5000
    assert np.array_equal(short.owed(built.day[0], built.day[-1]), np.setdiff1d(built.day, short.optional))
    assert np.isin(built.day, short.day).all()
    assert short.zone == built.zone
