"""The currency calendar by hand: 22:00 UTC is 17:00 in New York in winter, 21:00 in summer."""

from pathlib import Path

import numpy as np
import pytest
from market_bars import random_bars, utc, write

from gatekeeper.errors import DataError
from gatekeeper.market.data.calendar.fx import fx_sessions
from gatekeeper.market.data.calendar.sessions import periods_per_year, sessions
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

HOUR = np.timedelta64(1, "h")
AS_OF = utc("2024-01-08T02:00")


def hours() -> np.ndarray:
    """Every hour of 2023 in which currencies trade, but for Christmas and New Year's Day."""
    day, opens_at, closes_at, optional = fx_sessions(2023, 2023)
    traded = ~np.isin(day, optional)
    return np.concatenate([np.arange(a, b, HOUR) for a, b in zip(opens_at[traded], closes_at[traded], strict=True)])


def read(folder: Path, times: np.ndarray, **options: object) -> Dataset:
    options = {"freshness_days": 30, **options}
    return load(f"candles:{write(folder, 'EURUSD.csv', random_bars(len(times), 1, times))}", AS_OF, Settings(**options))


def test_a_week_begins_on_sunday_at_1700_in_new_york() -> None:
    held = sessions("FX", np.datetime64("2023-01-02"), AS_OF)
    monday = np.searchsorted(held.day, np.datetime64("2023-03-13"))  # clocks moved on the Sunday before
    assert [str(held.opens_at[monday - 1])[:16], str(held.closes_at[monday - 1])[:16]] == [
        "2023-03-09T22:00",
        "2023-03-10T22:00",
    ]
    assert [str(held.opens_at[monday])[:16], str(held.closes_at[monday])[:16]] == [
        "2023-03-12T21:00",
        "2023-03-13T21:00",
    ]
    assert np.is_busday(held.day).all()


def test_260_market_days_a_year() -> None:
    """Case 86: 20 years have 5217 or 5218 working days, and some trade on Christmas and New Year's Day."""
    for year in range(2005, 2027):
        assert periods_per_year("FX", np.datetime64("2004-06-01"), utc(f"{year}-06-01")) == 260


def test_sunday_evenings_are_of_monday(tmp_path: Path) -> None:
    """Case 86: no bar and no idea is lost, and no Sunday is a market day."""
    times = hours()
    assert len(times) == 259 * 24
    found, plain = read(tmp_path, times, calendars="EURUSD=FX"), read(tmp_path, times)
    assert found.periods_per_year == 260
    assert len(found.market_days) == 259
    assert np.is_busday(found.market_days).all()
    assert len(plain.market_days) > 300
    assert found.ideas.time.tolist() == plain.ideas.time.tolist()
    assert found.ideas.outcome.tolist() == plain.ideas.outcome.tolist()
    assert not any("outside" in note for note in found.notes)


def test_daily_bars_keep_their_own_close(tmp_path: Path) -> None:
    """Days that end at midnight UTC and have a short bar on Sundays: known at midnight, not at 17:00 in New York."""
    days = np.arange("2023-01-02", "2024-01-06", dtype="datetime64[D]")
    days = days[np.is_busday(days, weekmask="1111101")]
    found = read(tmp_path, days.astype("datetime64[ns]"), calendars="EURUSD=FX")
    assert found.newest == utc("2024-01-06")
    assert np.is_busday(found.market_days).all()


def test_a_session_without_a_bar_is_named(tmp_path: Path) -> None:
    times = hours()
    gone = (times < np.datetime64("2023-06-13T21:00")) | (times >= np.datetime64("2023-06-14T21:00"))
    with pytest.raises(DataError, match="EURUSD has no bar of the session 2023-06-14 of FX"):
        read(tmp_path, times[gone], calendars="EURUSD=FX")
