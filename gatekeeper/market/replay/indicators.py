"""Technical indicators by TA-Lib: Wilder's RSI and ADX, moving averages, Bollinger bands and ATR.

Each is (n,) float64, NaN where undefined.
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
        """(n,) bool: all indicators are finite, so that the bar may yield an idea."""
        finite = np.isfinite(self.rsi14)
        for column in (self.adx14, self.atr14, self.fast_slow_delta, self.band_width, self.lowest50):
            finite &= np.isfinite(column)
        return finite


def indicators(high: Floats, low: Floats, close: Floats) -> Indicators:
    """The indicators of n bars, (n,) finite positive prices each; a value at bar i uses bars up to i.

    A series that doesn't move has an RSI of NaN, and one without any range an ADX of NaN (TA-Lib would give 0).
    """
    # Means, ranges and extremes go with the scale exactly, so only what TA-Lib holds against its zero is scaled. In
    # this order, since fresh memory costs as much as the arithmetic: what one step lets go, the next one takes.
    scale = _near_one(close)
    rsi14, adx14, band_width = _of_prices_near_one(high * scale, low * scale, close * scale)
    flat = _FLAT / scale
    atr14 = talib.ATR(high, low, close, 14)
    adx14[~(atr14 > flat)] = np.nan
    # With one price a bar, the true range is the move: Wilder's mean of it is the denominator of the RSI.
    rsi14[~(talib.ATR(close, close, close, 14) > flat)] = np.nan
    sma50, sma200 = talib.SMA(close, 50), talib.SMA(close, 200)
    return Indicators(
        rsi14=rsi14,
        adx14=adx14,
        sma50=sma50,
        sma200=sma200,
        atr14=atr14,
        fast_slow_delta=(sma50 - sma200) / close,
        band_width=band_width,
        lowest50=talib.MIN(low, 50),
        highest50=talib.MAX(high, 50),
    )


def _of_prices_near_one(high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats, Floats]:
    """RSI, ADX, and the width of the bands as a fraction of their middle: (n,) each."""
    adx14 = talib.ADX(high, low, close, 14)
    del high, low  # their memory is for what follows
    rsi14 = talib.RSI(close, 14)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)  # around the simple mean, which is the default
    upper -= lower
    upper /= middle
    return rsi14, adx14, upper


def _near_one(close: Floats) -> float:
    """The power of two that brings the first price to [1, 2): multiplying by it is exact."""
    if not len(close):
        return 1.0
    _, exponent = np.frexp(close[0])
    return float(np.ldexp(1.0, int(np.clip(1 - exponent, -1000, 1000))))
