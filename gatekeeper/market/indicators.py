"""What do a symbol's bars say, by TA-Lib?

Wilder's RSI and ADX, moving averages, Bollinger bands and ATR, each (n,) float64, NaN where undefined.
"""

from dataclasses import dataclass

import numpy as np
import talib
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# TA-Lib takes what is under 1e-14 for zero, whatever the prices are. Ten times that, with prices near 1: a mean
# move this small is rounding, and what it would be divided by is no number.
_FLAT = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Indicators:
    """(n,) each. Prices are in the source's units, rsi14 and adx14 run from 0 to 100, the rest are fractions."""

    rsi14: Floats
    adx14: Floats
    sma50: Floats
    sma200: Floats
    atr14: Floats
    fast_slow_delta: Floats
    band_width: Floats
    lowest50: Floats
    highest50: Floats

    @property
    def defined(self) -> NDArray[np.bool_]:
        """(n,) are all of them finite, so that the bar may yield an idea?"""
        columns = (self.rsi14, self.adx14, self.atr14, self.fast_slow_delta, self.band_width, self.lowest50)
        return np.asarray(np.isfinite(np.stack(columns)).all(axis=0))


def indicators(high: Floats, low: Floats, close: Floats) -> Indicators:
    """The indicators of n bars, (n,) finite positive prices each; a value at bar i uses bars up to i.

    A series that doesn't move has no RSI, and one without any range no ADX: NaN (TA-Lib would say 0).
    """
    scale = _near_one(close)
    high, low, close = high * scale, low * scale, close * scale
    sma50, sma200, sma20 = (talib.SMA(close, length) for length in (50, 200, 20))
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)  # around the simple mean, which is the default
    atr14 = talib.ATR(high, low, close, 14)
    # With one price a bar, the true range is the move: Wilder's mean of it is the denominator of the RSI.
    move14 = talib.ATR(close, close, close, 14)
    return Indicators(
        rsi14=np.where(move14 > _FLAT, talib.RSI(close, 14), np.nan),
        adx14=np.where(atr14 > _FLAT, talib.ADX(high, low, close, 14), np.nan),
        sma50=sma50 / scale,
        sma200=sma200 / scale,
        atr14=atr14 / scale,
        fast_slow_delta=(sma50 - sma200) / close,
        band_width=(upper - lower) / sma20,
        lowest50=talib.MIN(low, 50) / scale,
        highest50=talib.MAX(high, 50) / scale,
    )


def _near_one(close: Floats) -> float:
    """The power of two that brings the first price to [1, 2): multiplying by it is exact."""
    if not len(close):
        return 1.0
    _, exponent = np.frexp(close[0])
    return float(np.ldexp(1.0, int(np.clip(1 - exponent, -1000, 1000))))
