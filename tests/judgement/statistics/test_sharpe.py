"""Sharpe ratio and the difference of two, against values that other programs computed."""

import math
from typing import Any

import numpy as np
import pytest
from arch.data import nasdaq, sp500
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gatekeeper.errors import DataError
from gatekeeper.judgement import excess_returns, max_drawdown, sharpe_difference, sharpe_ratio

RETURNS = arrays(np.float64, st.integers(5, 60), elements=st.floats(-0.25, 0.25, width=32))
CLOSE = pytest.approx


def test_annual_sharpe_is_the_golden_one(golden: dict[str, Any]) -> None:
    row = golden["sharpe"]["G1"]
    assert sharpe_ratio(row["returns"], 1) == CLOSE(row["per_period_ddof1"], abs=1e-9)
    assert sharpe_ratio(row["returns"]) == CLOSE(row["annual_252"], abs=1e-9)
    assert sharpe_ratio(row["returns"], periods_per_year=365) == CLOSE(row["annual_365"], abs=1e-9)


def test_risk_free_rate_is_yearly(golden: dict[str, Any]) -> None:
    """Case 30: a yearly rate taken as daily gives -72.84; right is 2.5841541393."""
    row = golden["sharpe"]["G1"]
    whole = excess_returns(row["returns"], np.ones(len(row["returns"])), 0.05, 252)
    assert sharpe_ratio(whole) == CLOSE(2.5841541393, abs=1e-9)
    assert sharpe_ratio(whole) == CLOSE(row["annual_252_rf_5pct_geometric"], abs=1e-9)


def test_risk_free_rate_is_taken_off_the_exposed_part(golden_2: dict[str, Any]) -> None:
    """Case 88: off all capital 1.94 instead of 3.55, and 3.66 without."""
    row = golden_2["risk_free"]
    excess = excess_returns(row["daily"], row["exposed"], row["rate"], row["periods"])
    assert excess.tolist() == CLOSE(row["excess"], abs=1e-15)
    assert sharpe_ratio(excess, row["periods"]) == CLOSE(row["sharpe"], abs=1e-9)
    assert sharpe_ratio(row["daily"], row["periods"]) == CLOSE(row["sharpe_without_rate"], abs=1e-9)
    off_all = excess_returns(row["daily"], np.ones(6), row["rate"], row["periods"])
    assert sharpe_ratio(off_all, row["periods"]) == CLOSE(row["sharpe_if_all_capital"], abs=1e-9)


@pytest.mark.parametrize(
    "returns",
    [
        [],
        [0.01],
        [0.001] * 250,
        [0.0] * 10,
        [-0.3] * 3,
        [0.01, math.inf, -0.02],
        [0.01, math.nan, -0.02, 0.015],
        np.diff(100 * 1.001 ** np.arange(251)) / (100 * 1.001 ** np.arange(250)),  # constant but for rounding
        [0.1 + 0.2, 0.3] * 20,
    ],
)
def test_undefined_is_none(returns: Any) -> None:
    """Case 29: constant returns have no Sharpe, not an infinite one, nor 7e16, nor 0."""
    assert sharpe_ratio(returns) is None
    other = np.random.default_rng(1).normal(0, 0.01, len(returns))
    difference = sharpe_difference(returns, other)
    assert (difference.delta, difference.standard_error, difference.p_one_sided) == (None, None, None)


def test_daily_not_per_trade(golden: dict[str, Any]) -> None:
    """Case 31: zero days count; 6.0699889079, not 10.0743062678."""
    row = golden["sharpe"]["daily_not_per_trade"]
    assert sharpe_ratio(row["daily_returns"]) == CLOSE(6.0699889079, abs=1e-9)
    assert sharpe_ratio(row["daily_returns"]) == CLOSE(row["annual_252_right"], abs=1e-9)
    assert sharpe_ratio(row["daily_returns"], 365) == CLOSE(row["annual_365_right"], abs=1e-9)


def test_first_day_counts(golden: dict[str, Any]) -> None:
    """Case 33: 2.6308315306 with the first day's loss, 34.1 without."""
    row = golden["sharpe"]["first_day_counts"]
    equity = np.array(row["capital_then_equity"], dtype=float)
    assert sharpe_ratio(equity[1:] / equity[:-1] - 1) == CLOSE(2.6308315306, abs=1e-9)
    assert sharpe_ratio(equity[1:] / equity[:-1] - 1) == CLOSE(row["annual_252_right"], abs=1e-9)


