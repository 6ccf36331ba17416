"""Replay against a slow calculation in plain Python, written from the design's words alone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import random_bars

from gatekeeper.market.data.bars.candles import Book
from gatekeeper.market.data.bars.tapes import book
from gatekeeper.market.data.reading.files import Table
from gatekeeper.market.replay.kernel import replay
from gatekeeper.settings import Settings

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Bar:
    opens: datetime
    closes: datetime
    open: float
    high: float
    low: float
    close: float


@dataclass
class Expected:
    outcome: float
    closed_at: datetime
    known_at: datetime
    path: dict[str, float]


def leave(bar: Bar, side: int, stop: float, target: float) -> float | None:
    """The price at which a trade leaves on this bar, if it does."""
    if side == 1:
        if bar.open <= stop or bar.open >= target:
            return bar.open
        if bar.low <= stop:
            return stop
        return target if bar.high >= target else None
    if bar.open >= stop or bar.open <= target:
        return bar.open
    if bar.high >= stop:
        return stop
    return target if bar.low <= target else None


def play(bars: list[Bar], i: int, side: int, distance: float, as_of: datetime, options: Settings) -> Expected | str:
    known = bars[i].closes
    end_of_hold = known + timedelta(days=options.longest_hold_days)
    in_time = [bar for bar in bars if bar.opens >= known and bar.closes <= end_of_hold]
    if not in_time:
        return "never entered" if as_of >= end_of_hold else "open"
    entry = in_time[0].open
    stop, target = entry - side * distance, entry + side * distance
    a_side = (options.cost_bp + options.spread_bp / 2) / 10_000
    a_side += options.slippage_atr * (distance / options.barrier_atr) / entry
    yearly = options.funding if side == 1 else options.borrow
    held: list[Bar] = []
    price, known_at = None, None
    for bar in in_time[: options.time_stop_bars]:
        held.append(bar)
        price = leave(bar, side, stop, target)
        if price is not None:
            known_at = bar.closes
            break
    if price is None:
        price = held[-1].close
        known_at = held[-1].closes if len(held) == options.time_stop_bars else end_of_hold
    if known_at > as_of:
        return "open"
    path: dict[str, float] = {}
    before = entry
    for bar in held:
        after = price if bar is held[-1] else bar.close
        date = (bar.closes - timedelta(microseconds=1)).date()
        day = date.isoformat()
        if path and day not in path:
            path[day] = -yearly / 365 * (date - datetime.fromisoformat(list(path)[-1]).date()).days
        path[day] = path.get(day, 0.0) + side * (after - before) / entry
        path[day] -= (bar is held[0]) * a_side + (bar is held[-1]) * a_side
        before = after
    nights = (datetime.fromisoformat(day) - datetime.fromisoformat(next(iter(path)))).days
    outcome = side * (price / entry - 1) - 2 * a_side - yearly / 365 * nights
    return Expected(outcome, held[-1].closes, known_at, path)


def expect(
    bars: list[Bar], as_of: datetime, options: Settings
) -> tuple[dict[tuple[datetime, str, int], Expected], list[str]]:
    high, low, close = (np.array([getattr(bar, name) for bar in bars]) for name in ("high", "low", "close"))
    rsi, adx, atr = talib.RSI(close), talib.ADX(high, low, close), talib.ATR(high, low, close)
    ideas, others = {}, []
    for i in range(199, len(bars)):
        fast, slow = close[i - 49 : i + 1].mean(), close[i - 199 : i + 1].mean()
        assert np.isfinite([rsi[i], adx[i], atr[i]]).all()
        found = []
        if abs(close[i] - fast) / close[i] < options.pullback_width and fast != slow:
            found.append(("trend_pullback", 1 if fast > slow else -1))
        if rsi[i] < 30 and close[i] < 1.02 * low[i - 49 : i + 1].min():
            found.append(("range_bounce", 1))
        if rsi[i] > 70 and close[i] > 0.98 * high[i - 49 : i + 1].max():
            found.append(("range_bounce", -1))
        for strategy, side in found:
            result = play(bars, i, side, options.barrier_atr * atr[i], as_of, options)
            if isinstance(result, str):
                others.append(result)
            else:
                ideas[bars[i].closes, strategy, side] = result
    return ideas, others


def stamps(n: int, seed: int, hours: int, holes: float) -> np.ndarray:
    """n stamps some hours apart, with pauses here and there."""
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random(n) < holes, rng.integers(2, 20, n), 1)
    return np.datetime64("2016-01-01", "ns") + np.cumsum(steps) * np.timedelta64(hours, "h")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hours=st.sampled_from([4, 24, 24]),
    holes=st.sampled_from([0.0, 0.05, 0.3]),
    time_stop=st.sampled_from([1, 3, 10, 25]),
    hold=st.integers(1, 30),
    barrier=st.sampled_from([0.3, 1.0, 2.0, 5.0]),
    cost=st.sampled_from([0.0, 2.0, 50.0]),
    other_costs=st.sampled_from([{}, {"spread_bp": 5.0, "slippage_atr": 0.1, "borrow": 0.4, "funding": -0.2}]),
    width=st.sampled_from([0.005, 0.02, 0.2]),
    waits=st.integers(0, 24 * 40),
)
def test_the_same_ideas_as_by_hand(
    seed: int,
    hours: int,
    holes: float,
    time_stop: int,
    hold: int,
    barrier: float,
    cost: float,
    other_costs: dict[str, float],
    width: float,
    waits: int,
) -> None:
    options = Settings(
        time_stop_bars=time_stop,
        longest_hold_days=hold,
        barrier_atr=barrier,
        cost_bp=cost,
        pullback_width=width,
        **other_costs,
    )
    frame = random_bars(280, seed, stamps(280, seed, hours, holes))
    times = [datetime.fromisoformat(text) for text in frame["time"]]
    as_of = times[-1] + waits * HOUR - 5 * hours * HOUR
    rows = frame[["open", "high", "low", "close"]].to_numpy().tolist()
    every = [Bar(time, time + hours * HOUR, *row) for time, row in zip(times, rows, strict=True)]
    right, others = expect([bar for bar in every if bar.closes <= as_of], as_of, options)

    known: Book = book([Table("x.csv", "X", frame)], as_of, "open", "x.csv")
    found = replay(known.candles[0], as_of, options)
    assert (found.still_open, found.never_entered) == (others.count("open"), others.count("never entered"))
    keys = [
        (EPOCH + int(time.astype("datetime64[us]").astype(int)) * timedelta(microseconds=1), str(strategy), side)
        for time, strategy, side in zip(
            found.ideas.time, found.ideas.strategy, (found.ideas.features[:, 6] * 2 - 1).astype(int), strict=True
        )
    ]
    assert keys == sorted(right)
    for row, key in enumerate(keys):
        wanted = right[key]
        assert found.ideas.outcome[row] == pytest.approx(wanted.outcome, abs=1e-12)
        for column, instant in (("closed_at", wanted.closed_at), ("known_at", wanted.known_at)):
            assert getattr(found.ideas, column)[row] == np.datetime64(instant.replace(tzinfo=None), "ns")
        path = slice(found.ideas.path_start[row], found.ideas.path_start[row + 1])
        assert found.ideas.path_day[path].astype(str).tolist() == list(wanted.path)
        assert found.ideas.path_return[path] == pytest.approx(list(wanted.path.values()), abs=1e-12)


def test_working_in_parts_changes_nothing() -> None:
    """A time stop of 1,000 bars makes parts of 1,000 ideas: more than one here."""
    frame = random_bars(1800, 3)
    options = Settings(time_stop_bars=1000, longest_hold_days=30, pullback_width=0.5)
    as_of = datetime(2030, 1, 1, tzinfo=UTC)
    (bars,) = book([Table("x.csv", "X", frame)], as_of, "open", "x.csv").candles
    found = replay(bars, as_of, options)
    same = replay(bars, as_of, Settings(time_stop_bars=30, longest_hold_days=30, pullback_width=0.5))
    assert len(found.ideas) > 1000
    assert found.ideas.outcome.tolist() == same.ideas.outcome.tolist()
    assert found.ideas.path_return.tolist() == same.ideas.path_return.tolist()
    assert found.never_entered == same.never_entered
