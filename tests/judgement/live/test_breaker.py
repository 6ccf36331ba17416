"""Circuit breaker: its bound against the exact law of a fair coin, and what it must not conclude."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.judgement.live.breaker import TIMES, examine

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


@pytest.mark.parametrize("depth", [2, 4, 6, 8])
def test_the_share_of_draws_is_the_exact_one_of_a_fair_coin(depth: int) -> None:
    """All 1,024 ways that ten tosses can go, counted."""
    exact = np.mean([fell(tosses) >= depth for tosses in product((-1, 1), repeat=10)])
    live = np.array([-1.0] * depth + [1.0] * (10 - depth)) / 128
    seen = examine(live, COIN, level=0.99, floor_days=60, seed=1)
    assert seen.block == 1  # independent days
    assert seen.drawdown == depth / 128
    assert seen.p == pytest.approx(exact, abs=SAMPLED)


def test_the_bound_is_the_exact_quantile_of_a_fair_coin() -> None:
    """P(fall of 7 or more) = 0.033 and of 8 or more 0.014: at 0.98 the bound is 7, and only 8 is beyond it."""
    ways = [fell(tosses) for tosses in product((-1, 1), repeat=10)]
    assert np.quantile(ways, 0.98, method="higher") == 7
    falls = {
        depth: examine(np.array([-1.0] * depth + [1.0] * (10 - depth)) / 128, COIN, level=0.98, floor_days=60, seed=1)
        for depth in (7, 8)
    }
    assert (falls[7].bound, falls[7].tripped, falls[8].tripped) == (7 / 128, False, True)
    assert "over the 0.98 bound of 5.47%" in falls[8].text


@settings(max_examples=4, deadline=None)
@given(st.sampled_from([0.25, 4.0, 64.0]), st.integers(5, 40), st.integers(0, 99))
def test_the_unit_of_capital_changes_nothing(unit: float, days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    live, backtest = rng.normal(-0.001, 0.01, days), rng.normal(0.001, 0.01, 70)
    one = examine(live, backtest, level=0.95, floor_days=60, seed=seed)
    other = examine(live * unit, backtest * unit, level=0.95, floor_days=60, seed=seed)
    assert (other.tripped, other.p) == (one.tripped, one.p)
    assert other.bound == pytest.approx(one.bound * unit)
    assert one.tripped == (one.drawdown > one.bound)


def test_more_days_may_fall_deeper_and_a_longer_memory_too() -> None:
    """Losses that come in runs of ten add up; shuffled, the same days don't."""
    runs = np.repeat(np.random.default_rng(5).permutation([-0.01, 0.01] * 15), 10)
    shuffled = np.random.default_rng(5).permutation(runs)
    bound = {
        (name, days): examine(np.zeros(days), backtest, level=0.99, floor_days=60, seed=2).bound
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
    seen = examine(live, backtest, level=0.99, floor_days=60, seed=0)
    assert (seen.tripped, seen.bound, seen.p) == (False, None, None)
    assert seen.drawdown == pytest.approx(0.5 * len(live))
    assert said in seen.text


def test_no_days_at_all() -> None:
    assert examine([], [], level=0.99, floor_days=60, seed=0).drawdown == 0.0
