"""Ageing curve: known decay is measured within its error, none is none, and errors are those of paired blocks."""

import math

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap

from gatekeeper.errors import TrainingRefused
from gatekeeper.rehearsal.ageing import EDGES, MeasuredAges, block_of, by_age, counts, curve, measure, oldest_age

AGES, DAYS, YEAR = 53, 756, 252
ABOUT = ("2015-01-05", "2017-12-29", 700)


def world(rng: np.random.Generator, decay: float) -> np.ndarray:
    """(AGES, DAYS) returns with a true Sharpe of 1, less by `decay` for each year of age.

    Any two ages share most of their return, and neighbouring ages almost all of it.
    """
    own = rng.standard_normal((AGES, DAYS))
    for age in range(1, AGES):
        own[age] = 0.95 * own[age - 1] + math.sqrt(1 - 0.95**2) * own[age]
    drift = (1.0 - decay * np.arange(AGES) * 7 / 365.25) / math.sqrt(YEAR)
    noise = math.sqrt(0.9) * rng.standard_normal(DAYS) + math.sqrt(0.1) * own
    return 0.01 * (noise + drift[:, None])


@pytest.mark.parametrize("decay", [0.0, 0.6])
def test_a_known_decay_is_measured_within_its_error(decay: float) -> None:
    """40 worlds: an interval of 1.96 errors holds the truth in about 38, and the mean of all is the truth."""
    rng = np.random.default_rng(7)
    slopes, oldest = [], []
    for _ in range(40):
        found = measure(world(rng, decay), YEAR, block=block_of(DAYS, YEAR), power=0.8, draws=200)
        made = curve(found, (90, 180, 365), ABOUT, None)
        slopes.append((made.slope.value + decay, made.slope.error))
        oldest.append((made.bins[3].difference.value + decay * 45 * 7 / 365.25, made.bins[3].difference.error))
    for missed, errors in (np.array(slopes).T, np.array(oldest).T):
        assert np.count_nonzero(np.abs(missed) <= 1.96 * errors) >= 34  # fewer by chance: once in a hundred
        assert abs(missed.mean()) < 3 * missed.std() / math.sqrt(40)
        assert errors.mean() == pytest.approx(missed.std(), rel=0.3)


def test_a_curve_by_hand() -> None:
    """Sharpe 1 - age / 4 in years of age, exactly: every figure is a mean of ages."""
    age = np.arange(104)
    seen = 1 - age * 7 / 365.25 / 4
    made = curve(MeasuredAges(seen, np.array([seen, seen + age, seen - age]), 4, 0.8), (90, 180, 365, 730), ABOUT, None)
    assert [(each.since_weeks, each.until_weeks) for each in made.bins] == [
        (0, 13), (13, 26), (26, 39), (39, 52), (52, 104)
    ]  # fmt: skip
    mean_age = [6.5, 19, 32, 45, 77.5]  # of weeks 1 to 12, 13 to 25, and so on
    for each, weeks in zip(made.bins, mean_age, strict=True):
        assert each.difference.value == pytest.approx(-weeks * 7 / 365.25 / 4)
        # Draws of -weeks, 0 and +weeks about it deviate by `weeks`; four blocks make 4 / 3 of the variance.
        assert each.difference.error == pytest.approx(weeks * math.sqrt(4 / 3))
        assert each.difference.detectable == pytest.approx((1.959964 + 0.841621) * weeks * math.sqrt(4 / 3), rel=1e-6)
        assert not each.difference.separable
    # The newest model that is no younger: 13, 26 and 53 weeks; 730 days are older than any here.
    assert [each.holdout_days for each in made.holdouts] == [90, 180, 365]
    assert [each.difference.value for each in made.holdouts] == [
        pytest.approx(-weeks * 7 / 365.25 / 4) for weeks in (13, 26, 53)
    ]
    assert made.slope.value == pytest.approx(-0.25)
    assert made.slope.error == pytest.approx(365.25 / 7 * math.sqrt(4 / 3))
    assert (made.newest, made.newest_error) == (1.0, 0.0)


