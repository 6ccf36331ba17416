"""Circuit breaker: its bound against the exact law of a fair coin, and what it must not conclude."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from gatekeeper.documents.check import Breaker
from gatekeeper.documents.evaluation import ScorecardRecord
from gatekeeper.judgement.live.breaker import TIMES, Promise, drawdowns, examine
from gatekeeper.judgement.statistics.sharpe import max_drawdown

COIN = np.random.default_rng(3).permutation(np.repeat([-1.0, 1.0], 200)) / 128
SAMPLED = 4 * 0.5 / TIMES**0.5  # four standard errors of a share that 2,000 draws give


def fell(steps: tuple[int, ...]) -> int:
    """The largest fall from a peak, counted step by step."""
    level = peak = deepest = 0
    for step in steps:
        level += step
        peak = max(peak, level)
        deepest = max(deepest, peak - level)
    return deepest


def record(daily: np.ndarray) -> ScorecardRecord:
    """A scorecard of these days; nothing else of it counts here."""
    return ScorecardRecord(
        name="other", model_id=1, sha256="", threshold=0.5, trained_to=None, tested=True, out_of_sample=True, ideas=0,
        kept_trades=0, passed_over=0, win_rate=None, sharpe=None, total_return=0.0, max_drawdown=0.0,
        daily=daily.tolist(),
    )  # fmt: skip


def judged(live: ArrayLike, backtest: ArrayLike, *, level: float = 0.99, year: int = 10, **chosen: Any) -> Breaker:
    promise = Promise(np.asarray(backtest, dtype=float), chosen.get("compared", 1), chosen.get("alike", 0.0))
    seed = chosen.get("seed", 1)
    return examine(live, promise, level=level, floor_days=60, periods_per_year=year, seed=seed)


def deepest(steps: tuple[int, ...], rising: float = 21) -> float:
    """The largest fall so far over the root of the days and 21 more, from the fifth day on; 1 on the last of ten."""
    days = range(5, len(steps) + 1)
    return max(fell(steps[:day]) / ((day + rising) / (len(steps) + rising)) ** 0.5 for day in days)


@pytest.mark.parametrize("depth", [2, 4, 6, 8])
def test_the_share_of_draws_is_the_exact_one_of_a_fair_coin(depth: int) -> None:
    """All 1,024 years of ten tosses, counted: those that are as deep for their day on any of its checks."""
    exact = np.mean([deepest(tosses) >= depth for tosses in product((-1, 1), repeat=10)])
    live = np.array([-1.0] * depth + [1.0] * (10 - depth)) / 128
    seen = judged(live, COIN)
    assert (seen.block, seen.horizon) == (1, 10)  # independent days
    assert seen.drawdown == depth / 128
    assert seen.p == pytest.approx(exact, abs=SAMPLED)


def test_the_bound_is_the_exact_quantile_of_a_fair_coin() -> None:
    """At 0.98 it is the depth that 2 % of the years exceed, on the tenth day; earlier as much less as its root."""
    wanted = np.quantile([deepest(tosses) for tosses in product((-1, 1), repeat=10)], 0.98, method="higher")
    falls = {depth: judged(np.array([-1.0] * depth + [1.0] * (10 - depth)) / 128, COIN, level=0.98) for depth in (7, 8)}
    assert falls[7].bound == pytest.approx(wanted / 128)
    assert 7 <= wanted < 8
    assert (falls[7].tripped, falls[8].tripped) == (False, True)
    assert "over the 0.98 bound of" in falls[8].text
    early = judged(np.zeros(5), COIN, level=0.98)
    assert early.bound == pytest.approx(wanted / 128 * (26 / 31) ** 0.5)


def test_a_second_year_has_the_bound_of_two() -> None:
    """Eleven days in years of ten: the level holds for twenty days of checks."""
    seen = judged(np.zeros(11), COIN)
    assert seen.horizon == 20
    assert float(seen.bound or 0) > float(judged(np.zeros(10), COIN).bound or 0)


def test_the_best_of_several_promises_less() -> None:
    """Its mean is lowered by its expected luck, so the bound lies deeper; not if all are the same model."""
    bounds = [
        float(judged(np.zeros(10), COIN, year=60, compared=n, alike=alike).bound or 0)
        for n, alike in ((1, 0.0), (10, 1.0), (10, 0.9), (10, 0.0), (52, 0.0))
    ]
    assert bounds[0] == bounds[1]
    assert bounds[1:] == sorted(bounds[1:])
    assert bounds[4] > bounds[1]
    promise = Promise(COIN, 10, 0.0)
    assert promise.lowered == pytest.approx(1 / 128 * 1.5746 / 20, rel=1e-4)  # a spread of 1/128, 400 days
    assert "the best of 10" in judged(np.zeros(10), COIN, compared=10).text


def test_how_alike_is_how_the_two_days_correlate() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 0.01, (2, 80))
    beside = Promise.beside(one, record(one + other), compared=7)
    assert beside.alike == pytest.approx(stats.pearsonr(one, one + other).statistic)
    assert (beside.compared, Promise.beside(one, None, compared=1).alike) == (7, 0.0)
    assert Promise.beside(one, record(np.zeros(80)), compared=2).alike == 0.0


def test_drawdowns_end_with_the_deepest() -> None:
    row = np.random.default_rng(1).normal(0, 1, 50)
    assert drawdowns(row).tolist() == pytest.approx([max_drawdown(row[: day + 1]) for day in range(50)])


@settings(max_examples=4, deadline=None)
@given(st.sampled_from([0.25, 4.0, 64.0]), st.integers(5, 40), st.integers(0, 99))
def test_the_unit_of_capital_changes_nothing(unit: float, days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    live, backtest = rng.normal(-0.001, 0.01, days), rng.normal(0.001, 0.01, 70)
    one = judged(live, backtest, level=0.95, year=40, seed=seed)
    other = judged(live * unit, backtest * unit, level=0.95, year=40, seed=seed)
    assert (other.tripped, other.p) == (one.tripped, one.p)
    assert other.bound == pytest.approx(one.bound * unit)
    assert one.tripped == (one.drawdown > one.bound)


def test_more_days_may_fall_deeper_and_a_longer_memory_too() -> None:
    """Losses that come in runs of ten add up; shuffled, the same days don't."""
    runs = np.repeat(np.random.default_rng(5).permutation([-0.01, 0.01] * 15), 10)
    shuffled = np.random.default_rng(5).permutation(runs)
    bound = {
        (name, days): judged(np.zeros(days), backtest, year=days, seed=2).bound
        for name, backtest in (("runs", runs), ("shuffled", shuffled))
        for days in (20, 400)  # fewer than the backtest has, and more
    }
    assert bound["runs", 20] < bound["runs", 400]
    assert bound["runs", 20] > 1.3 * bound["shuffled", 20]


@pytest.mark.parametrize(
    ("live", "backtest", "said"),
    [
        ([-0.5] * 4, np.arange(80) / 1000, "4 days since the promotion, at least 5 are needed"),
        ([-0.5] * 9, np.arange(59) / 1000, "the backtest has 59 days, and a bound needs at least 60"),
        ([-0.5] * 9, [], "the backtest has 0 days"),
        ([-0.5] * 9, np.zeros(80), "all alike"),
        ([-0.5] * 9, np.full(80, 0.1 + 0.2), "all alike"),
    ],
)
def test_too_little_trips_nothing_and_has_no_bound(live: list[float], backtest: list[float], said: str) -> None:
    """Undefined stays undefined; the drawdown itself is a fact."""
    seen = judged(live, backtest)
    assert (seen.tripped, seen.bound, seen.p) == (False, None, None)
    assert seen.drawdown == pytest.approx(0.5 * len(live))
    assert said in seen.text


def test_no_days_at_all() -> None:
    assert judged([], []).drawdown == 0.0
