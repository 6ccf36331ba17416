"""Constant columns: a column of bars that never changes, or that equals another one."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.untraded import is_constant
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity

Floats = NDArray[np.float64]

_FEATURES = {"sentiment": "avgSent", "order_book": "avgOB"}


def constant_columns(checked: Checked) -> Iterator[Finding]:
    """Warned: a price or feature that never changes, and columns that are one. Noted: bars of one price."""
    for bars in checked.candles:
        yield from _never_changing(bars)
        yield from _equal(bars)


def _never_changing(bars: Candles) -> Iterator[Finding]:
    symbol = bars.symbol
    if is_constant(bars.close):
        text = f"{symbol}: the close is {bars.close[0]:g} on all {len(bars)} bars. Load the bars anew, or leave it out."
        yield Finding(Severity.WARNING, "constant", symbol, "", text, f"constant:{symbol}:close")
    for name, column in _FEATURES.items():
        values = getattr(bars, name)
        if values[0] != 0 and is_constant(values):  # 0 is what a source without it has
            text = f"{symbol}: {column} is {values[0]:g} on all {len(bars)} bars. Nothing can be learned from it."
            yield Finding(Severity.WARNING, "constant", symbol, "", text, f"constant:{symbol}:{column}")


def _equal(bars: Candles) -> Iterator[Finding]:
    symbol = bars.symbol
    columns = {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close}
    if _are_equal(bars.high, bars.low):
        text = f"{symbol}: its {len(bars)} bars have one price each, so that stops and targets are seen at closes only."
        yield Finding(Severity.NOTE, "equal", symbol, "", text)
        columns = {"close": bars.close}
    columns |= {"volume": bars.volume} if bars.volume is not None else {}
    columns |= {name: getattr(bars, each) for each, name in _FEATURES.items()}
    for (one, ours), (other, theirs) in combinations(columns.items(), 2):
        if ours[0] != 0 and _are_equal(ours, theirs):
            text = (
                f"{symbol}: {one} equals {other} on all {len(bars)} bars. Is a column mapped twice? Give each its own."
            )
            yield Finding(Severity.WARNING, "equal", symbol, "", text, f"equal:{symbol}:{one}:{other}")


def _are_equal(ours: Floats, theirs: Floats) -> bool:
    """Most columns show by their ends that they aren't."""
    return bool(ours[0] == theirs[0] and ours[-1] == theirs[-1] and np.array_equal(ours, theirs))
