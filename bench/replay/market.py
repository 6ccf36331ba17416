"""Time of the indicators of a symbol's bars, next to bare TA-Lib."""

from datetime import UTC, datetime

import numpy as np
import talib
from results import ITS_TIME, Result, pair

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.replay.indicators import indicators

SIZES = (10_000, 100_000, 1_000_000)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
MINUTE = np.timedelta64(60, "s")
NOTE = (
    "ours scales the prices to near 1, so that TA-Lib's absolute zero means the same in every currency, takes RSI and "
    "ADX away where nothing moved (one ATR more), and makes the features' ratios; TA-Lib alone does none of it"
)


def main(*, quick: bool) -> list[Result]:
    """A row for each size."""
    return [
        pair(
            "Indicators",
            "indicators",
            f"{len(bars):,} bars",
            f"TA-Lib {talib.__version__}, bare",
            lambda bars=bars: indicators(bars.high, bars.low, bars.close),
            lambda bars=bars: bare(bars),
            as_=ITS_TIME,
            at_most=1.2 if len(bars) == SIZES[-1] else None,
            rounds=3 if quick else 15,
            note=NOTE,
        )
        for bars in map(walk, SIZES[:1] if quick else SIZES)
    ]


def walk(bars: int, seed: int = 0) -> Candles:
    """One symbol's minutes, seeded; each bar opens where the one before it closed."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    wide = np.abs(rng.normal(0, 0.0003, (2, bars)))
    times = np.datetime64("2015-01-01", "ns") + np.arange(bars) * MINUTE
    return Candles(
        symbol=f"WALK{seed}",
        opens_at=times,
        closes_at=times + MINUTE,
        open=opened,
        high=np.maximum(opened, close) * (1 + wide[0]),
        low=np.minimum(opened, close) * (1 - wide[1]),
        close=close,
        sentiment=np.zeros(bars),
        order_book=np.zeros(bars),
    )


def bare(bars: Candles) -> object:
    """The same indicators by TA-Lib alone, nothing checked."""
    high, low, close = bars.high, bars.low, bars.close
    return (
        talib.RSI(close, 14),
        talib.ADX(high, low, close, 14),
        talib.ATR(high, low, close, 14),
        talib.SMA(close, 50),
        talib.SMA(close, 200),
        talib.BBANDS(close, 20, 2, 2),
        talib.MIN(low, 50),
        talib.MAX(high, 50),
    )
