"""Replay by hand arithmetic.

The base: 220 bars, close 100 + 0.01 i, high 1 over and low 1 under it, so each true range, and ATR14, is exactly 2 and
the barriers lie 4 from the entry. It only rises: RSI 100, SMA50 over SMA200. So bar 219 gives a buy (pull-back) and
a sell (bounce). Each case then says by hand what comes after bar 219.
"""

from datetime import datetime

import numpy as np
import pytest
from market_bars import DAY, candles, daily, utc

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.replay.kernel import Replay, replay
from gatekeeper.market.replay.strategies import BOUNCE, PULLBACK
from gatekeeper.settings import Settings

LAST = 219
BASE = [(c, c + 1, c - 1, c) for c in (100 + 0.01 * i for i in range(LAST + 1))]
QUIET = (100.0, 101.0, 99.0, 100.5)
LATE = utc("2030-01-01")
COST = 0.0004  # 2 basis points a side


def run(after: list[tuple[float, float, float, float]], times: np.ndarray | None = None, **options: object) -> Replay:
    as_of = options.pop("as_of", LATE)
    assert isinstance(as_of, datetime)
    bars = candles(BASE + after, daily(LAST + 1 + len(after)) if times is None else times)
    return replay(bars, as_of, Settings(**options))


def outcome(found: Replay, strategy: str) -> tuple[float, int, int]:
    """(outcome, days from the signal's close to the exit, days to when it was known) of bar 219's idea."""
    signal = daily(LAST + 1)[LAST] + DAY
    (row,) = np.flatnonzero((found.ideas.time == signal) & (found.ideas.strategy == strategy))
    days = [(instant[row] - signal) / DAY for instant in (found.ideas.closed_at, found.ideas.known_at)]
    path = found.ideas.path_return[found.ideas.path_start[row] : found.ideas.path_start[row + 1]]
    assert path.sum() == pytest.approx(found.ideas.outcome[row], abs=1e-12)
    return float(found.ideas.outcome[row]), int(days[0]), int(days[1])


# What comes after the signal, the strategy, the outcome before costs, and the bars held.
CASES = {
    "buy: target on the third bar": ([QUIET, QUIET, (101, 104.0, 100, 103)], PULLBACK, 4 / 100, 3),
    "buy: just under the target": ([QUIET] * 9 + [(101, 103.99, 100, 102)], PULLBACK, 2 / 100, 10),
    "buy: stop on the second bar": ([QUIET, (99, 100, 96.0, 97)], PULLBACK, -4 / 100, 2),
    "buy: stop on the entry bar": ([(100, 101, 95, 99)], PULLBACK, -4 / 100, 1),
    "buy: both barriers in one bar, the stop counts": ([QUIET, (100, 105, 95, 104)], PULLBACK, -4 / 100, 2),
    "buy: gap through the stop fills at the open": ([QUIET, (94, 95, 93, 94)], PULLBACK, -6 / 100, 2),
    "buy: gap through the target fills at the open": ([QUIET, (107, 108, 95, 96)], PULLBACK, 7 / 100, 2),
    "buy: time stop at the tenth bar's close": ([QUIET] * 12, PULLBACK, 0.5 / 100, 10),
    "sell: target on the second bar": ([QUIET, (99, 100, 96.0, 97)], BOUNCE, 4 / 100, 2),
    "sell: stop on the third bar": ([QUIET, QUIET, (101, 104.0, 100, 103)], BOUNCE, -4 / 100, 3),
    "sell: both barriers in one bar, the stop counts": ([QUIET, (100, 105, 95, 96)], BOUNCE, -4 / 100, 2),
    "sell: gap through the stop fills at the open": ([QUIET, (107, 108, 95, 96)], BOUNCE, -7 / 100, 2),
    "sell: gap through the target fills at the open": ([QUIET, (94, 95, 93, 94)], BOUNCE, 6 / 100, 2),
    "sell: time stop at the tenth bar's close": ([QUIET] * 12, BOUNCE, -0.5 / 100, 10),
}


@pytest.mark.parametrize("name", CASES)
def test_exits(name: str) -> None:
    after, strategy, gross, held = CASES[name]
    # The signal bar is Friday 2016-11-04, known on Saturday; the entry bar is Monday's, known on Tuesday.
    in_days = {1: 3, 2: 4, 3: 5, 10: 14}[held]
    assert outcome(run(list(after)), strategy) == (pytest.approx(gross - COST, abs=1e-12), in_days, in_days)


