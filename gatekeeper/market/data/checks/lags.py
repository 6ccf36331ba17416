"""Lagged correlations: each feature of the ideas with the market's bars before and after them.

A feature that is honest is correlated with bars up to lag 0, the bar that closed when the idea came, and breaks off
there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.features import FEATURES
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.ideas import Ideas

Floats = NDArray[np.float64]

LAGS = tuple(range(-5, 6))


@dataclass(frozen=True, slots=True)
class Lagged:
    """Rank correlations of one feature by lag in bars, and how many ideas each rests on."""

    lags: tuple[int, ...]
    correlations: tuple[float | None, ...]
    ideas: tuple[int, ...]


def lagged(ideas: Ideas, bars: Sequence[Candles]) -> Mapping[str, Lagged]:
    """By feature: its rank correlation with the return of the bar `lag` bars after the idea's, -5 to 5.

    None for a feature that is constant, or where under three ideas have such a bar.
    """
    returns = {lag: bar_returns(ideas, bars, lag) for lag in LAGS}
    known = {lag: np.isfinite(returns[lag]) for lag in LAGS}
    counts = tuple(int(known[lag].sum()) for lag in LAGS)
    return {
        name: Lagged(
            LAGS,
            tuple(_correlation(ideas.features[known[lag], column], returns[lag][known[lag]]) for lag in LAGS),
            counts,
        )
        for column, name in enumerate(FEATURES)
    }


def bar_returns(ideas: Ideas, bars: Sequence[Candles], lag: int) -> Floats:
    """(n,) log return of the bar `lag` bars after the newest that had closed when the idea came; NaN without one."""
    return _returns(ideas, bars, lag - 1, lag)


def next_returns(ideas: Ideas, bars: Sequence[Candles], ahead: int) -> Floats:
    """(n,) log return from the newest close when the idea came over the next `ahead` bars; NaN without them."""
    return _returns(ideas, bars, 0, ahead)


def _returns(ideas: Ideas, bars: Sequence[Candles], first: int, last: int) -> Floats:
    """From the close `first` bars after the idea's own to that `last` bars after it."""
    found = np.full(len(ideas), np.nan)
    for each in bars:
        rows = np.flatnonzero(ideas.symbol == each.symbol)
        own = np.searchsorted(each.closes_at, ideas.time[rows], side="right") - 1
        there = (own >= 0) & (own + first >= 0) & (own + last < len(each))
        rows, own = rows[there], own[there]
        found[rows] = np.log(each.close[own + last] / each.close[own + first])
    return found


def _correlation(feature: NDArray[np.float32], returns: Floats) -> float | None:
    if len(feature) < 3 or feature.min() == feature.max() or returns.min() == returns.max():
        return None
    return spearman(feature.astype(np.float64), returns)


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation; 0 if either is constant."""
    a, b = (pd.Series(each).rank().to_numpy() for each in (first, second))
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length else 0.0
