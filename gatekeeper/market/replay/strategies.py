"""Built-in strategies: trend pull-back and range bounce, as signals on the bars of one symbol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.replay.indicators import Indicators

PULLBACK, BOUNCE = "trend_pullback", "range_bounce"

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """(k,) each: the bar at whose close an idea is known, 1 for buy and -1 for sell, and the strategy's name."""

    bar: Index
    side: NDArray[np.int64]
    strategy: NDArray[np.str_]


def find(bars: Candles, found: Indicators, width: float) -> Signals:
    """The signals of both strategies on every traded bar whose indicators are all defined; by bar, then by name."""
    defined = found.defined
    if bars.untraded is not None:
        defined &= ~bars.untraded
    with np.errstate(invalid="ignore"):  # NaN, where an indicator is undefined, compares as false
        near = (np.abs(bars.close - found.sma50) / bars.close < width) & defined
        rules: list[tuple[str, int, Mask]] = [
            (BOUNCE, 1, defined & (found.rsi14 < 30) & (bars.close < 1.02 * found.lowest50)),
            (BOUNCE, -1, defined & (found.rsi14 > 70) & (bars.close > 0.98 * found.highest50)),
            (PULLBACK, 1, near & (found.sma50 > found.sma200)),
            (PULLBACK, -1, near & (found.sma50 < found.sma200)),
        ]
    hits = [np.flatnonzero(mask) for _, _, mask in rules]
    lengths = [len(hit) for hit in hits]
    bar, rule = np.concatenate(hits), np.repeat(np.arange(len(rules)), lengths)
    order = np.argsort(bar, kind="stable")  # as ideas are sorted, so that nobody need sort their many columns
    bar, rule = bar[order], rule[order]
    return Signals(
        bar=bar,
        side=np.array([side for _, side, _ in rules])[rule],
        strategy=np.array([name for name, _, _ in rules])[rule],
    )
