"""Time from bars to ideas with outcomes, daily returns and a Sharpe, next to other backtesters.

All sides enter at the same signals with the same stop, target and time stop, at no cost, since each charges costs in a
way of its own. Every idea is a trade of its own, whatever else is open: a gatekeeper has to learn from each.

Usage: replays.py BARS SYMBOLS, which prints what a process takes that replays so many, as JSON.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import replay_peers as peers
from market import LATER, walk
from results import FASTER, Result, alone, compared, in_turns, missing, pair, peak_memory, processor

from gatekeeper.judgement.backtest.daily_returns import daily_returns
from gatekeeper.judgement.statistics.sharpe import sharpe_ratio
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.replay.kernel import replay
from gatekeeper.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
LARGE = ((10_000, 1), (100_000, 1), (1_000_000, 1), (1_000_000, 10))
FREE = Settings(cost_bp=0)
WORK = "bars to Sharpe"


def main(*, quick: bool) -> list[Result]:
    """Beside each peer at each size that it can do, then time and memory against size."""
    results = []
    for bars in map(walk, SIZES[:1] if quick else SIZES):
        results.append(beside_numpy(bars, rounds=2 if quick else 5))
        if not quick:
            results += [*beside_vectorbt(bars), *beside_backtesting(bars)]
    return results if quick else [*results, *growth()]


def ours(bars: Candles) -> float | None:
    """As the package does it, but for the file that bars come from."""
    ideas = replay(bars, LATER, FREE).ideas
    return sharpe_ratio(daily(bars, ideas), peers.PERIODS)


def daily(bars: Candles, ideas: object) -> np.ndarray:
    """Of all ideas, on the days of these bars."""
    everything = np.ones(len(ideas), dtype=np.bool_)
    return daily_returns(ideas, everything, np.unique(bars.days), peers.FRACTION)


def beside_numpy(bars: Candles, *, rounds: int) -> Result:
    """By hand, as short as it goes. Notes stand once, with the sums of the largest size."""
    note = (
        "by hand there are no features, no marks at each day's close (a trade counts on its last day), no costs by "
        f"part, no order by symbol and strategy; the Sharpe is {sharpes(ours(bars), peers.by_hand(bars))}"
    )
    return pair(
        "Replay",
        WORK,
        f"{len(bars):,} bars",
        f"numpy {np.__version__} by hand",
        lambda: ours(bars),
        lambda: peers.by_hand(bars),
        rounds=rounds,
        as_=FASTER,
        note=note if len(bars) == SIZES[-1] else "",
    )


def beside_vectorbt(bars: Candles) -> list[Result]:
    """Every idea on its own, in as many columns as are open at once; and one position at a time."""
    size = f"{len(bars):,} bars"
    try:
        peer = f"vectorbt {version('vectorbt')}, warm"
    except PackageNotFoundError:
        return [missing("Replay", WORK, "vectorbt", "it is not installed here", size)]
    results = []
    for work, single in ((WORK, False), (f"{WORK}; vectorbt one position at a time", True)):
        note = (
            "vectorbt holds one position a column and skips what comes meanwhile: it has some tenth of the trades to "
            "follow; ours follows them all"
            if single
            else f"vectorbt holds one position a column: {peers.LANES} columns hold the pull-backs of all bars, and "
            "the range bounces, some 8 % of the ideas, are spared it; it makes no features. What bounds ours: the "
            "same trades by numpy alone, without features or marks, are some ten times as fast as vectorbt, which is "
            "the target itself; ours takes three times that for seven features, the return of every bar of every trade "
            "and its sum by day, and a dozen columns of an idea. The pull-backs' outcomes add up "
            f"to {sharpes(*totals(bars))}, ours and its"
        )
        ours_took, its = in_turns(
            (lambda: ours(bars), lambda one=single: peers.by_vectorbt(bars, single=one)),
            rounds=3 if len(bars) == SIZES[-1] else 5,
        )
        target = 10 if len(bars) == SIZES[-1] and not single else None
        once = note if len(bars) == SIZES[-1] else ""
        results.append(compared("Replay", work, size, peer, ours_took, its, as_=FASTER, at_least=target, note=once))
    return results


def totals(bars: Candles) -> tuple[float, float]:
    """What all pull-backs made, as parts of capital: ours and vectorbt's."""
    ideas = replay(bars, LATER, FREE).ideas
    made = ideas.outcome[ideas.strategy == "trend_pullback"].sum() * peers.FRACTION
    return float(made), peers.vectorbt_total(bars)


def beside_backtesting(bars: Candles) -> list[Result]:
    """It goes bar by bar in Python: once at the largest size, without a warm-up."""
    if len(bars) > SIZES[1]:
        return []
    size = f"{len(bars):,} bars"
    try:
        peer = f"backtesting.py {version('backtesting')}"
    except PackageNotFoundError:
        return [missing("Replay", WORK, "backtesting.py", "it is not installed here", size)]
    rounds, small = (1, False) if len(bars) == SIZES[1] else (3, True)
    took = in_turns((lambda: ours(bars), lambda: peers.by_backtesting(bars)), rounds=rounds, warm=small)
    note = (
        "backtesting.py makes its other statistics too, trades whole units, and makes a year of a day in its own way; "
        f"ours makes the features; {rounds} round{'s' * (rounds > 1)}"
    )
    return [compared("Replay", WORK, size, peer, *took, as_=FASTER, note=note)]


def growth() -> list[Result]:
    """Time and memory of a process of its own against the number of bars."""
    results = []
    for bars, symbols in LARGE:
        command = [sys.executable, __file__, str(bars), str(symbols)]
        took = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
        size = f"{bars * symbols:,} bars"
        note = (
            "symbol by symbol, a million bars each, an idea let go once it is booked on its days; what `retrain` keeps "
            "of all ideas for the training is some 190 bytes an idea more, and twice that while they are joined"
        )
        results += [
            alone("Replay", "by itself: time", size, [took["cpu"]], unit="CPU s", note=note),
            alone(
                "Replay",
                "by itself: peak memory",
                size,
                [took["peak"]],
                unit="MB",
                at_most=2_000 if symbols > 1 else None,
                note=note,
            ),
        ]
    return results


def replayed(bars: int, symbols: int) -> dict[str, float]:
    """In this process: symbol by symbol, and the Sharpe of all of them together."""
    together: np.ndarray | float = 0.0
    spent = 0.0
    for seed in range(symbols):
        market = walk(bars, seed)
        before = processor()
        together = together + daily(market, replay(market, LATER, FREE).ideas)
        spent += processor() - before
    return {"cpu": spent, "peak": peak_memory(), "sharpe": sharpe_ratio(together, peers.PERIODS) or 0.0}


def sharpes(first: float | None, second: float | None) -> str:
    """Two numbers side by side."""
    return " / ".join("undefined" if each is None else f"{each:.4f}" for each in (first, second))


if __name__ == "__main__":
    print(json.dumps(replayed(*map(int, sys.argv[1:]))))
