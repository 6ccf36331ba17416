"""Correlation of each feature with the market's own bars before and after the idea: what knows the future shows it."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.candles import Candles
from gatekeeper.market.ideas import Ideas

REACH = 5
LAGS = tuple(range(-REACH, REACH + 1))
MOST_IDEAS = 20_000
FEWEST = 30

Floats = NDArray[np.float64]


def lag_correlations(ideas: Ideas, candles: tuple[Candles, ...]) -> Floats | None:
    """(features, 11): rank correlation of each feature with the log return of the bar `lag` bars from the idea.

    Lag 0 is the last bar that the idea could know, lag 1 the next one. NaN for a constant feature; None with fewer than
    30 ideas that have all these bars.
    """
    from scipy.stats import rankdata

    rows, returns = _returns(ideas, {bars.symbol: bars for bars in candles})
    if len(rows) < FEWEST:
        return None
    if len(rows) > MOST_IDEAS:
        chosen = np.linspace(0, len(rows) - 1, MOST_IDEAS).round().astype(np.int64)
        rows, returns = rows[chosen], returns[chosen]
    features = _standardised(rankdata(ideas.features[rows], axis=0))
    market = _standardised(rankdata(returns, axis=0))
    return np.asarray(features.T @ market / len(rows))


def _returns(ideas: Ideas, candles: dict[str, Candles]) -> tuple[NDArray[np.intp], Floats]:
    """The ideas that have all bars around them, and (m, 11) log returns of these."""
    rows, found = [], []
    for symbol in np.unique(ideas.symbol).tolist():
        if (bars := candles.get(symbol)) is None:
            continue
        own = np.flatnonzero(ideas.symbol == symbol)
        last = np.searchsorted(bars.closes_at, ideas.time[own], side="right") - 1
        whole = (last - REACH >= 1) & (last + REACH < len(bars))
        at = last[whole][:, np.newaxis] + np.array(LAGS)
        rows.append(own[whole])
        found.append(np.log(bars.close[at] / bars.close[at - 1]))
    if not rows:
        return np.empty(0, dtype=np.intp), np.empty((0, len(LAGS)))
    return np.concatenate(rows), np.concatenate(found)


def _standardised(ranks: Floats) -> Floats:
    centred = ranks - ranks.mean(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(centred / centred.std(axis=0))
