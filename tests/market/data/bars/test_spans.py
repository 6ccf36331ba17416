"""Bar spans by hand: days of 23 and 25 hours, last bars off the grid, bars that the next one cuts short."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from market_bars import DAY, daily

from gatekeeper.market.data.bars.spans import bar_length, begins, ends, off_grid, zones

HOUR = np.timedelta64(1, "h")


def midnights(zone: str, first: str, last: str, hour: int = 0) -> np.ndarray:
    """Each day's `hour` o'clock on the zone's own clock, in UTC, by the standard library's zones."""
    days = pd.date_range(first, last, freq="D")
    local = [pd.Timestamp(day).to_pydatetime().replace(hour=hour, tzinfo=ZoneInfo(zone)) for day in days]
    return pd.DatetimeIndex(pd.to_datetime(local, utc=True)).tz_localize(None).to_numpy().astype("datetime64[ns]")


def test_bars_of_one_length_end_a_length_later() -> None:
    """Weekends are no part of Friday's bar."""
    stamps = daily(30)
    assert bar_length(stamps) == DAY
    np.testing.assert_array_equal(ends(stamps, DAY), stamps + DAY)
    np.testing.assert_array_equal(begins(stamps, DAY), stamps - DAY)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_a_bar_of_a_day_ends_with_its_day(zone: str) -> None:
    """Case 80: of 23 hours in spring, of 25 in autumn."""
    stamps = midnights(zone, "2021-01-01", "2023-12-31")
    right = midnights(zone, "2021-01-02", "2024-01-01")
    found = ends(stamps, DAY)
    np.testing.assert_array_equal(found, right)
    lengths = (found - stamps) / HOUR
    assert [np.count_nonzero(lengths == hours) for hours in (23, 24, 25)] == [3, 3 * 365 - 6, 3]
    np.testing.assert_array_equal(begins(right, DAY)[1:], right[:-1])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_the_last_bar_of_25_hours_ends_by_its_zone(zone: str) -> None:
    """Case 80: nothing behind it tells that its day is an hour longer, but the years before do."""
    stamps = midnights(zone, "2021-01-01", "2023-12-31")
    longest = np.flatnonzero(np.diff(stamps) == 25 * HOUR)[-1]
    assert ends(stamps[: longest + 1], DAY)[-1] == stamps[longest] + 25 * HOUR


def test_a_zone_is_one_local_time_under_a_moving_utc() -> None:
    assert zones(daily(300)) == ()
    american = set(zones(midnights("America/New_York", "2022-01-01", "2022-12-31", hour=17)))
    european = set(zones(midnights("Europe/Berlin", "2022-01-01", "2022-12-31")))
    assert "America/New_York" in american
    assert "Europe/Berlin" in european
    assert not american & european
    assert zones(daily(300) + np.arange(300) % 7 * HOUR) == ()


def test_a_bar_ends_where_the_next_begins_and_never_after() -> None:
    """The first half hour of a session, and months of 28 to 31 days."""
    session = np.array([570, 600, 660, 720, 780, 840, 900], dtype="timedelta64[m]")
    stamps = (daily(20)[:, None] + session).ravel()
    assert bar_length(stamps) == HOUR
    found = ends(stamps, bar_length(stamps))
    np.testing.assert_array_equal((found - stamps)[:7] / np.timedelta64(1, "m"), [30, 60, 60, 60, 60, 60, 60])
    months = np.arange("2021-01", "2023-01", dtype="datetime64[M]").astype("datetime64[ns]")
    found = ends(months, bar_length(months))
    assert found[1] == np.datetime64("2021-03-01")
    assert (found[:-1] <= months[1:]).all()


@pytest.mark.parametrize(
    ("stamps", "off"),
    [
        (daily(30), False),
        (np.append(daily(30), daily(31)[-1] + np.timedelta64(14 * 60 + 33, "m")), True),
        (midnights("Europe/Berlin", "2022-01-01", "2022-03-28"), False),  # the first midnight of summer time
        (np.datetime64("2022-01-03T14:30", "ns") + np.arange(40) * HOUR, False),
        (
            np.datetime64("2022-01-03T14:30", "ns")
            + np.append(np.arange(40) * 60, 39 * 60 + 17) * np.timedelta64(1, "m"),
            True,
        ),
        (np.arange("2021-01", "2023-01", dtype="datetime64[M]").astype("datetime64[ns]"), False),
        (np.arange("2020-01-06", "2021-01-06", 7, dtype="datetime64[D]").astype("datetime64[ns]"), False),
        (
            np.append(
                np.arange("2020-01-06", "2021-01-06", 7, dtype="datetime64[D]"), np.datetime64("2021-01-07")
            ).astype("datetime64[ns]"),
            True,
        ),
        (np.append(daily(5), daily(6)[-1] + HOUR * 5), False),  # too few to have a grid
    ],
)
def test_a_last_bar_off_the_grid(stamps: np.ndarray, off: bool) -> None:
    assert off_grid(stamps, bar_length(stamps)) == off