def test_one_training_less_another_is_paired() -> None:
    """The same draws of days: a training that is better by 0.2 in each has no error at all."""
    seen = np.linspace(1, 0.5, 53)
    drawn = np.random.default_rng(0).normal(seen, 0.3, (50, 53))
    first, second = MeasuredAges(seen, drawn, 8, 0.8), MeasuredAges(seen + 0.2, drawn + 0.2, 8, 0.8)
    made = curve(second, (), ABOUT, first)
    assert made.over_first.value == pytest.approx(0.2)
    assert made.over_first.error == pytest.approx(0, abs=1e-12)
    assert made.newest_error > 0.2


def test_the_error_is_that_of_archs_circular_blocks() -> None:
    """Of the difference of two Sharpe ratios on the same days."""
    returns = world(np.random.default_rng(3), 0.5)[[0, 52]]

    def gap(a: np.ndarray, b: np.ndarray) -> float:
        return float((b.mean() / b.std(ddof=1) - a.mean() / a.std(ddof=1)) * math.sqrt(YEAR))

    draws = CircularBlockBootstrap(21, *returns, seed=5).apply(gap, 2000)
    found = measure(returns, YEAR, block=21, power=0.8).difference(np.array([-1.0, 1.0]))
    assert found.value == pytest.approx(gap(*returns))
    assert found.error == pytest.approx(draws.std() * math.sqrt(36 / 35), rel=0.05)


def test_each_draw_takes_whole_blocks() -> None:
    """Seven blocks of three days out of 20: 20 days in all, and each block around the end."""
    drawn = np.concatenate(list(counts(20, 3, 450)))
    assert drawn.shape == (450, 20)
    assert (drawn.sum(axis=1) == 20).all()
    assert (np.concatenate(list(counts(20, 20, 10))) == 1).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(20), abs=0.2)


def test_without_trades_an_age_is_undefined_and_the_others_stand() -> None:
    returns = world(np.random.default_rng(4), 0.0)
    returns[20] = 0.0
    made = curve(measure(returns, YEAR, block=63, power=0.8, draws=50), (90,), ABOUT, None)
    assert made.bins[0].difference.value is not None
    assert (made.bins[1].difference.value, made.bins[1].difference.error, made.slope.value) == (None, None, None)


def test_each_idea_is_decided_by_the_model_of_its_age() -> None:
    """Of weeks 0 to 3 all have a model but week 2, which has that of the week before."""
    weeks = np.array([0, 1, 1, 2, 3])
    decide = {
        0: np.array([True, False, True, False, True]),
        1: np.array([True, True, False, True, False]),
        3: np.array([True, True, True, True, True]),
    }
    found = by_age(decide, weeks, 3)
    assert found.tolist() == [
        [True, True, False, True, True],  # week 2 has the model of week 1
        [False, False, True, True, False],  # week 3, one week before: week 2's, so week 1's
        [False, False, False, False, False],  # week 2, two weeks before: week 0's, which vetoes idea 3
    ]


@pytest.mark.parametrize(
    ("weeks", "oldest"), [(64, 13), (76, 13), (77, 26), (90, 39), (103, 52), (154, 52), (155, 104), (520, 104)]
)
def test_a_year_of_weeks_has_every_age(weeks: int, oldest: int) -> None:
    """13 weeks of age need 12 weeks before the first idea, and 52 with ideas."""
    assert oldest_age(0, weeks - 1) == oldest_age(100, 99 + weeks) == oldest
    assert oldest in EDGES


def test_too_few_weeks_are_refused_with_the_numbers() -> None:
    with pytest.raises(TrainingRefused, match=r"63 weeks have a model; an ageing curve needs at least 64, .* earlier"):
        oldest_age(10, 72)


def test_a_block_is_a_quarter_or_an_eighth_of_the_days() -> None:
    assert [block_of(days, 252) for days in (2000, 504, 400, 9, 1)] == [63, 63, 50, 1, 1]
    assert block_of(2000, 365) == 91
