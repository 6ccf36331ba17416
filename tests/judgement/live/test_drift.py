"""Drift: the distance by hand, and a bound that week-long moods of a market don't exceed."""

import numpy as np
from scipy.stats import ks_2samp

from gatekeeper.judgement.live.drift import compare

NAMES = ("steady", "other")


def moody(rng: np.random.Generator, count: int) -> np.ndarray:
    """Ideas of neighbouring times are alike, as those of one market are."""
    noise = rng.normal(0, 1, count + 200)
    for place in range(1, len(noise)):
        noise[place] = 0.9 * noise[place - 1] + 0.44 * noise[place]
    return noise[200:]


def test_the_distance_is_that_of_the_distribution_functions() -> None:
    """A uniform grid against its own upper third: at the lower edge of that, 2/3 of the one and none of the other."""
    grid = np.arange(120)[np.random.default_rng(0).permutation(120)]
    high = np.arange(80, 120)[np.random.default_rng(1).permutation(40)]
    drift = compare(np.c_[high, grid[:40]], np.c_[grid, grid], NAMES, seed=0)
    steady, other = drift.shifts
    assert steady.distance == 2 / 3
    assert (steady.drifted, other.drifted, drift.drifted) == (True, False, ("steady",))
    assert "drifted: steady, in the newest 40 ideas" in drift.text


def test_independent_ideas_get_about_the_bound_of_the_textbook() -> None:
    """Without any memory the bound is near that of Kolmogorov and Smirnov: c(a) sqrt((n + m) / (n m)), two columns."""
    rng = np.random.default_rng(8)
    reference, live = rng.normal(0, 1, (600, 2)), rng.normal(0, 1, (150, 2))
    textbook = np.sqrt(-np.log(0.005 / 2) / 2) * np.sqrt((600 + 150) / (600 * 150))
    for shift in compare(live, reference, NAMES, seed=4).shifts:
        assert 0.85 * textbook < float(shift.bound or 0) < 1.3 * textbook
        assert shift.drifted is False


def test_a_mood_is_no_drift() -> None:
    """Of five quiet worlds the usual test calls most drifted; this one hardly any, and still sees a real shift."""
    usual = ours = seen = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        whole = np.c_[moody(rng, 400), moody(rng, 400)]
        reference, live = whole[:320], whole[320:]
        usual += any(ks_2samp(live[:, place], reference[:, place]).pvalue < 0.005 for place in (0, 1))
        ours += bool(compare(live, reference, NAMES, seed=seed).drifted)
        seen += compare(live + np.array([0, 4]), reference, NAMES, seed=seed).drifted == ("other",)
    assert usual >= 3
    assert ours <= 1
    assert seen >= 4


def test_only_the_newest_ideas_count_and_a_constant_cant_drift() -> None:
    """Long after a shift that was over again, the newest third of the reference's size is what is looked at."""
    rng = np.random.default_rng(2)
    reference = np.c_[rng.uniform(size=120), np.zeros(120)]
    live = np.c_[np.r_[np.full(300, 9.0), rng.uniform(size=40)], np.zeros(340)]
    drift = compare(live, reference, NAMES, seed=0)
    steady, other = drift.shifts
    assert (drift.ideas, steady.drifted) == (40, False)
    assert (other.distance, other.bound, other.drifted) == (None, None, None)
    moved = compare(np.c_[live[:, 0], np.ones(340)], reference, NAMES, seed=0)
    assert moved.drifted == ("other",)  # a constant that became another one has moved


def test_too_few_say_so() -> None:
    for live, reference in ((29, 500), (500, 89), (0, 500), (40, 0)):
        drift = compare(np.ones((live, 2)), np.zeros((reference, 2)), NAMES, seed=0)
        assert (drift.shifts, drift.drifted) == ((), ())
        assert f"too few ideas to measure drift ({live} live ideas against {reference}" in drift.text
