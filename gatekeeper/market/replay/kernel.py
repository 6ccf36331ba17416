"""Trade replay: entries, barrier exits (stop, target) and time stops of a symbol's ideas, with costs and daily marks.

An idea is known at its bar's close, enters at the open of the next bar, and exits at a barrier or by the time stop.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.ideas import Ideas, instant, join
from gatekeeper.market.replay.costs import Rates
from gatekeeper.market.replay.indicators import Indicators, indicators
from gatekeeper.market.replay.strategies import Index, Mask, Signals, find
from gatekeeper.settings import Settings

Floats = NDArray[np.float64]

# So many marks along paths are worked on at a time. What is made of them on the way then stays near the processor: in
# arrays of a million, fetching fresh memory from the system takes a third as long as all the arithmetic.
_MARKS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Ideas with their outcomes, and the numbers of ideas still open and of ideas that found no bar to enter on."""

    ideas: Ideas
    still_open: int
    never_entered: int


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """(k,) each: entry and exit, as bars and as prices, and the instant at which the outcome was known."""

    entry_bar: Index
    exit_bar: Index
    entry: Floats
    exit: Floats
    known_at: NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Closed trades, the signals that they came from, and the numbers still open and without a bar to enter on."""

    closed: Index
    trades: Trades
    still_open: int
    never_entered: int


def replay(bars: Candles, as_of: datetime, settings: Settings) -> Replay:
    """The ideas of one symbol whose outcome was known by the as-of. `bars` hold nothing beyond the as-of."""
    bars = replace(bars, session=bars.days)  # else each part of the trades would look for the days of all bars
    found = indicators(bars.high, bars.low, bars.close)
    parts, still_open, never_entered = [], 0, 0
    for some in _in_parts(find(bars, found, settings.pullback_width), settings.time_stop_bars):
        distance = settings.barrier_atr * found.atr14[some.bar]
        result = follow(bars, some, distance, as_of, settings)
        parts.append(_ideas(bars, found, _pick(some, result.closed), result.trades, settings))
        still_open += result.still_open
        never_entered += result.never_entered
    return Replay(join(parts), still_open, never_entered)


def follow(bars: Candles, signals: Signals, distance: Floats, as_of: datetime, settings: Settings) -> Followed:
    """Enter each of k signals at the next bar's open, and return the trades that had ended by the as-of.

    distance: (k,) from the entry price to either barrier, in units of price.
    """
    known = bars.closes_at[signals.bar]
    horizon = known + np.timedelta64(settings.longest_hold_days, "D")
    # By the bar's own opening: where spacing is uneven, the next bar may have begun before the idea was known.
    entry_bar = np.searchsorted(bars.opens_at, known, side="left")
    last_bar = np.searchsorted(bars.closes_at, horizon, side="right") - 1
    enters = entry_bar <= last_bar
    missed = ~enters & (horizon <= instant(as_of))
    trades = trade(
        bars,
        side=signals.side[enters],
        distance=distance[enters],
        entry_bar=entry_bar[enters],
        last_bar=last_bar[enters],
        horizon=horizon[enters],
        time_stop=settings.time_stop_bars,
    )
    over = trades.known_at <= instant(as_of)
    closed = np.flatnonzero(enters)[over]
    still_open = len(known) - len(closed) - int(missed.sum())
    return Followed(closed, _pick_trades(trades, over), still_open, int(missed.sum()))


def trade(
    bars: Candles,
    *,
    side: NDArray[np.int64],
    distance: Floats,
    entry_bar: Index,
    last_bar: Index,
    horizon: NDArray[np.datetime64],
    time_stop: int,
) -> Trades:
    """Follow (k,) trades bar by bar to their exits.

    distance: from the entry price to either barrier, in units of price. last_bar: the last that closes by the horizon.
    If one bar touches both barriers, the stop counts; a gap through a barrier fills at the open.
    """
    entry = bars.open[entry_bar]
    stop, target = entry - side * distance, entry + side * distance
    final_bar = np.minimum(entry_bar + time_stop - 1, last_bar)
    exit_bar, exit_price = final_bar.copy(), bars.close[final_bar]
    # The time stop is known at its bar's close; that no further bar closes by the horizon, only at the horizon.
    in_full = entry_bar + time_stop - 1 <= last_bar
    known_at = np.where(in_full, bars.closes_at[final_bar], horizon)
    alive = np.arange(len(side))
    for step in range(time_stop):
        alive = alive[entry_bar[alive] + step <= final_bar[alive]]
        if not len(alive):
            break
        bar = entry_bar[alive] + step
        out, price = _barrier(bars, bar, side[alive], stop[alive], target[alive])
        left = alive[out]
        exit_bar[left], exit_price[left], known_at[left] = bar[out], price, bars.closes_at[bar[out]]
        alive = alive[~out]
    return Trades(entry_bar, exit_bar, entry, exit_price, known_at)


def _barrier(bars: Candles, bar: Index, side: NDArray[np.int64], stop: Floats, target: Floats) -> tuple[Mask, Floats]:
    """(k,) bool: the trades that exit on this bar, and their exit prices. A bar opens within its high and low."""
    low, high, long = bars.low[bar], bars.high[bar], side > 0
    stopped = np.where(long, low <= stop, high >= stop)
    out = stopped | np.where(long, high >= target, low <= target)
    opened, side, stop, target = bars.open[bar[out]], side[out], stop[out], target[out]
    gapped = (side * opened <= side * stop) | (side * opened >= side * target)
    return out, np.where(gapped, opened, np.where(stopped[out], stop, target))


def _ideas(bars: Candles, found: Indicators, signals: Signals, trades: Trades, settings: Settings) -> Ideas:
    at, rates = signals.bar, Rates.from_settings(settings)
    atr = found.atr14[at] / trades.entry
    cost = rates.a_side(atr)
    path_start, path_day, path_return = _paths(bars, signals.side, trades, cost)
    outcome = signals.side * (trades.exit / trades.entry - 1) - 2 * cost
    carry: float | Floats = 0.0
    if rates.carries and len(at):
        carried = rates.carried(signals.side, path_start, path_day)
        carry = np.add.reduceat(carried, path_start[:-1])
        path_return, outcome = path_return - carried, outcome - carry
    features = (
        found.rsi14[at],
        found.adx14[at],
        found.fast_slow_delta[at],
        found.band_width[at],
        bars.sentiment[at],
        bars.order_book[at],
        np.where(signals.side > 0, 1.0, 0.0),
    )
    return Ideas(
        symbol=np.full(len(at), bars.symbol),
        strategy=signals.strategy,
        time=bars.closes_at[at],
        features=np.stack(features, axis=1).astype(np.float32),
        outcome=outcome,
        closed_at=bars.closes_at[trades.exit_bar],
        known_at=trades.known_at,
        path_start=path_start,
        path_day=path_day,
        path_return=path_return,
        atr=atr if settings.sizing == "volatility" else None,
        costs=rates.parts(atr, carry),
    )


def _paths(
    bars: Candles, side: NDArray[np.int64], trades: Trades, cost: float | Floats
) -> tuple[NDArray[np.int64], NDArray[np.datetime64], Floats]:
    """Each trade's return by market day, marked at the day's close; `cost` falls on the days of entry and exit."""
    lengths = trades.exit_bar - trades.entry_bar + 1
    starts = np.cumsum(lengths) - lengths
    idea = np.repeat(np.arange(len(side)), lengths)
    bar = np.arange(len(idea)) - np.repeat(starts - trades.entry_bar, lengths)
    ends = starts + lengths - 1
    before, after = bars.close[bar - 1], bars.close[bar]
    before[starts], after[ends] = trades.entry, trades.exit
    made = side[idea] * (after - before) / trades.entry[idea]
    made[starts] -= cost
    made[ends] -= cost
    day = bars.days[bar]
    enters = np.zeros(len(idea), dtype=np.bool_)
    enters[starts] = True
    new = enters.copy()
    new[1:] |= day[1:] != day[:-1]
    marks = np.flatnonzero(new)
    path_start = np.append(np.flatnonzero(enters[marks]), len(marks)).astype(np.int64)
    return path_start, day[marks], np.add.reduceat(made, marks) if len(marks) else made


def _in_parts(signals: Signals, time_stop: int) -> Iterator[Signals]:
    size = max(1, _MARKS_AT_ONCE // time_stop)
    for start in range(0, len(signals.bar), size):
        yield _pick(signals, slice(start, start + size))


def _pick(signals: Signals, rows: Index | slice) -> Signals:
    return Signals(signals.bar[rows], signals.side[rows], signals.strategy[rows])


def _pick_trades(trades: Trades, mask: Mask) -> Trades:
    return Trades(
        trades.entry_bar[mask], trades.exit_bar[mask], trades.entry[mask], trades.exit[mask], trades.known_at[mask]
    )
