"""Daily closes: each symbol's newest close on each market day, carried on over days without a bar."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.calendar.market_days import Days

BEFORE = timedelta(days=30)
"""The window's first return needs the close before it, which the longest holidays don't move further back."""


def daily_closes(book: Sequence[Candles], days: Days, as_of: datetime, holdout_days: int) -> NDArray[np.float64]:
    """(k, s) closes of the book's s symbols on the last k of these market days; NaN before a symbol's first bar.

    k: as many as a window can have, which starts no earlier than the holdout, and some before it.
    """
    first = np.datetime64((as_of - timedelta(days=holdout_days) - BEFORE).date(), "D")
    shown = days[days >= first]
    closes = np.full((len(shown), len(book)), np.nan)
    for column, bars in enumerate(book):
        last = np.searchsorted(bars.days, shown, side="right") - 1
        closes[last >= 0, column] = bars.close[last[last >= 0]]
    return closes
