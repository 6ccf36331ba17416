"""Calendars proposed, holes and cut sessions found: planted ones, and none in the real series at hand."""

import numpy as np
import pytest
from arch.data import nasdaq, sp500
from market_bars import DAY, utc

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.sessions import sessions
from gatekeeper.market.data.checks.calendar_days import calendar
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("calendars")  # a calendar is made once in a process

AS_OF = utc("2019-01-07T02:00")
NEW_YORK = sessions("XNYS", np.datetime64("2017-01-03"), AS_OF)
INSIDE = (NEW_YORK.day >= np.datetime64("2017-01-03")) & (NEW_YORK.day < np.datetime64("2018-12-28"))


def bars(opens_at: np.ndarray, length: np.timedelta64 = DAY, symbol: str = "X") -> Candles:
    flat = np.full(len(opens_at), 100.0)
    opens_at = opens_at.astype("datetime64[ns]")
    return Candles(symbol, opens_at, opens_at + length, flat, flat, flat, flat, 0 * flat, 0 * flat)


def found(*each: Candles, calendars: str = "", source: str = "candles:x") -> list[Finding]:
    return list(calendar(Checked(each, None, AS_OF, Settings(calendars=calendars), (), source, each)))


def test_symbols_of_one_calendar_are_proposed_together() -> None:
    days = NEW_YORK.day[INSIDE]
    (note,) = found(bars(days, symbol="A"), bars(days, symbol="B"))
    assert (note.severity, note.kind, note.key) == (Severity.NOTE, "calendar", "")
    assert 'GATEKEEPER_CALENDARS="A=XNYS B=XNYS"' in note.message
    assert found(bars(days), calendars="X=XNYS") == []
    assert found(bars(days), source="demo:") == []


def test_currencies_are_proposed_the_calendar_fx() -> None:
    days = sessions("FX", np.datetime64("2017-01-02"), AS_OF).between(
        np.datetime64("2017-01-02"), np.datetime64("2018-12-28")
    )
    sundays = np.arange("2017-01-08", "2018-12-24", 7, dtype="datetime64[D]")
    (note,) = found(bars(np.union1d(days, sundays), symbol="EURUSD"))
    assert 'GATEKEEPER_CALENDARS="EURUSD=FX" makes Sunday evenings part of Monday' in note.message


def test_holes_are_warned_of_under_the_newest_day() -> None:
    days = NEW_YORK.day[INSIDE]
    gone = np.array([40, 200, 300])
    hole, note = found(bars(np.delete(days, gone)))
    assert (hole.severity, hole.key, hole.numbers["missing"]) == (Severity.WARNING, f"hole:X:{days[300]}", 3)
    assert str(days[40]) in hole.message
    assert note.kind == "calendar"


def test_cut_sessions_are_warned_of_and_half_days_are_not() -> None:
    """New York's three half days of 2018 have 7 of 13 half hours; a session that lost its afternoon has 6."""
    half_hour = np.timedelta64(30, "m")
    pairs = zip(NEW_YORK.opens_at[INSIDE], NEW_YORK.closes_at[INSIDE], strict=True)
    opens = [np.arange(first, last, half_hour) for first, last in pairs]
    (note,) = found(bars(np.concatenate(opens), half_hour))
    assert note.kind == "calendar"
    opens[100] = opens[100][:6]
    cut, _ = found(bars(np.concatenate(opens), half_hour))
    assert (cut.kind, cut.key) == ("half_day", f"half_day:X:{NEW_YORK.day[INSIDE][100]}")


@pytest.mark.parametrize("series", [sp500, nasdaq])
def test_real_series_have_no_holes(series: object) -> None:
    """False alarms on the real series at hand: none."""
    days = series.load().index.to_numpy()  # type: ignore[attr-defined]
    assert [each.kind for each in found(bars(days))] == ["calendar"]
