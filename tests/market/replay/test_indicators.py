"""Indicators: golden values, an independent calculation, and undefined values."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import random_bars

from gatekeeper.market.replay.indicators import Indicators, indicators

GOLDEN = json.loads((Path(__file__).parents[2] / "golden.json").read_text())["indicators"]


def golden_bars() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The series that golden.json describes."""
    i = range(260)
    close = [100 + round(5 * math.sin(k / 7) + 0.05 * k + ((37 * k) % 11 - 5) * 0.3, 2) for k in i]
    high = [round(close[k] + 0.5 + ((13 * k) % 7) * 0.1, 2) for k in i]
    low = [round(close[k] - 0.4 - ((17 * k) % 5) * 0.1, 2) for k in i]
    return np.array(high), np.array(low), np.array(close)


def of(seed: int, n: int = 260) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = random_bars(n, seed)
    return frame["high"].to_numpy(), frame["low"].to_numpy(), frame["close"].to_numpy()


@pytest.mark.parametrize("scale", [1.0, 2.0**-80, 1e-9, 1e9])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("rsi14", "rsi14_wilder"),
        ("adx14", "adx14_wilder"),
        ("fast_slow_delta", "fastMASlowDelta (SMA50 - SMA200)/close"),
        ("band_width", "bbWidth (20, 2 sd, ddof 0) / SMA20"),
    ],
)
def test_golden_values_whatever_the_currency(name: str, key: str, scale: float) -> None:
    """TA-Lib's zero is absolute: without scaling, prices of 1e-24 would have no bands and no RSI."""
    high, low, close = golden_bars()
    values = getattr(indicators(high * scale, low * scale, close * scale), name)
    for bar, right in GOLDEN[key].items():
        assert abs(values[int(bar)] - right) < 1e-9


def wilder(values: list[float], n: int) -> list[float]:
    """Wilder's mean: the first is the plain mean of n values."""
    means = [sum(values[:n]) / n]
    for value in values[n:]:
        means.append((means[-1] * (n - 1) + value) / n)
    return means


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_against_a_plain_calculation(seed: int) -> None:
    high, low, close = of(seed)
    found = indicators(high, low, close)
    moves = np.diff(close)
    gain, loss = wilder([max(m, 0) for m in moves], 14), wilder([max(-m, 0) for m in moves], 14)
    rsi = [100 * g / (g + o) for g, o in zip(gain, loss, strict=True)]
    assert found.rsi14[14:] == pytest.approx(rsi, abs=1e-9)
    ranges = [max(h, before) - min(lo, before) for h, lo, before in zip(high[1:], low[1:], close[:-1], strict=True)]
    assert found.atr14[14:] == pytest.approx(wilder(ranges, 14), abs=1e-9)
    for i in (199, 230, 259):
        assert found.sma50[i] == pytest.approx(close[i - 49 : i + 1].mean(), abs=1e-9)
        assert found.fast_slow_delta[i] == pytest.approx(
            (close[i - 49 : i + 1].mean() - close[i - 199 : i + 1].mean()) / close[i], abs=1e-9
        )
        last20 = close[i - 19 : i + 1]
        assert found.band_width[i] == pytest.approx(4 * last20.std(ddof=0) / last20.mean(), abs=1e-9)
        assert found.lowest50[i] == low[i - 49 : i + 1].min()
        assert found.highest50[i] == high[i - 49 : i + 1].max()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(200, 259))
def test_a_bar_knows_nothing_of_later_bars(seed: int, n: int) -> None:
    high, low, close = of(seed)
    whole, part = indicators(high, low, close), indicators(high[:n], low[:n], close[:n])
    for name in Indicators.__slots__:
        np.testing.assert_array_equal(getattr(whole, name)[:n], getattr(part, name))


def test_the_first_defined_bar_is_the_200th() -> None:
    assert np.flatnonzero(indicators(*of(0)).defined)[0] == 199
    assert not indicators(*of(0, n=30)).defined.any()


def test_a_flat_series_has_no_rsi() -> None:
    """TA-Lib says 0 here, and another library 100."""
    close = np.full(300, 50.0)
    found = indicators(close + 1, close - 1, close)
    assert np.isnan(found.rsi14).all()
    assert not found.defined.any()


def test_a_series_that_falls_asleep_loses_its_rsi() -> None:
    close = np.concatenate([of(1)[2], np.full(600, 100.0)])
    found = indicators(close + 1, close - 1, close)
    assert found.defined[199:260].all()
    assert not found.defined[-100:].any()


def test_a_series_that_only_falls_has_an_rsi_of_zero() -> None:
    close = np.linspace(300, 100, 300)
    assert indicators(close + 1, close - 1, close).rsi14[-1] == 0.0


def test_bars_without_any_range_have_no_adx() -> None:
    close = np.full(300, 50.0)
    assert np.isnan(indicators(close, close, close).adx14).all()
