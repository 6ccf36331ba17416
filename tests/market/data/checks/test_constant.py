"""Constant columns: prices and features that never change, and columns that are one."""

from dataclasses import replace

import numpy as np
from market_bars import candles, daily
from real_series import checked, indices, stocks

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.checks.constant import constant_columns
from gatekeeper.market.findings import Severity


def world(n: int = 50) -> Candles:
    close = 100 + np.random.default_rng(0).normal(0, 1, n)
    return candles(np.stack([close + 0.1, close + 0.5, close - 0.5, close], axis=1), daily(n))


def found(bars: Candles) -> dict[str, Severity]:
    return {each.key: each.severity for each in constant_columns(checked(bars))}


def test_real_series_and_honest_ones_have_none() -> None:
    assert not list(constant_columns(checked(*stocks(), *indices(), world())))


def test_what_never_changes_is_warned_of() -> None:
    """Sentiment and order book are 0 where a source has none."""
    fifty = np.full(50, 50.0)
    assert found(replace(world(), sentiment=fifty / 100)) == {"constant:X:avgSent": Severity.WARNING}
    assert found(replace(world(), order_book=fifty / 100)) == {"constant:X:avgOB": Severity.WARNING}
    still = replace(world(), open=fifty, high=fifty, low=fifty, close=fifty)
    assert found(still) == {"constant:X:close": Severity.WARNING, "": Severity.NOTE}


def test_columns_that_are_one_are_warned_of() -> None:
    """A column mapped twice. A bar of one price has four equal ones, which is only noted."""
    bars = world()
    assert found(replace(bars, open=bars.close)) == {"equal:X:open:close": Severity.WARNING}
    assert found(replace(bars, volume=bars.close)) == {"equal:X:close:volume": Severity.WARNING}
    mood = np.random.default_rng(1).normal(size=50)
    assert found(replace(bars, sentiment=mood, order_book=mood)) == {"equal:X:avgSent:avgOB": Severity.WARNING}
    assert found(replace(bars, open=bars.close, high=bars.close, low=bars.close)) == {"": Severity.NOTE}
