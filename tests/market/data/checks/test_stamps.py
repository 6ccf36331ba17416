"""Stamps that the bars deny, in planted sessions of New York, Tokyo and London; real days raise nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from arch.data import nasdaq, sp500
from market_bars import DAY, utc

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.sessions import Sessions, sessions
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.data.checks.daylight import daylight
from gatekeeper.market.data.checks.last_volume import last_volume
from gatekeeper.market.data.checks.stamps import BROKER, Said, says, stamps
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("calendars")  # a calendar is made once in a process

AS_OF = utc("2019-01-07T02:00")
MINUTE = np.timedelta64(1, "m")


def held(name: str) -> Sessions:
    return sessions(name, np.datetime64("2018-01-02"), AS_OF)


def grid(name: str, minutes: int, *, closes: bool = False) -> np.ndarray:
    """Each bar's open, or close, in a year of sessions."""
    mine, length = held(name), minutes * MINUTE
    inside = (mine.day >= np.datetime64("2018-01-02")) & (mine.day < np.datetime64("2018-12-28"))
    pairs = zip(mine.opens_at[inside], mine.closes_at[inside], strict=True)
    opens = [np.arange(first, last, length) for first, last in pairs]
    if not closes:
        return np.concatenate(opens)
    ends = zip(opens, mine.closes_at[inside], strict=True)
    return np.concatenate([np.minimum(each + length, last) for each, last in ends])


def shown(instants: np.ndarray, zone: str) -> np.ndarray:
    """What the zone's clock shows at these instants."""
    if zone == BROKER:
        return shown(instants, "America/New_York") + np.timedelta64(7, "h")
    local = pd.DatetimeIndex(instants, tz="UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy().astype("datetime64[ns]")


def bars(stamped: np.ndarray, length: np.timedelta64, read: str) -> Checked:
    flat = np.full(len(stamped), 100.0)
    stamped = stamped.astype("datetime64[ns]")
    opens = stamped if read == "open" else stamped - length
    one = Candles("X", opens, opens + length, flat, flat, flat, flat, 0 * flat, 0 * flat)
    closing = frozenset({"X"} if read == "close" else set())
    return Checked((one,), None, AS_OF, Settings(calendars="X=XNYS"), (), "candles:x", (one,), closing)


def found(stamped: np.ndarray, length: np.timedelta64, read: str, calendars: str = "X=XNYS") -> list[Finding]:
    return list(stamps(replace(bars(stamped, length, read), settings=Settings(calendars=calendars))))


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON"])
@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
@pytest.mark.parametrize("closes", [False, True])
def test_the_bars_say_how_they_are_stamped(name: str, minutes: int, closes: bool) -> None:
    """Of each length, on each clock: what was planted is found."""
    stamped = grid(name, minutes, closes=closes)
    stamp = "close" if closes else "open"
    for zone in ("UTC", held(name).zone, BROKER):
        assert says(shown(stamped, zone), held(name)) == Said(stamp, zone), zone  # type: ignore[arg-type]


def test_right_stamps_raise_nothing_and_bars_around_the_clock_say_nothing() -> None:
    for minutes in (1, 5, 60):
        length = minutes * MINUTE
        assert found(grid("XNYS", minutes), length, "open") == []
        assert found(grid("XNYS", minutes, closes=True), length, "close") == []
    assert found(grid("XNYS", 60, closes=True), 60 * MINUTE, "open", "X=24/7") == []


def test_a_wrong_stamp_is_refused_where_it_is_ahead_and_warned_of_where_it_is_late() -> None:
    (ahead,) = found(grid("XNYS", 60), 60 * MINUTE, "close")
    assert (ahead.severity, ahead.key) == (Severity.REFUSED, "stamp:X")
    assert ahead.message.endswith("used ahead of its close. Set GATEKEEPER_BAR_STAMP=open.")
    (late,) = found(grid("XNYS", 60, closes=True), 60 * MINUTE, "open")
    assert late.severity is Severity.WARNING
    assert late.message.endswith("used late. Set GATEKEEPER_BAR_STAMP=close.")


def test_another_clock_is_refused_west_of_utc_and_warned_of_east_of_it() -> None:
    """New York's 09:30 read as UTC is used before it has happened; Tokyo's 09:00 nine hours after."""
    (west,) = found(shown(grid("XNYS", 30), "America/New_York"), 30 * MINUTE, "open")
    assert west.severity is Severity.REFUSED
    assert "opens on the clock of America/New_York; they are read as opens in UTC" in west.message
    (east,) = found(shown(grid("XTKS", 30), "Asia/Tokyo"), 30 * MINUTE, "open", "X=XTKS")
    assert east.severity is Severity.WARNING


def test_daily_stamps() -> None:
    """A date names its session; the exchange's closing time is a close."""
    mine = held("XNYS")
    inside = (mine.day >= np.datetime64("2017-01-03")) & (mine.day < np.datetime64("2018-12-28"))
    assert found(mine.day[inside], DAY, "open") == []
    (ahead,) = found(mine.day[inside], DAY, "close")
    assert (ahead.severity, ahead.kind) == (Severity.REFUSED, "stamp")
    (late,) = found(mine.closes_at[inside], DAY, "open")
    assert late.severity is Severity.WARNING
    assert found(mine.closes_at[inside], DAY, "close") == []


@pytest.mark.parametrize("series", [sp500, nasdaq])
def test_real_days_raise_nothing(series: object) -> None:
    """False alarms on the real series at hand: none."""
    days = series.load().index.to_numpy()  # type: ignore[attr-defined]
    assert found(days, DAY, "open", "") == []
    assert list(daylight(bars(days, DAY, "open"))) == []


def test_days_of_a_zone_are_noted() -> None:
    days = pd.date_range("2018-01-01", "2018-12-31", freq="D", tz="Europe/Berlin").tz_convert("UTC").tz_localize(None)
    stamped = days.to_numpy().astype("datetime64[ns]")
    (note,) = daylight(bars(stamped, DAY, "open"))
    assert (note.severity, note.kind) == (Severity.NOTE, "dst")
    one = bars(stamped, DAY, "open")
    twice = (*one.as_read, replace(one.as_read[0], symbol="BBB"))
    (both,) = daylight(replace(one, as_read=twice))
    assert f"{one.as_read[0].symbol}, BBB keep" in both.message


@pytest.mark.parametrize(("last", "notes"), [(0.29, 1), (0.3, 0), (5.0, 0)])
def test_a_small_last_volume_is_only_noted(last: float, notes: int) -> None:
    days = np.arange("2018-01-01", "2018-03-01", dtype="datetime64[D]")
    checked = bars(days, DAY, "open")
    volume = np.append(np.full(len(days) - 1, 1000.0), 1000 * last)
    one = replace(checked.candles[0], volume=volume)
    found = list(last_volume(replace(checked, candles=(one,))))
    assert [each.severity for each in found] == [Severity.NOTE] * notes
    assert list(last_volume(checked)) == []
