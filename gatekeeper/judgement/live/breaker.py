"""Did the live drawdown go beyond all that the backtest's own days could have led one to expect?"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.documents.check import Breaker
from gatekeeper.judgement.statistics.bootstrap import block_length, draws
from gatekeeper.judgement.statistics.sharpe import max_drawdown

FEWEST_DAYS = 5
TIMES = 2000


def examine(live: ArrayLike, backtest: ArrayLike, *, level: float, floor_days: int, seed: int) -> Breaker:
    """Is the drawdown of the (T,) live daily returns over the `level` quantile of what the backtest's days give?

    That is the drawdown of as many days as the live ones, drawn from the (B,) days of the backtest in blocks, by the
    stationary bootstrap of Politis & Romano (1994). Those days are a sample themselves, so they are drawn anew for each
    draw: else a backtest that was lucky promises too much, and its bound is broken far more often than it says. Both
    rows are parts of the same initial capital, the start counts as a peak. Fewer than 5 live days, fewer than
    `floor_days` of the backtest, or a backtest whose days are all alike, tell nothing.
    """
    now, then = np.asarray(live, dtype=np.float64), np.asarray(backtest, dtype=np.float64)
    drawdown = max_drawdown(now)
    why = _untold(now, then, floor_days)
    if why is not None:
        return Breaker(False, drawdown, None, None, level, len(now), len(then), None, why)
    block = block_length(then)
    fell = _drawdowns(then, len(now), block, seed)
    bound = float(np.quantile(fell, level, method="higher"))
    deeper = float(np.mean(fell >= drawdown))
    tripped = drawdown > bound
    text = (
        f"drawdown {drawdown:.2%} of capital in {len(now)} days, {'over' if tripped else 'within'} the {level:.4g} "
        f"bound of {bound:.2%} that the backtest's {len(then)} days give"
    )
    return Breaker(tripped, drawdown, bound, deeper, level, len(now), len(then), block, text)


def _untold(live: NDArray[np.float64], backtest: NDArray[np.float64], floor_days: int) -> str | None:
    if len(live) < FEWEST_DAYS:
        return f"{len(live)} days since the promotion, {FEWEST_DAYS} are needed"
    if len(backtest) < floor_days:
        return f"the backtest has {len(backtest)} days, {floor_days} are needed: no bound"
    if math.isclose(float(np.ptp(backtest)), 0.0, abs_tol=1e-12):
        return "the days of the backtest are all alike: no bound"
    return None


def _drawdowns(days: NDArray[np.float64], length: int, block: int, seed: int) -> NDArray[np.float64]:
    """(TIMES,) drawdowns of draws of that length, each from a backtest that might as well have been."""
    backtests = draws(len(days), len(days), block=block, times=TIMES, seed=seed)
    lives = draws(len(days), length, block=block, times=TIMES, seed=seed + 1)
    fell = (max_drawdown(days[backtest[live]]) for backtest, live in zip(backtests, lives, strict=True))
    return np.fromiter(fell, dtype=np.float64, count=TIMES)