def test_other_golden_traps(golden: dict[str, Any]) -> None:
    row = golden["sharpe"]["duplicate_last_bar"]
    assert sharpe_ratio(row["right_returns"]) == CLOSE(row["annual_252_right"], abs=1e-9)
    row = golden["sharpe"]["commission_sign"]
    assert sharpe_ratio(np.array(row["gross"]) - row["cost_each"]) == CLOSE(row["annual_252_right"], abs=1e-9)


@pytest.mark.parametrize(("right", "unit_free"), [("sharpe_difference_unit_free", True), ("sharpe_difference", False)])
def test_difference_of_ten_days(golden: dict[str, Any], right: str, unit_free: bool) -> None:
    rows, row = golden["sharpe_difference"]["ten_days"], golden[right]["ten_days"]
    difference = sharpe_difference(rows["a"], rows["b"], unit_free=unit_free)
    assert difference.delta == CLOSE(row["delta"], abs=1e-9)
    assert difference.standard_error == CLOSE(row["se_hac"], abs=1e-9)
    assert difference.bandwidth == CLOSE(row["bandwidth"], abs=1e-9)
    assert difference.p_one_sided == CLOSE(0.5 * math.erfc(row["delta"] / row["se_hac"] / math.sqrt(2)), abs=1e-9)


@pytest.mark.parametrize(("right", "unit_free"), [("sharpe_difference_unit_free", True), ("sharpe_difference", False)])
@pytest.mark.parametrize(("name", "last"), [("sp500_vs_nasdaq_full", None), ("sp500_vs_nasdaq_last_252", 252)])
def test_difference_of_two_real_indices(
    golden: dict[str, Any], name: str, last: int | None, right: str, unit_free: bool
) -> None:
    row = golden[right][name]
    spx, ndx = (each.load()["Adj Close"].pct_change().dropna().to_numpy() for each in (sp500, nasdaq))
    spx, ndx = (spx, ndx) if last is None else (spx[-last:], ndx[-last:])
    difference = sharpe_difference(spx, ndx, unit_free=unit_free)
    assert difference.delta == CLOSE(row["delta"], abs=1e-9)
    assert difference.standard_error == CLOSE(row["se_hac"], abs=1e-9)
    assert difference.bandwidth == CLOSE(row["bandwidth"], abs=1e-9)
    # S&P is behind, so the one-sided p of "no better" is the far side of the two-sided one.
    two_sided = math.erfc(-row["delta"] / row["se_hac"] / math.sqrt(2))
    assert 2 * (1 - difference.p_one_sided) == CLOSE(row.get("p_two_sided", two_sided), abs=1e-9)


