"""Replays of the same ideas with numpy by hand, with vectorbt and with backtesting.py.

Each gives the yearly Sharpe of daily returns, every trade a fixed part of the initial capital. Bars open where the one
before them closed, so "at the next open" is "at this close".
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import talib

from gatekeeper.market.data.bars.candles import Candles

FRACTION = 0.05
PERIODS = 365
HOLD = 10
"""Bars until the time stop."""
LANES = HOLD + 1
"""A trade that begins at one bar's close is over at the tenth's after it, and its column free at the eleventh's."""
BARRIER, WIDTH = 2.0, 0.02
CAPITAL = 1_000_000


@dataclass(frozen=True, slots=True)
class Entries:
    """(k,) each: the bar that an idea is known at, 1 or -1, is it a pull-back, and from entry to either barrier."""

    bar: np.ndarray
    side: np.ndarray
    pullback: np.ndarray
    distance: np.ndarray


def entries(bars: Candles) -> Entries:
    """Both strategies, by TA-Lib and numpy, where all has its value and the trade is over within the bars."""
    high, low, close = bars.high, bars.low, bars.close
    rsi, fast, slow, atr = talib.RSI(close), talib.SMA(close, 50), talib.SMA(close, 200), talib.ATR(high, low, close)
    near = np.abs(close - fast) / close < WIDTH
    there = ~np.isnan(slow)
    rules = (
        (near & (fast > slow), 1, True),
        (near & (fast < slow), -1, True),
        (there & (rsi < 30) & (close < 1.02 * talib.MIN(low, 50)), 1, False),
        (there & (rsi > 70) & (close > 0.98 * talib.MAX(high, 50)), -1, False),
    )
    hits = [np.flatnonzero(mask[:-HOLD]) for mask, _, _ in rules]
    lengths = [len(hit) for hit in hits]
    bar = np.concatenate(hits)
    side, pullback = (np.repeat([rule[column] for rule in rules], lengths) for column in (1, 2))
    return Entries(bar, side, pullback, BARRIER * atr[bar])


def by_hand(bars: Candles) -> float:
    """All trades at once, a step for each bar that they may last."""
    found = entries(bars)
    entry = bars.open[found.bar + 1]
    stop, target = entry - found.side * found.distance, entry + found.side * found.distance
    leaves, price = found.bar + HOLD, bars.close[found.bar + HOLD]
    alive = np.arange(len(entry))
    for step in range(1, HOLD + 1):
        bar, up = found.bar[alive] + step, found.side[alive] > 0
        low, high = bars.low[bar], bars.high[bar]
        stopped = np.where(up, low <= stop[alive], high >= stop[alive])
        out = stopped | np.where(up, high >= target[alive], low <= target[alive])
        left = alive[out]
        leaves[left], price[left] = bar[out], np.where(stopped[out], stop[left], target[left])
        alive = alive[~out]
    made = found.side * (price / entry - 1)
    day = (bars.opens_at.astype("datetime64[D]") - bars.opens_at[0].astype("datetime64[D]")).astype(np.int64)
    daily = np.bincount(day[leaves], FRACTION * made, day[-1] + 1)
    return float(daily.mean() / daily.std(ddof=1) * np.sqrt(PERIODS))


def by_vectorbt(bars: Candles, *, single: bool = False) -> float:
    """Its own Sharpe, of the daily values of all columns together."""
    daily = portfolio(bars, single=single).value().sum(axis=1).resample("D").last().diff().fillna(0.0)
    return float(daily.vbt.returns(freq="1D").sharpe_ratio())


def vectorbt_total(bars: Candles) -> float:
    """What all of its trades made."""
    return float(portfolio(bars).trades.pnl.values.sum())


def portfolio(bars: Candles, *, single: bool = False) -> Any:
    """`single`: one column, which skips what comes while it is open; else a column for each that is open at once."""
    import pandas as pd
    import vectorbt as vbt

    found = entries(bars)
    bar, side, lanes = found.bar, found.side, 1 if single else LANES
    if not single:
        bar, side = bar[found.pullback], side[found.pullback]
    index = pd.DatetimeIndex(bars.opens_at)
    opens, closes = {}, {}
    for sign in (1, -1):
        at = bar[side == sign]
        opens[sign], closes[sign] = np.zeros((2, len(bars), lanes), dtype=np.bool_)
        opens[sign][at, at % lanes] = True
        closes[sign][at + HOLD, at % lanes] = True
    close = pd.Series(bars.close, index)
    away = BARRIER * talib.ATR(bars.high, bars.low, bars.close) / bars.close
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vbt.Portfolio.from_signals(
            close,
            entries=pd.DataFrame(opens[1], index),
            exits=pd.DataFrame(closes[1], index),
            short_entries=pd.DataFrame(opens[-1], index),
            short_exits=pd.DataFrame(closes[-1], index),
            size=FRACTION / close,
            init_cash=1.0,
            sl_stop=pd.Series(away, index),
            tp_stop=pd.Series(away, index),
            open=pd.Series(bars.open, index),
            high=pd.Series(bars.high, index),
            low=pd.Series(bars.low, index),
            freq="1min",
        )


def by_backtesting(bars: Candles) -> float:
    """Orders with a stop and a target each, trades side by side, the time stop by hand."""
    import pandas as pd
    from backtesting import Backtest, Strategy

    found = entries(bars)
    wanted: dict[int, list[tuple[int, float]]] = {}
    for bar, side, distance in zip(*(each.tolist() for each in (found.bar, found.side, found.distance)), strict=True):
        wanted.setdefault(bar, []).append((side, distance))

    class Ideas(Strategy):
        def init(self) -> None:
            pass

        def next(self) -> None:
            bar = len(self.data) - 1
            for trade in self.trades:
                if bar - trade.entry_bar >= HOLD - 1:
                    trade.close()
            price = self.data.Close[-1]
            for side, distance in wanted.get(bar, ()):
                order = self.buy if side > 0 else self.sell
                order(size=round(FRACTION * CAPITAL / price), sl=price - side * distance, tp=price + side * distance)

    columns = {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close}
    frame = pd.DataFrame(columns, pd.DatetimeIndex(bars.opens_at))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(frame, Ideas, cash=100 * CAPITAL, hedging=True, finalize_trades=True)
        return float(test.run()["Sharpe Ratio"])
