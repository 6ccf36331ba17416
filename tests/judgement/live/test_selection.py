"""Selection: shrinkage by hand, the conditional law by simulation-free integrals, and luck by its formula."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from gatekeeper.judgement.live.selection import luck, shrunk, surprise


def test_a_gain_is_shrunk_as_the_sceptical_prior_has_it() -> None:
    """5 % of N(0, t²) lie over 0.5 where t = 0.304; the posterior by integrating prior times likelihood."""
    mean, spread = shrunk(1.2, 0.6, 0.5)
    prior = stats.norm(0, 0.5 / stats.norm.isf(0.05))
    assert prior.sf(0.5) == pytest.approx(0.05)

    def moment(power: int) -> float:
        density = lambda gain: gain**power * prior.pdf(gain) * stats.norm.pdf(1.2, gain, 0.6)  # noqa: E731
        return float(integrate.quad(density, -4, 4, epsabs=1e-13)[0])

    expected = moment(1) / moment(0)
    assert mean == pytest.approx(expected, rel=1e-8)
    assert spread == pytest.approx(math.sqrt(moment(2) / moment(0) - expected**2), rel=1e-7)


def test_without_a_selection_a_surprise_is_the_difference_in_standard_errors() -> None:
    """3-4-5: both errors together make 0.5, and 0.6 less than measured is 1.2 of them."""
    assert surprise(0.8, 0.3, 0.2, 0.4, None) == pytest.approx(-1.2)
    assert surprise(0.8, 0.3, 0.2, 0.4, 0.9) == pytest.approx(-1.2)  # it didn't pass, so it wasn't selected
    assert surprise(0.8, 0.3, 0.2, 0.4, -50.0) == pytest.approx(-1.2)  # all pass
    assert surprise(0.8, 0.0, 0.2, 0.0, None) is None


@pytest.mark.parametrize("realised", [-2.0, 0.0, 0.7, 3.0])
@pytest.mark.parametrize("truth", [-0.5, 0.0, 1.0])
def test_with_one_it_is_the_conditional_law_whatever_the_true_gain(realised: float, truth: float) -> None:
    """P(as large a measured gain | the weighted mean of both, a gain over 1), integrated over the joint density."""
    gain, error, after, least = 1.3, 0.6, 0.8, 1.0
    weights = np.array([1 / error**2, 1 / after**2])
    mean = float(weights @ [gain, realised] / weights.sum())

    def joint(measured: float) -> float:
        other = (mean * weights.sum() - weights[0] * measured) / weights[1]
        return float(stats.norm.pdf(measured, truth, error) * stats.norm.pdf(other, truth, after))

    wide = mean + 12 * error
    above, all_of_it = (integrate.quad(joint, low, max(low + 6, wide), limit=200, epsabs=0)[0] for low in (gain, least))
    found = surprise(gain, error, realised, after, least)
    assert found == pytest.approx(stats.norm.ppf(above / all_of_it), abs=1e-6)


def test_far_in_the_tail_it_stays_finite() -> None:
    for realised in (-60.0, 60.0):
        found = surprise(1.01, 0.2, realised, 0.2, 1.0)
        assert found is not None
        assert math.isfinite(found)
        assert (found < 0) == (realised < 0)


def test_luck_is_the_expected_maximum_of_what_isnt_alike() -> None:
    """Of ten standard normals it is 1.5388 (tables); Bailey & López de Prado's approximation says 1.5746."""
    assert luck(10, 0.0, 100) == pytest.approx(0.15746, abs=1e-5)
    assert luck(10, 0.75, 100) == pytest.approx(0.15746 / 2, abs=1e-5)
    assert luck(10, -0.3, 100) == luck(10, 0.0, 100)
    assert (luck(1, 0.0, 100), luck(0, 0.0, 100), luck(10, 1.0, 100)) == (0.0, 0.0, 0.0)
