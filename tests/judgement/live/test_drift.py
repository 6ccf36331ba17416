"""Drift: the distance by hand, and a bound that week-long moods of a market don't exceed."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from gatekeeper.judgement.live.drift import autocorrelation_time, compare, distances

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
    for place, shift in enumerate(compare(live, reference, NAMES, seed=4).shifts):
        assert 0.85 * textbook < float(shift.bound or 0) < 1.3 * textbook
        assert shift.drifted is False
        assert shift.distance == pytest.approx(ks_2samp(live[:, place], reference[:, place]).statistic, abs=0.01)
        assert shift.independent == pytest.approx(150, rel=0.25)


def test_all_choices_of_blocks_are_the_exact_law() -> None:
    """Of the 12,870 ways to call 8 of 16 blocks live, enumerated: the share of as large a distance."""
    rng = np.random.default_rng(3)
    live, reference = rng.normal(0.3, 1, 40), rng.normal(0, 1, 40)
    blocks = [*live.reshape(8, 5), *reference.reshape(8, 5)]
    grid = np.sort(np.concatenate([live, reference]))
    below = np.array([[np.mean(block <= value) for value in grid] for block in blocks])
    exact = [
        float(np.max(np.abs(below[list(chosen)].mean(axis=0) - np.delete(below, chosen, axis=0).mean(axis=0))))
        for chosen in combinations(range(16), 8)
    ]
    found = distances(live, reference, seed=1)
    assert found[0] == pytest.approx(ks_2samp(live, reference).statistic)
    drawn, enumerated = (np.round(each, 9) for each in (found[1:], np.array(exact)))
    values = np.unique(enumerated)
    assert set(drawn) <= set(values)
    apart = [abs(np.mean(drawn <= value) - np.mean(enumerated <= value)) for value in values]
    assert max(apart) < 0.044  # Dvoretzky, Kiefer & Wolfowitz: 1 in 2,000 for 2,000 draws


@pytest.mark.parametrize(("memory", "worth"), [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)])
def test_memory_is_what_an_autoregression_of_that_order_has(memory: float, worth: float) -> None:
    """(1 + r) / (1 - r) neighbours are worth one; of a shift between the parts it knows nothing."""
    rng, rows = np.random.default_rng(5), np.empty(40_000)
    rows[0] = rng.normal()
    for place, noise in enumerate(rng.normal(0, (1 - memory**2) ** 0.5, len(rows) - 1), start=1):
        rows[place] = memory * rows[place - 1] + noise
    found = autocorrelation_time(rows[:10_000], rows[10_000:])
    assert found == pytest.approx(worth, rel=0.15)
    assert autocorrelation_time(rows[:10_000] + 100, rows[10_000:]) == pytest.approx(worth, rel=0.15)


def test_a_constant_has_no_memory() -> None:
    assert autocorrelation_time(np.ones(40), np.zeros(120)) == 1.0


def test_a_mood_is_no_drift() -> None:
    """Of five quiet worlds the usual test calls most drifted; this one none, and still sees a shift of all of them."""
    usual = ours = seen = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        whole = np.c_[moody(rng, 2400), moody(rng, 2400)]
        reference, live = whole[:1800], whole[1800:]
        usual += any(ks_2samp(live[:, place], reference[:, place]).pvalue < 0.005 for place in (0, 1))
        ours += bool(compare(live, reference, NAMES, seed=seed).drifted)
        seen += compare(live + np.array([0, 4]), reference, NAMES, seed=seed).drifted == ("other",)
    assert (usual, ours, seen) == (4, 0, 5)


def test_too_few_independent_ideas_say_so_and_never_drift() -> None:
    """80 ideas of a mood are worth four: no test is valid, however far they moved."""
    rng = np.random.default_rng(1)
    whole = np.c_[moody(rng, 320), rng.normal(0, 1, 320)]
    reference, live = whole[:240], whole[240:] + np.array([50, 0])
    drift = compare(live, reference, NAMES, seed=0)
    steady, other = drift.shifts
    assert (steady.bound, steady.drifted, drift.drifted) == (None, None, ())
    assert steady.distance == 1.0
    assert 2 < float(steady.independent or 0) < 12
    assert other.drifted is False
    assert "no drift, in the newest 80 ideas; too few independent ideas for steady (" in drift.text
    alone = compare(live[:, :1], reference[:, :1], NAMES[:1], seed=0)
    assert alone.text.startswith("too few independent ideas to measure drift in the newest 80: steady (")
    assert alone.text.endswith("16 are needed")


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
