"""Circuit breaker: trips if the live drawdown exceeds a bound that few promise-keepers exceed in a year of checks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.documents.check import Breaker
from gatekeeper.documents.evaluation import ScorecardRecord
from gatekeeper.judgement.live.selection import luck
from gatekeeper.judgement.statistics.bootstrap import block_length, draws
from gatekeeper.judgement.statistics.sharpe import max_drawdown

FEWEST_DAYS = 5
TIMES = 2000
HEAD_START = 21
"""Market days: the bound begins as if so many had passed, since a small early drawdown is no evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class Promise:
    """What the backtest promised, and how the model was chosen by it.

    daily: (B,) returns. compared: models that it was the best of. alike: correlation of their returns, 0 to 1.
    """

    daily: NDArray[np.float64]
    compared: int
    alike: float

    @classmethod
    def beside(cls, daily: NDArray[np.float64], other: ScorecardRecord | None, *, compared: int) -> "Promise":
        """Alike as this backtest and that of the model which it was compared with are; not at all without one."""
        theirs = np.zeros(0) if other is None else np.array(other.daily)
        moving = len(daily) > 1 and len(theirs) == len(daily) and np.ptp(daily) > 0 and np.ptp(theirs) > 0
        return cls(daily, compared, float(np.corrcoef(daily, theirs)[0, 1]) if moving else 0.0)

    @property
    def lowered(self) -> float:
        """The part of the mean daily return that the choice explains (`selection.luck`)."""
        return float(self.daily.std()) * luck(self.compared, self.alike, len(self.daily))


def examine(
    live: ArrayLike, promise: Promise, *, level: float, floor_days: int, periods_per_year: int, seed: int
) -> Breaker:
    """Whether the drawdown of the (T,) live daily returns exceeds the bound of its day.

    The bound grows as the root of the days since the promotion (+ 21), and `level` is the share of simulated years
    that stay within it on every day of the year; in a second year, on every day of both. Each year is drawn in blocks
    from the backtest's days by the stationary bootstrap of Politis & Romano (1994). The backtest is a sample too, so
    its days are resampled for each draw; and the best of several backtests is a lucky one, so its mean is lowered
    first. Both rows are parts of the same initial capital, and the start counts as a peak. With fewer than 5 live days,
    fewer than `floor_days` of the backtest or a constant backtest there is no bound.
    """
    now, then = np.asarray(live, dtype=np.float64), promise.daily
    drawdown = max_drawdown(now)
    why = _why_unbounded(now, then, floor_days)
    if why is not None:
        return Breaker(False, drawdown, None, None, level, len(now), len(then), None, why)
    block = block_length(then)
    horizon = math.ceil(len(now) / periods_per_year) * periods_per_year
    rising = growth(horizon)
    deepest = _deepest(then - promise.lowered, rising, block, seed)
    here = float(rising[len(now) - 1])
    bound = here * float(np.quantile(deepest, level, method="higher"))
    deeper = float(np.mean(deepest >= drawdown / here))
    tripped = drawdown > bound
    chosen = f", the best of {promise.compared}" if promise.compared > 1 else ""
    text = (
        f"drawdown {drawdown:.2%} of capital in {len(now)} days, {'over' if tripped else 'within'} the {level:.4g} "
        f"bound of {bound:.2%} for daily checks, from the backtest's {len(then)} days{chosen}"
    )
    return Breaker(
        tripped=tripped,
        drawdown=drawdown,
        bound=bound,
        p=deeper,
        level=level,
        days=len(now),
        backtest_days=len(then),
        block=block,
        text=text,
        horizon=horizon,
        compared=promise.compared,
        alike=promise.alike,
    )


def _why_unbounded(live: NDArray[np.float64], backtest: NDArray[np.float64], floor_days: int) -> str | None:
    if len(live) < FEWEST_DAYS:
        return f"{len(live)} days since the promotion, at least {FEWEST_DAYS} are needed"
    if len(backtest) < floor_days:
        return f"the backtest has {len(backtest)} days, and a bound needs at least {floor_days}"
    if math.isclose(float(np.ptp(backtest)), 0.0, abs_tol=1e-12):
        return "the days of the backtest are all alike, so there is no bound"
    return None


def _deepest(days: NDArray[np.float64], rising: NDArray[np.float64], block: int, seed: int) -> NDArray[np.float64]:
    """(TIMES,) largest drawdown so far / growth, over the days of each drawn year from the first checked one on."""
    backtests = draws(len(days), len(days), block=block, times=TIMES, seed=seed)
    lives = draws(len(days), len(rising), block=block, times=TIMES, seed=seed + 1)
    years = (days[backtest[live]] for backtest, live in zip(backtests, lives, strict=True))
    fell = (float(np.max((drawdowns(year) / rising)[FEWEST_DAYS - 1 :])) for year in years)
    return np.fromiter(fell, dtype=np.float64, count=TIMES)


def growth(horizon: int) -> NDArray[np.float64]:
    """(horizon,) the bound of each day as a part of the last one's."""
    return np.sqrt((np.arange(horizon) + 1 + HEAD_START) / (horizon + HEAD_START))


def drawdowns(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) the largest fall from a peak up to each day, as `max_drawdown` has it; the start counts as a peak."""
    equity = np.cumsum(returns)
    return np.maximum.accumulate(np.maximum.accumulate(np.maximum(equity, 0.0)) - equity)