def test_cost_is_taken_on_both_sides_and_is_a_setting() -> None:
    assert outcome(run([QUIET] * 10, cost_bp=0.0), PULLBACK)[0] == pytest.approx(0.005, abs=1e-12)
    assert outcome(run([QUIET] * 10, cost_bp=25.0), PULLBACK)[0] == pytest.approx(0.0, abs=1e-12)


def test_barriers_and_time_stop_are_settings() -> None:
    after = [QUIET, (100, 102.0, 99, 101), *[QUIET] * 5]
    assert outcome(run(after, barrier_atr=1.0), PULLBACK) == (pytest.approx(0.02 - COST, abs=1e-12), 4, 4)
    assert outcome(run(after, time_stop_bars=1), PULLBACK) == (pytest.approx(0.005 - COST, abs=1e-12), 3, 3)


def test_the_path_is_marked_at_each_close_with_costs_on_the_days_of_entry_and_exit() -> None:
    found = run([(100, 101, 99, 100.5), (100, 101, 98, 99), (100, 104, 99, 103)])
    signal = daily(LAST + 1)[LAST] + DAY
    (row,) = np.flatnonzero((found.ideas.time == signal) & (found.ideas.strategy == PULLBACK))
    path = slice(found.ideas.path_start[row], found.ideas.path_start[row + 1])
    assert found.ideas.path_day[path].astype(str).tolist() == ["2016-11-07", "2016-11-08", "2016-11-09"]
    # 100 to 100.5, to 99, to the target of 104; each over the entry price of 100
    right = [0.005 - COST / 2, -0.015, 0.05 - COST / 2]
    assert found.ideas.path_return[path] == pytest.approx(right, abs=1e-12)


def test_the_path_of_short_bars_is_summed_by_day() -> None:
    times = np.datetime64("2018-01-01T00:00", "ns") + np.arange(LAST + 13) * np.timedelta64(8, "h")
    bars = candles(BASE + [QUIET] * 12, times, np.timedelta64(8, "h"))
    found = replay(bars, LATE, Settings()).ideas
    row = np.flatnonzero((found.time == bars.closes_at[LAST]) & (found.strategy == PULLBACK))[0]
    path = slice(found.path_start[row], found.path_start[row + 1])
    # Bar 219 is the first of 2018-03-15, so the ten bars held are two of that day, six of the next two and two more.
    assert found.path_day[path].astype(str).tolist() == ["2018-03-15", "2018-03-16", "2018-03-17", "2018-03-18"]
    assert found.path_return[path] == pytest.approx([0.005 - COST / 2, 0, 0, -COST / 2], abs=1e-12)


def holidays(gap_after: int, days: int, n: int) -> np.ndarray:
    """n daily stamps with a pause of some days after the bar `gap_after` bars beyond the signal."""
    times = daily(n)
    return np.where(np.arange(n) > LAST + gap_after, times + days * DAY, times)


def test_the_longest_hold_ends_a_trade_before_its_time_stop() -> None:
    """Known Saturday 11-05: the hold ends on 11-26. Of ten bars, four close by then; the rest come after a pause."""
    after = [(100, 101, 99, 100 + 0.1 * k) for k in range(12)]
    found = run(after, holidays(4, 21, LAST + 13))
    # The fourth bar closes on 11-11; that no other would close in time was known when the hold ended.
    assert outcome(found, PULLBACK) == (pytest.approx(0.003 - COST, abs=1e-12), 6, 21)


def test_ten_bars_over_holidays_end_by_the_time_stop() -> None:
    """A pause of 5 days: the tenth bar closes 19 days after the signal, within the longest hold of 21."""
    found = run([QUIET] * 12, holidays(4, 5, LAST + 13))
    assert outcome(found, PULLBACK) == (pytest.approx(0.005 - COST, abs=1e-12), 19, 19)


def test_a_bar_that_closes_just_at_the_end_of_the_hold_counts() -> None:
    after = [(100, 101, 99, 100 + 0.1 * k) for k in range(12)]
    found = run(after, holidays(9, 7, LAST + 13))  # the tenth bar closes on 11-26, 21 days after the signal
    assert outcome(found, PULLBACK) == (pytest.approx(0.009 - COST, abs=1e-12), 21, 21)
    found = run(after, holidays(9, 8, LAST + 13))
    assert outcome(found, PULLBACK) == (pytest.approx(0.008 - COST, abs=1e-12), 13, 21)


