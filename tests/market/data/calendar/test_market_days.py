"""Periods a year, counted by hand: New York's sessions, working days, weeks, and years that aren't whole."""

import numpy as np
import pytest
from arch.data import sp500
from market_bars import utc

from gatekeeper.market.data.calendar.market_days import counted_periods

AS_OF = utc("2019-01-07T02:00")


def span(first: str, last: str, mask: str = "1111111") -> np.ndarray:
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    return days[np.is_busday(days, weekmask=mask)]


def test_the_days_of_whole_years_are_counted() -> None:
    """The S&P 500 from 1999 to 2018: 5031 days in 20 years."""
    days = sp500.load().index.to_numpy().astype("datetime64[D]")
    assert counted_periods(days, AS_OF) == round(5031 / 20) == 252
    assert np.count_nonzero(days < np.datetime64("2019-01-01")) == 5031


@pytest.mark.parametrize(
    ("days", "periods"),
    [
        (span("2016-01-01", "2018-12-31"), 365),  # 366, 365, 365
        (span("2016-01-04", "2018-12-31", "1111100"), 260),  # 260, 260, 261
        (span("2016-01-04", "2018-12-31", "1111101"), 312),  # 311, 313, 313, with Sunday evenings
        (span("2016-01-04", "2018-12-31")[::7], 52),  # weeks
        (np.arange("2010-01", "2019-01", dtype="datetime64[M]").astype("datetime64[D]"), 12),  # months
        (np.arange("2010-02", "2019-02", dtype="datetime64[M]").astype("datetime64[D]") - 1, 12),  # and at their ends
        (np.arange("2010-01", "2019-01", 3, dtype="datetime64[M]").astype("datetime64[D]"), 4),  # quarters
        (span("2017-03-01", "2018-12-31", "1111100"), 261),  # of 2018 alone
        (span("2018-01-02", "2018-12-10", "1111100"), 252),  # no whole year: guessed
        (span("2018-02-01", "2018-12-31"), 365),
        (span("2018-02-01", "2018-12-31", "1111101"), 312),
    ],
)
def test_periods_of_a_year(days: np.ndarray, periods: int) -> None:
    assert counted_periods(days, AS_OF) == periods


def test_the_number_stays_the_same_from_week_to_week() -> None:
    days = span("2015-01-01", "2018-12-31", "1111100")
    weeks = [utc("2018-01-08T02:00"), utc("2018-06-04T02:00"), utc("2018-12-31T02:00")]
    assert len({counted_periods(days[days < np.datetime64(week.date())], week) for week in weeks}) == 1
