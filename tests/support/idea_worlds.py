"""Random worlds of labelled ideas: a random walk's bars, trades with a stop and a target, and honest features."""

import numpy as np
from market_bars import DAY, daily

from gatekeeper.features import FEATURES
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.trades.closed_trades import booked_on_exit
from gatekeeper.market.ideas import Ideas

MOST_BARS = 10


def world(seed: int, n: int = 400, *, hold: int = MOST_BARS) -> tuple[Ideas, Candles]:
    """n ideas of one symbol at random bars, each entered at its bar's close, and the bars themselves.

    rsi14: smoothed past returns, 0 to 100; adx14: a persistent series, whole numbers; fastMASlowDelta: distance from
    the mean of 50 closes; bbWidth: the distance of stop and target, known at the entry; avgSent: noise; avgOB: 0.
    """
    rng = np.random.default_rng(seed)
    count = 3 * n
    moves = rng.standard_t(5, count) * 0.01 * np.exp(0.5 * _persistent(rng, count))
    close = 100 * np.exp(np.cumsum(moves))
    times = daily(count, "2005-01-03")
    reach = np.abs(rng.normal(0, 0.004, (2, count)))
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close) * np.exp(reach[0]), np.minimum(opened, close) * np.exp(-reach[1])
    bars = Candles("X", times, times + DAY, opened, high, low, close, np.zeros(count), np.zeros(count))
    at = np.sort(rng.choice(np.arange(60, count - hold - 1), n, replace=False))
    side = np.where(rng.random(n) < 0.6, 1.0, -1.0)
    distance = 2 * _smoothed(np.abs(moves), 14)[at]
    last, outcome = _trades(close, at, side, distance, hold)
    features = {
        "rsi14": 50 + 45 * np.tanh(_smoothed(moves, 14) * 200)[at],
        "adx14": np.round(30 + 8 * _persistent(rng, count))[at].clip(0, 100),
        "fastMASlowDelta": (close / np.convolve(close, np.ones(50) / 50)[:count] - 1)[at],
        "bbWidth": distance,
        "avgSent": rng.normal(size=n),
        "avgOB": np.zeros(n),
        "action": side > 0,
    }
    time, closed_at = times[at] + DAY, times[last] + DAY
    start, day, made = booked_on_exit(closed_at, outcome)
    columns = np.stack([features[name] for name in FEATURES], axis=1).astype(np.float32)
    names = np.full(n, "X"), np.full(n, "s")
    return Ideas(*names, time, columns, outcome, closed_at, closed_at, start, day, made), bars


def _trades(
    close: np.ndarray, at: np.ndarray, side: np.ndarray, distance: np.ndarray, hold: int
) -> tuple[np.ndarray, ...]:
    """The bar of each exit and its outcome: exactly at stop or target if a close reaches it, else after `hold` bars."""
    last, outcome = at + hold, np.zeros(len(at))
    for i, first in enumerate(at):
        path = side[i] * (close[first + 1 : first + hold + 1] / close[first] - 1)
        out = np.flatnonzero(np.abs(path) >= distance[i])
        last[i] = first + 1 + out[0] if len(out) else first + hold
        outcome[i] = np.sign(path[out[0]]) * distance[i] if len(out) else path[-1]
    return last, outcome - 0.0002


def _persistent(rng: np.random.Generator, count: int) -> np.ndarray:
    found = np.empty(count)
    found[0] = rng.normal()
    for i, shock in enumerate(rng.normal(0, np.sqrt(1 - 0.97**2), count - 1)):
        found[i + 1] = 0.97 * found[i] + shock
    return found


def _smoothed(values: np.ndarray, length: int) -> np.ndarray:
    """Wilder's mean, known at each value."""
    found = np.empty(len(values))
    found[0] = values[0]
    for i in range(1, len(values)):
        found[i] = found[i - 1] + (values[i] - found[i - 1]) / length
    return found