def test_an_idea_without_a_bar_to_enter_on_is_dropped_and_counted() -> None:
    """The next bar closes on 11-29 after a pause of 21 days, on 11-26 after one of 18: the hold's last instant."""
    found = run([QUIET] * 12, holidays(0, 21, LAST + 13), as_of=utc("2016-12-15"))
    assert found.never_entered == 2  # bar 219's buy and sell
    assert daily(LAST + 1)[LAST] + DAY not in found.ideas.time
    assert run([QUIET] * 12, holidays(0, 19, LAST + 13), as_of=utc("2016-12-13")).never_entered == 2
    assert run([QUIET] * 12, holidays(0, 18, LAST + 13), as_of=utc("2016-12-12")).never_entered == 0


def last_idea_is_there(bars: Candles, as_of: datetime) -> bool:
    found = replay(bars, as_of, Settings())
    return bool((found.ideas.time == daily(LAST + 1)[LAST] + DAY).any())


def test_an_idea_is_open_until_its_outcome_is_known() -> None:
    """Nine bars seen, no barrier: open. So is the idea of a bar whose next hasn't come, until the hold is over."""
    ten = candles(BASE + [QUIET] * 10, daily(LAST + 11))
    nine = candles(BASE + [QUIET] * 9, daily(LAST + 10))
    assert last_idea_is_there(ten, utc("2016-11-19"))
    assert not last_idea_is_there(nine, utc("2016-11-18"))
    assert not last_idea_is_there(nine, utc("2016-11-25T23:59"))
    assert last_idea_is_there(nine, utc("2016-11-26"))  # the feed ended: out at the last close, known after the hold
    bare = candles(BASE, daily(LAST + 1))
    assert replay(bare, utc("2016-11-05"), Settings()).still_open > 0
    before, after = (replay(bare, utc(day), Settings()).never_entered for day in ("2016-11-25T23:59", "2016-11-26"))
    assert (before, after) == (0, 2)


def test_an_open_idea_is_counted() -> None:
    """Of the base's last bars all ideas are open that ten bars haven't followed yet: bars 210 to 219, two each."""
    assert replay(candles(BASE, daily(LAST + 1)), utc("2016-11-05"), Settings()).still_open == 20


def test_a_bar_that_began_before_the_idea_was_known_is_not_entered() -> None:
    """An irregular bar: bar 220 begins half a day before bar 219 is taken to have closed."""
    times = daily(LAST + 13)
    times[LAST + 1] = times[LAST] + DAY // 2
    after = [(50.0, 51.0, 49.0, 50.0), *[QUIET] * 11]
    assert outcome(run(after, times), PULLBACK)[0] == pytest.approx(0.005 - COST, abs=1e-12)


def test_features_are_those_of_the_signal_bar() -> None:
    bars = candles(BASE + [QUIET] * 12, daily(LAST + 13))
    found = replay(bars, LATE, Settings()).ideas
    rows = np.flatnonzero(found.time == daily(LAST + 1)[LAST] + DAY)
    assert found.strategy[rows].tolist() == [BOUNCE, PULLBACK]  # in order of their names
    close = 100 + 0.01 * LAST
    fast_slow = (100 + 0.01 * (LAST - 24.5)) - (100 + 0.01 * (LAST - 99.5))
    width = 4 * np.sqrt((20**2 - 1) / 12) * 0.01 / (100 + 0.01 * (LAST - 9.5))
    right = [100, 100, fast_slow / close, width, 0, 0]
    assert found.features.dtype == np.float32
    assert found.features[rows] == pytest.approx(np.array([[*right, 0], [*right, 1]]), rel=1e-6)


def test_the_pull_back_must_be_nearer_than_the_width() -> None:
    # close - SMA50 = 0.245, over the close of 102.19: 0.0023975
    with pytest.raises(ValueError, match="not enough values"):
        outcome(run([QUIET] * 12, pullback_width=0.00239), PULLBACK)
    assert outcome(run([QUIET] * 12, pullback_width=0.00240), PULLBACK)[0] == pytest.approx(0.005 - COST, abs=1e-12)


def test_equal_averages_are_no_trend() -> None:
    """Closes of 100 and 101 by turns: both averages are exactly 100.5, and the RSI is in the middle."""
    bars = candles([(c, c + 1, c - 1, c) for c in [100, 101] * 120], daily(240))
    found = replay(bars, LATE, Settings())
    assert (len(found.ideas), found.still_open, found.never_entered) == (0, 0, 0)
