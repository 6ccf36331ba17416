"""No look-ahead: nothing that a run learns may come from after its as-of."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.data import sp500
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import random_bars, utc, write

from gatekeeper.market.data.bars.tapes import book
from gatekeeper.market.data.reading.files import Table
from gatekeeper.market.ideas import instant
from gatekeeper.market.replay.kernel import follow
from gatekeeper.market.replay.strategies import Signals
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

MONDAYS = st.integers(0, 500).map(lambda week: utc("2008-06-02T02:00") + timedelta(days=7 * week))


def annual_sharpe(returns: np.ndarray) -> float:
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(252))


def test_a_signal_cannot_earn_the_return_of_its_own_bar() -> None:
    """Case 34: sign(r) * r has a Sharpe of 14.38 on the S&P; entered on the next bar, it has none."""
    frame = sp500.load()
    adjusted = frame["Adj Close"].to_numpy()
    moves = adjusted[1:] / adjusted[:-1] - 1
    assert annual_sharpe(np.sign(moves) * moves) == pytest.approx(14.384714731, abs=1e-6)

    frame = frame[["Open", "High", "Low", "Close"]].rename(columns=str.lower).rename_axis("time").reset_index()
    as_of = utc("2019-02-01")
    (bars,) = book([Table("sp500", "SP500", frame)], as_of, "open", "sp500").candles
    side = np.sign(np.diff(bars.close)).astype(np.int64)
    moved = np.flatnonzero(side)
    signals = Signals(moved + 1, side[moved], np.full(len(moved), "sign"))
    far = np.full(len(moved), 1e9)  # no barrier: out at the close of the entry bar
    found = follow(bars, signals, far, as_of, Settings(time_stop_bars=1))
    trades, side = found.trades, signals.side[found.closed]
    assert (trades.entry_bar == signals.bar[found.closed] + 1).all()
    earned = side * (trades.exit / trades.entry - 1)
    assert abs(annual_sharpe(earned)) < 1


@settings(max_examples=8, deadline=None)
@given(as_of=MONDAYS, weeks=st.integers(1, 52))  # the demo ends 52 weeks after the last of them
def test_a_later_run_knows_all_that_an_earlier_one_did_and_the_same_of_it(as_of: datetime, weeks: int) -> None:
    """Case 34: what was known by the as-of doesn't depend on what came later."""
    early = load("demo:", as_of, Settings())
    late = load("demo:", as_of + timedelta(days=7 * weeks), Settings())
    known_then = late.ideas.take(late.ideas.known_at <= instant(as_of))
    assert known_then.fingerprint() == early.ideas.fingerprint()
    assert late.market_days[late.market_days <= early.market_days[-1]].tolist() == early.market_days.tolist()
    assert early.closes is not None and late.closes is not None
    later = len(late.market_days) - len(early.market_days)
    known = late.closes[: len(late.closes) - later]
    np.testing.assert_array_equal(known, early.closes[len(early.closes) - len(known) :])


@settings(max_examples=8, deadline=None)
@given(as_of=MONDAYS)
def test_whatever_started_a_longest_hold_ago_has_its_outcome(as_of: datetime) -> None:
    """Case 52: selecting by start + longest hold leaves out no trade for being slow."""
    early = load("demo:", as_of, Settings()).ideas
    late = load("demo:", as_of + timedelta(days=60), Settings()).ideas
    limit = instant(as_of) - np.timedelta64(21, "D")
    assert early.take(early.time <= limit).fingerprint() == late.take(late.time <= limit).fingerprint()
    held = early.known_at - early.time
    assert held.max() <= np.timedelta64(21, "D")


def test_what_merely_closed_by_the_as_of_favours_quick_exits() -> None:
    """Case 52: the fault that the rule avoids is really there, on the demo's bars."""
    late = load("demo:", utc("2018-12-31T02:00"), Settings()).ideas
    taken: list[int] = []
    for week in range(400):
        as_of = instant(utc("2010-01-04T02:00") + timedelta(days=7 * week))
        recent = (late.time > as_of - np.timedelta64(10, "D")) & (late.known_at <= as_of)
        taken += (late.known_at - late.time)[recent].astype(np.int64).tolist()
    assert np.mean(taken) < 0.6 * np.mean((late.known_at - late.time).astype(np.int64))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    cut=st.integers(215, 258),
    poison=st.sampled_from([None, "abc", 1e300, -1.0, 0.0, 1e-9]),
    days=st.integers(0, 10**4),
)
def test_poison_after_the_as_of_changes_nothing(seed: int, cut: int, poison: object, days: int) -> None:
    """Case 34: NaN, text, absurd prices, moved times, doubled and swapped rows, all after the as-of."""
    frame = random_bars(260, seed)
    as_of = pd.Timestamp(frame["time"].iloc[cut]).to_pydatetime() + timedelta(hours=2)
    clean = book([Table("x.csv", "X", frame)], as_of, "open", "x.csv")
    prices = ["open", "high", "low", "close"]
    bad = frame.astype(dict.fromkeys(prices, object))
    bad.loc[cut:, prices] = poison
    moved = pd.to_datetime(bad["time"].iloc[cut + 1 :]) + timedelta(days=days)
    bad.loc[cut + 1 :, "time"] = moved.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    bad = pd.concat([bad.iloc[:cut], bad.iloc[cut:].iloc[::-1], bad.tail(2)], ignore_index=True)
    found = book([Table("x.csv", "X", bad)], as_of, "open", "x.csv")
    assert found.notes == clean.notes
    for name in ("opens_at", "closes_at", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(found.candles[0], name), getattr(clean.candles[0], name))


def test_poison_in_a_file_changes_no_byte_of_the_dataset(tmp_path: Path) -> None:
    """Case 34, the whole way: the same saved bytes but for the source's name."""
    frame = random_bars(400, 5)
    as_of = pd.Timestamp(frame["time"].iloc[300]).to_pydatetime() + timedelta(hours=2)
    bad = frame.astype({"close": object})
    bad.loc[300:, "close"] = "absurd"
    clean = load(f"candles:{write(tmp_path, 'X.csv', frame)}", as_of, Settings())
    write(tmp_path, "X.csv", bad)
    poisoned = load(f"candles:{tmp_path}/X.csv", as_of, Settings())
    assert len(clean.ideas) > 20
    assert poisoned.save(tmp_path / "poisoned.npz") == clean.save(tmp_path / "clean.npz")


def test_the_monday_bar_is_not_known_on_monday_morning(tmp_path: Path) -> None:
    """Case 51: with the Monday bar turned absurd, Monday 02:00 sees no difference, and Tuesday does."""
    frame = random_bars(260, 7)
    monday = 250  # 2016-12-19
    assert pd.Timestamp(frame["time"].iloc[monday]).day_name() == "Monday"
    wild = frame.copy()
    wild.loc[monday, ["high", "close"]] = 1e6
    before, after = utc("2016-12-19T02:00"), utc("2016-12-20T02:00")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    clean, changed = (f"candles:{write(tmp_path, name, f)}" for name, f in (("a/X.csv", frame), ("b/X.csv", wild)))
    assert load(clean, before, Settings()).fingerprint() == load(changed, before, Settings()).fingerprint()
    assert load(clean, after, Settings()).fingerprint() != load(changed, after, Settings()).fingerprint()
