"""Bootstrap of a Sharpe gain: against a plain loop, and against the golden normal p if there are many days."""

import math
from typing import Any

import numpy as np
import pytest
from arch.data import nasdaq, sp500

from gatekeeper.errors import DataError
from gatekeeper.judgement.statistics.resampling import block_length, confirm


def plain(a: np.ndarray, b: np.ndarray, block: int, draws: int, seed: int) -> float:
    """Ledoit & Wolf (2008), sec. 3.2, one draw after the other, on the days themselves."""
    rng = np.random.default_rng(seed)
    periods, count = len(a), len(a) // block

    def gap(x: np.ndarray, y: np.ndarray) -> float:
        return float(x.mean() / x.std(ddof=1) - y.mean() / y.std(ddof=1))

    def error(x: np.ndarray, y: np.ndarray) -> float:
        gamma = [np.mean(x**2), np.mean(y**2)]
        values = np.column_stack((x - x.mean(), y - y.mean(), x**2 - gamma[0], y**2 - gamma[1]))
        slope = np.array(
            [
                gamma[0] / x.var() ** 1.5,
                -gamma[1] / y.var() ** 1.5,
                -0.5 * x.mean() / x.var() ** 1.5,
                0.5 * y.mean() / y.var() ** 1.5,
            ]
        )
        zeta = values.reshape(count, block, 4).sum(axis=1) / math.sqrt(block)
        return math.sqrt(slope @ (zeta.T @ zeta / count) @ slope / len(x))

    from gatekeeper.judgement import sharpe_difference  # its own golden tests hold it

    seen = sharpe_difference(a, b)
    large = 0
    starts = rng.integers(periods, size=(draws, count))
    for draw in range(draws):
        days = (starts[draw][:, None] + np.arange(block)).ravel() % periods
        x, y = a[days], b[days]
        large += (gap(x, y) - seen.delta) / error(x, y) >= seen.delta / seen.standard_error
    return (1 + large) / (1 + draws)


@pytest.mark.parametrize("block", [1, 4, 7])
def test_it_is_what_a_plain_loop_finds(block: int) -> None:
    rng = np.random.default_rng(5)
    a = rng.standard_t(5, 100) * 0.01 + 0.001
    b = 0.6 * a + rng.standard_t(5, 100) * 0.008
    found = confirm(a, b, block=block, draws=300, seed=11)
    assert found is not None
    assert (found.block, found.draws) == (block, 300)
    assert found.p_one_sided == pytest.approx(plain(a, b, block, 300, 11), abs=1e-12)


def test_on_many_days_it_agrees_with_the_golden_normal_p(golden: dict[str, Any]) -> None:
    row = golden["sharpe_difference"]["sp500_vs_nasdaq_full"]
    a, b = (bars.load()["Adj Close"].pct_change().dropna().to_numpy() for bars in (sp500, nasdaq))
    found = confirm(a, b)
    assert found is not None
    assert found.p_one_sided == pytest.approx(1 - row["p_two_sided"] / 2, abs=0.02)
    assert confirm(a, b) == found


def test_its_p_is_uniform_where_nothing_is_there() -> None:
    """Of equal streams a twentieth is under 0.05, but for the chance of 200 tries."""
    rng = np.random.default_rng(1)
    small = 0
    for _ in range(200):
        common = rng.normal(0, 0.008, 250)
        a, b = (common + rng.normal(0, 0.006, 250) for _ in range(2))
        found = confirm(a, b, block=3, draws=200)
        assert found is not None
        small += found.p_one_sided <= 0.05
    assert 1 <= small <= 22  # 10 expected, sd 3.1


def test_the_block_is_as_long_as_the_days_hang_together() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.01, 3000)
    trending = noise.copy()
    for day in range(1, len(trending)):
        trending[day] = 0.9 * trending[day - 1] + noise[day]
    assert block_length(noise, noise) < 10
    assert 20 < block_length(trending, noise) < 200
    assert block_length([0.01] * 5, [0.02] * 5) == 1


def test_undefined_stays_undefined() -> None:
    assert confirm([0.01] * 50, list(np.linspace(-0.01, 0.01, 50))) is None
    same = list(np.linspace(-0.01, 0.02, 50))
    assert confirm(same, same) is None
    with pytest.raises(DataError, match="block=26 of 50"):
        confirm(same, [-x for x in same], block=26)


def test_tiny_returns_are_no_other_than_large_ones() -> None:
    """But for the bandwidth of the gain's own error, which by its paper minds the unit."""
    rng = np.random.default_rng(9)
    a, b = rng.normal(0.1, 1, 80), rng.normal(0, 1, 80)
    tiny, large = confirm(a * 1e-60, b * 1e-60, block=2), confirm(a, b, block=2)
    assert tiny is not None and large is not None
    assert tiny.p_one_sided == pytest.approx(large.p_one_sided, abs=0.01)