@given(RETURNS, st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_the_error_does_not_depend_on_the_units(returns: np.ndarray, seed: int, one: float, other: float) -> None:
    """In percent, in fractions, or one book ten times the size of the other."""
    beside = np.random.default_rng(seed).normal(0, 0.01, len(returns))
    assume(sharpe_ratio(returns) is not None)
    assume(np.ptp(returns) > 1e-6)  # closer, what differs is rounding
    plain, scaled = sharpe_difference(returns, beside), sharpe_difference(returns * one, beside * other)
    assert scaled.bandwidth == CLOSE(plain.bandwidth, rel=1e-6, abs=1e-6)
    assert scaled.standard_error == CLOSE(plain.standard_error, rel=1e-6)


def test_annual_sharpe_of_two_real_indices(golden: dict[str, Any]) -> None:
    row = golden["sharpe_difference"]["sp500_vs_nasdaq_full"]
    found = [sharpe_ratio(each.load()["Adj Close"].pct_change().dropna()) for each in (sp500, nasdaq)]
    assert found == CLOSE(row["annual_252"], abs=1e-9)


@given(RETURNS, st.floats(0.1, 3))
@settings(max_examples=50, deadline=None)
def test_a_multiple_has_the_same_sharpe_and_no_error(returns: np.ndarray, factor: float) -> None:
    """Case 50: the variance of the difference rounds below zero; it is zero, not NaN, and p is undefined."""
    assume(sharpe_ratio(returns) is not None)
    difference = sharpe_difference(returns * factor, returns)
    assert difference.delta == CLOSE(0, abs=1e-9)
    assert difference.standard_error == 0
    assert difference.p_one_sided is None


@pytest.mark.parametrize("seed", range(40))
def test_a_multiple_of_ordinary_returns_has_no_error(seed: int) -> None:
    """Case 50: "1.5 times the other's", for many an ordinary year."""
    returns = np.random.default_rng(seed).normal(0.0005, 0.01, 250)
    assert sharpe_difference(1.5 * returns, returns).standard_error == 0


def test_a_small_real_difference_keeps_its_error() -> None:
    """The zero above is for rounding only: one idea of a year decided differently has an error."""
    returns = np.random.default_rng(0).normal(0.0005, 0.01, 250)
    other = returns.copy()
    other[100] += 1e-9
    difference = sharpe_difference(other, returns)
    assert difference.standard_error is not None
    assert 0 < difference.standard_error < 1e-7


@given(RETURNS, st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_swapping_the_two_turns_the_sign(returns: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).normal(0, 0.01, len(returns))
    assume(sharpe_ratio(returns) is not None)
    there, back = sharpe_difference(returns, other), sharpe_difference(other, returns)
    assert there.delta == -back.delta
    assert there.standard_error == CLOSE(back.standard_error, rel=1e-9)
    if there.p_one_sided is not None:
        assert there.p_one_sided + back.p_one_sided == CLOSE(1, abs=1e-12)


@given(RETURNS, st.floats(1e-250, 1e250))
@settings(max_examples=50, deadline=None)
def test_the_unit_of_returns_does_not_matter(returns: np.ndarray, unit: float) -> None:
    assume(sharpe_ratio(returns) is not None)
    assume(np.abs(returns[returns != 0]).min() * unit > 1e-290)  # below, numbers have fewer digits
    assert sharpe_ratio(returns * unit) == CLOSE(sharpe_ratio(returns), rel=1e-6, abs=1e-9)


def test_difference_of_tiny_and_huge_returns_is_finite() -> None:
    returns = np.random.default_rng(0).normal(0, 1, (2, 100))
    plain = sharpe_difference(*returns)
    for unit in (1e-100, 1e100):
        assert sharpe_difference(returns[0] * unit, returns[1]).delta == CLOSE(plain.delta, abs=1e-9)
        assert sharpe_difference(*(returns * unit)).standard_error > 0


def test_difference_needs_five_days() -> None:
    a, b = np.array([0.01, -0.02, 0.015, 0.003, 0.01]), np.array([0.008, -0.018, 0.011, 0.004, -0.009])
    assert sharpe_difference(a[:4], b[:4]).standard_error is None
    assert sharpe_difference(a[:4], b[:4]).delta is not None
    assert sharpe_difference(a, b).standard_error > 0


def test_error_shrinks_as_in_the_independent_case() -> None:
    """For independent normal returns with Sharpe 0 the error is sqrt(2 / T): 0.02 for 5,000 days."""
    a, b = np.random.default_rng(3).normal(0, 0.01, (2, 5000))
    assert sharpe_difference(a, b).standard_error == CLOSE(math.sqrt(2 / 5000), rel=0.05)


def test_drawdown_by_hand() -> None:
    assert max_drawdown([0.1, -0.2, 0.05, -0.1, 0.3]) == CLOSE(0.25, abs=1e-12)
    assert max_drawdown([-0.05, 0.1]) == CLOSE(0.05, abs=1e-12)  # the start is a peak
    assert max_drawdown([0.1, 0.2]) == 0
    assert max_drawdown([]) == 0


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: sharpe_ratio([[0.1, 0.2]]), r"\(1, 2\)"),
        (lambda: sharpe_ratio(["a"]), "numbers"),
        (lambda: sharpe_ratio([0.1, 0.2], 0), "periods_per_year=0"),
        (lambda: excess_returns([0.1, 0.2], [1, 1], -1, 252), "risk_free=-1"),
        (lambda: excess_returns([0.1, 0.2], [1], 0.01, 252), "2 returns against exposure in 1 periods"),
        (lambda: sharpe_difference([0.1] * 6, [0.1] * 7), "6 returns against 7"),
    ],
)
def test_bad_input_is_named(call: Any, names: str) -> None:
    with pytest.raises(DataError, match=names):
        call()
