"""Bars that were not traded: volume 0 at one price, or the tenth and later of bars that are all alike.

They give no ideas. Each is told from the bars up to it, so that it is the same at every as-of.
"""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import PRICES, Candles

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALIKE = 10
"""So many bars alike, one after the other, are a stale feed."""
_FIRST = 50


def untraded(bars: Candles) -> Mask | None:
    """(n,) bool: bars that give no ideas; None if there are none of them."""
    masks = [mask for mask in (_without_trades(bars), stale(bars)) if mask is not None]
    return np.logical_or.reduce(masks) if masks else None


def usable_volume(bars: Candles) -> Floats | None:
    """(n,) volume; None if it is constant or 0 on over half of the bars, which is as good as none."""
    volume = bars.volume
    if volume is None or 2 * np.count_nonzero(volume == 0) > len(volume) or is_constant(volume):
        return None
    return volume


def is_constant(values: Floats) -> bool:
    """Whether all values are one, apart from missing ones. Most columns show by their first values that they aren't."""
    for some in (values[:_FIRST], values):
        known = some[~np.isnan(some)]
        if (known != known[:1]).any():
            return False
    return True


def stale(bars: Candles) -> Mask | None:
    """(n,) bool: bars that are like each of the nine before, in prices and volume; None if there are none of them."""
    alike = like_before(bars)
    if np.count_nonzero(alike) < ALIKE - 1:
        return None
    row = np.arange(len(alike))
    run = row - np.maximum.accumulate(np.where(alike, 0, row))  # how many bars in a row are like the one before
    found: Mask = run >= ALIKE - 1
    return found if found.any() else None


def like_before(bars: Candles) -> Mask:
    """(n,) bool: the bar has the prices and the volume of the bar before."""
    alike = np.zeros(len(bars), dtype=np.bool_)
    alike[1:] = bars.close[1:] == bars.close[:-1]
    at = np.flatnonzero(alike)  # few: the other columns are asked only there
    for column in (*(getattr(bars, name) for name in PRICES[:3]), bars.volume):
        if column is not None:
            now, before = column[at], column[at - 1]
            at = at[(now == before) | (np.isnan(now) & np.isnan(before))]
    alike[:] = False
    alike[at] = True
    return alike


def _without_trades(bars: Candles) -> Mask | None:
    """(n,) bool: volume 0 and one price, while the volume up to there is neither constant nor 0 on over half."""
    if bars.volume is None:
        return None
    zero = bars.volume == 0
    flat: Mask = zero & (bars.high == bars.low)
    if not flat.any():
        return None
    varies = np.fmax.accumulate(bars.volume) > np.fmin.accumulate(bars.volume)
    flat &= varies & (2 * np.cumsum(zero) <= np.arange(1, len(zero) + 1))
    return flat if flat.any() else None
