"""Buy and hold: equal parts of the capital in each symbol of the source, from the window's start to the as-of."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.traded import BuyAndHold
from gatekeeper.market.ideas import Dataset


def of(dataset: Dataset, days: NDArray[np.datetime64]) -> BuyAndHold | None:
    """What holding the source's symbols made on each of the window's (T,) market days, before costs.

    Bought at the closes of the last market day before them, else of the first. None if the source has no bars, if
    they don't reach back so far, or if no symbol had a price then.
    """
    closes = dataset.closes
    if closes is None or not 0 < len(days) <= len(closes):
        return None
    known = closes[-len(days) - 1 :]  # the window ends with the dataset
    held = np.isfinite(known[0])
    if not held.any():
        return None
    worth = (known[:, held] / known[0, held]).mean(axis=1)
    daily = np.diff(worth, prepend=1.0)[-len(days) :]
    return BuyAndHold(daily.tolist(), int(held.sum()), int((~held).sum()))
