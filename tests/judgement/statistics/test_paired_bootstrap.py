"""Paired stationary bootstrap, next to its closed form, `arch`, and the normal distribution."""

import math

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy import stats

from gatekeeper.judgement.statistics.paired_bootstrap import (
    block_length,
    critical_value,
    resample,
    standard_error,
)
from gatekeeper.judgement.statistics.sharpe import max_drawdown, sharpe_ratio

DAYS, YEAR = 300, 252
MONTE_CARLO = 0.06
"""Four standard errors of a standard deviation of 2,000 draws: 4 / sqrt(4,000)."""


def streams() -> np.ndarray:
    """Three streams with a common part and some autocorrelation."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0.0005, 0.01, (DAYS, 4))
    noise[1:] += 0.4 * noise[:-1]
    return noise[:, :3] + noise[:, 3:]


def closed_form(row: np.ndarray, block: int) -> float:
    """Politis & Romano (1994), Lemma 1: the variance of the drawn mean times T, without any draw."""
    days, p = len(row), 1 / block
    deviations = row - row.mean()
    covariances = [deviations[: days - lag] @ deviations[lag:] / days for lag in range(days)]
    weights = [(1 - lag / days) * (1 - p) ** lag + lag / days * (1 - p) ** (days - lag) for lag in range(1, days)]
    return float(covariances[0] + 2 * np.dot(weights, covariances[1:]))


@pytest.mark.parametrize("block", [1, 5, 20])
def test_the_error_of_a_total_is_the_closed_form(block: int) -> None:
    daily = streams()
    found = resample(daily, daily, periods_per_year=YEAR, block=block, draws=2_000)
    for column in range(3):
        right = math.sqrt(DAYS * closed_form(daily[:, column], block))
        assert standard_error(found.total[:, column]) == pytest.approx(right, rel=MONTE_CARLO)
    paired = standard_error(found.total[:, 0] - found.total[:, 1])
    assert paired == pytest.approx(math.sqrt(DAYS * closed_form(daily[:, 0] - daily[:, 1], block)), rel=MONTE_CARLO)


def test_the_errors_are_those_of_arch() -> None:
    daily = streams()
    excess = daily - 0.0001
    found = resample(daily, excess, periods_per_year=YEAR, draws=2_000)

    def figures(rows: np.ndarray) -> np.ndarray:
        less = rows - 0.0001
        sharpe = less.mean(axis=0) / less.std(axis=0, ddof=1) * math.sqrt(YEAR)
        equity = np.vstack((np.zeros((1, 3)), np.cumsum(rows, axis=0)))
        drawdown = (np.maximum.accumulate(equity) - equity).max(axis=0)
        return np.concatenate((sharpe, drawdown, [sharpe[0] - sharpe[1]]))

    right = StationaryBootstrap(block_length(DAYS), daily, seed=np.random.default_rng(1)).apply(figures, 2_000).std(0)
    ours = np.column_stack((found.sharpe, found.drawdown, found.sharpe[:, 0] - found.sharpe[:, 1]))
    both = math.sqrt(2) * MONTE_CARLO
    assert [standard_error(column) for column in ours.T] == pytest.approx(right.tolist(), rel=both)


def test_a_draw_of_one_block_is_a_rotation_of_the_days() -> None:
    """With blocks far longer than the days each draw begins anywhere and goes around the end."""
    daily = streams()[:, :1]
    found = resample(daily, daily, periods_per_year=YEAR, block=10**9, draws=200)
    rotated = [max_drawdown(np.roll(daily[:, 0], by)) for by in range(DAYS)]
    assert found.total == pytest.approx(np.full((200, 1), daily.sum()), abs=1e-12)
    assert found.sharpe == pytest.approx(np.full((200, 1), sharpe_ratio(daily[:, 0], YEAR)), abs=1e-9)
    assert all(np.isclose(each, rotated, atol=1e-12).any() for each in found.drawdown[:, 0])
    assert len(np.unique(found.drawdown.round(9))) > 1


def test_all_streams_have_the_same_days_however_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    daily = streams()
    twice = daily[:, [0, 0]]
    found = resample(twice, twice, periods_per_year=YEAR, draws=50)
    assert np.array_equal(found.total[:, 0], found.total[:, 1])
    assert np.array_equal(found.sharpe[:, 0], found.sharpe[:, 1])
    assert standard_error(found.total[:, 0] - found.total[:, 1]) == 0.0
    monkeypatch.setattr("gatekeeper.judgement.statistics.paired_bootstrap._AT_ONCE", 7 * DAYS)
    pieces = resample(twice, twice, periods_per_year=YEAR, draws=50)
    assert pieces.total.shape == (50, 2)
    assert len(np.unique(pieces.total[:, 0].round(12))) == 50


def test_a_stream_without_returns_has_an_error_of_0_and_no_sharpe() -> None:
    daily = np.column_stack((np.zeros(DAYS), streams()[:, 0]))
    found = resample(daily, daily, periods_per_year=YEAR, draws=100)
    assert np.isnan(found.sharpe[:, 0]).all()
    assert standard_error(found.sharpe[:, 0]) is None
    assert standard_error(found.total[:, 0]) == standard_error(found.drawdown[:, 0]) == 0.0


def test_too_many_draws_without_a_figure_leave_no_error() -> None:
    """One trade in the whole time: a third of the draws miss it."""
    daily = np.zeros((DAYS, 1))
    daily[100] = 0.01
    found = resample(daily, daily, periods_per_year=YEAR, block=1, draws=500)
    assert np.isnan(found.sharpe).mean() == pytest.approx((1 - 1 / DAYS) ** DAYS, abs=0.1)
    assert standard_error(found.sharpe[:, 0]) is None


@pytest.mark.parametrize("count", [1, 10])
def test_the_critical_value_of_independent_normals(count: int) -> None:
    rng = np.random.default_rng(2)
    values, errors = np.linspace(-3, 3, count), np.linspace(0.5, 2, count)
    drawn = values + errors * rng.normal(size=(100_000, count))
    right = stats.norm.ppf((1 + 0.95 ** (1 / count)) / 2)
    assert critical_value(values, errors, drawn) == pytest.approx(right, abs=0.03)


def test_constant_differences_do_not_count() -> None:
    drawn = np.column_stack((np.zeros(1000), np.random.default_rng(3).normal(size=1000)))
    alone = critical_value(np.zeros(1), np.ones(1), drawn[:, 1:])
    assert critical_value(np.zeros(2), np.array([0.0, 1.0]), drawn) == alone
    assert critical_value(np.zeros(1), np.zeros(1), drawn[:, :1]) == 1.96


def test_blocks_are_as_long_as_the_cube_root_of_the_days() -> None:
    assert [block_length(days) for days in (1, 8, 9, 27, 64, 750, 2_520)] == [1, 2, 3, 3, 4, 10, 14]


def test_the_sharpe_ratio_is_that_of_the_excess_returns() -> None:
    daily = streams()
    found = resample(daily, daily[:, [1, 2, 0]], periods_per_year=YEAR, draws=50)
    plain = resample(daily, daily, periods_per_year=YEAR, draws=50)
    assert np.array_equal(found.sharpe, plain.sharpe[:, [1, 2, 0]])
    assert np.array_equal(found.total, plain.total)
