"""Circuit breaker: trips if the live drawdown exceeds a high quantile of drawdowns resampled from the backtest."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.documents.check import Breaker
from gatekeeper.judgement.statistics.bootstrap import block_length, draws
from gatekeeper.judgement.statistics.sharpe import max_drawdown

FEWEST_DAYS = 5
TIMES = 2000


def examine(live: ArrayLike, backtest: ArrayLike, *, level: float, floor_days: int, seed: int) -> Breaker:
    """Whether the drawdown of the (T,) live daily returns exceeds the `level` quantile of resampled drawdowns.

    Each draw takes T days from the (B,) days of the backtest in blocks, by the stationary bootstrap of Politis & Romano
    (1994). The backtest is a sample too, so its days are resampled for each draw; otherwise a lucky backtest would
    promise too much, and its bound would be exceeded far more often than stated. The breaker trips on the drawdown
    quantile alone; no significance test is required. Both rows are parts of the same initial capital, and the start
    counts as a peak. With fewer than 5 live days, fewer than `floor_days` of the backtest or a constant backtest there
    is no bound.
    """
    now, then = np.asarray(live, dtype=np.float64), np.asarray(backtest, dtype=np.float64)
    drawdown = max_drawdown(now)
    why = _why_unbounded(now, then, floor_days)
    if why is not None:
        return Breaker(False, drawdown, None, None, level, len(now), len(then), None, why)
    block = block_length(then)
    fell = _drawdowns(then, len(now), block, seed)
    bound = float(np.quantile(fell, level, method="higher"))
    deeper = float(np.mean(fell >= drawdown))
    tripped = drawdown > bound
    text = (
        f"drawdown {drawdown:.2%} of capital in {len(now)} days, {'over' if tripped else 'within'} the {level:.4g} "
        f"bound of {bound:.2%} from the backtest's {len(then)} days"
    )
    return Breaker(tripped, drawdown, bound, deeper, level, len(now), len(then), block, text)


def _why_unbounded(live: NDArray[np.float64], backtest: NDArray[np.float64], floor_days: int) -> str | None:
    if len(live) < FEWEST_DAYS:
        return f"{len(live)} days since the promotion, at least {FEWEST_DAYS} are needed"
    if len(backtest) < floor_days:
        return f"the backtest has {len(backtest)} days, and a bound needs at least {floor_days}"
    if math.isclose(float(np.ptp(backtest)), 0.0, abs_tol=1e-12):
        return "the days of the backtest are all alike, so there is no bound"
    return None


def _drawdowns(days: NDArray[np.float64], length: int, block: int, seed: int) -> NDArray[np.float64]:
    """(TIMES,) drawdowns of draws of that length, each from a resampled backtest."""
    backtests = draws(len(days), len(days), block=block, times=TIMES, seed=seed)
    lives = draws(len(days), length, block=block, times=TIMES, seed=seed + 1)
    fell = (max_drawdown(days[backtest[live]]) for backtest, live in zip(backtests, lives, strict=True))
    return np.fromiter(fell, dtype=np.float64, count=TIMES)
