"""Traders' ratios beside those of empyrical-reloaded, and the standard error of one Sharpe beside its formula."""

import json
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.judgement.statistics.sharpe import sharpe_error, sharpe_ratio
from gatekeeper.judgement.statistics.trading import calmar_ratio, expected_shortfall, sortino_ratio

PEERS: dict[str, Any] = json.loads(Path(__file__).with_name("traders.json").read_text())
"""Returns, and the figures that empyrical-reloaded 0.7.1 gives for them (bench/judging/trader_figures.py)."""


@pytest.fixture(params=PEERS["rows"])
def row(request: pytest.FixtureRequest) -> dict[str, Any]:
    return PEERS["rows"][request.param]


def test_sharpe_sortino_and_expected_shortfall_are_those_of_empyrical(row: dict[str, Any]) -> None:
    daily = np.array(row["daily"])
    assert isclose(sharpe_ratio(daily, 252) or 0.0, row["sharpe"], rel_tol=1e-12)
    assert isclose(sortino_ratio(daily, 252) or 0.0, row["sortino"], rel_tol=1e-12)
    assert isclose(expected_shortfall(daily) or 0.0, row["expected_shortfall"], rel_tol=1e-12)


def test_calmar_is_of_a_fixed_capital_and_empyrical_compounds(row: dict[str, Any]) -> None:
    """The same only where compounding makes no difference: for returns a ten-thousandth as large."""
    daily = np.array(row["daily"])
    assert not isclose(calmar_ratio(daily, 252) or 0.0, row["calmar"], rel_tol=1e-4)
    assert isclose(calmar_ratio(daily / 10_000, 252) or 0.0, row["calmar_of_small"], rel_tol=2e-3)


def test_by_hand() -> None:
    daily = np.array([0.02, -0.01, 0.0, -0.02, 0.03])
    assert isclose(sortino_ratio(daily, 252) or 0.0, 0.004 / (0.0005 / 5) ** 0.5 * 252**0.5)
    assert isclose(calmar_ratio(daily, 252) or 0.0, 0.004 * 252 / 0.03)
    assert expected_shortfall(daily) == -0.02
    assert expected_shortfall(np.arange(101) / 1000) == pytest.approx(0.0025)  # the six smallest, 0 to .005


def test_undefined_is_none_and_never_infinite() -> None:
    rising, none = np.array([0.01, 0.02]), np.zeros(0)
    assert sortino_ratio(rising, 252) is None and calmar_ratio(rising, 252) is None
    assert sortino_ratio(none, 252) is None and calmar_ratio(none, 252) is None and expected_shortfall(none) is None
    assert sharpe_error(np.full(9, 0.001)) is None
    assert sharpe_error(np.array([0.01, -0.02, 0.015, 0.003])) is None


def test_the_error_of_independent_normal_returns_is_that_of_lo() -> None:
    """Lo (2002): sqrt((1 + S^2 / 2) / T), for independent normal returns; 20,000 of them."""
    daily = np.random.default_rng(3).normal(0.001, 0.01, 20_000)
    sharpe = sharpe_ratio(daily, 1) or 0.0
    assert isclose(sharpe_error(daily) or 0.0, ((1 + sharpe**2 / 2) / 20_000) ** 0.5, rel_tol=0.03)


def test_the_error_of_autocorrelated_returns_is_larger() -> None:
    """AR(1) of .5 with a Sharpe near 0: the mean's variance is (1 + .5) / (1 - .5) = 3 times as large."""
    random = np.random.default_rng(4).normal(0, 0.01, 40_000)
    daily = np.empty(40_000)
    daily[0] = random[0]
    for day in range(1, len(daily)):
        daily[day] = 0.5 * daily[day - 1] + random[day]
    assert isclose((sharpe_error(daily) or 0.0) * 200, 3**0.5, rel_tol=0.08)


def test_the_error_has_no_unit() -> None:
    daily = np.array(PEERS["rows"]["sparse"]["daily"])
    assert isclose(sharpe_error(daily) or 0.0, sharpe_error(100 * daily) or 1.0, rel_tol=1e-12)
