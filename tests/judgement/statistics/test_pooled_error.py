"""Pooled error: right values of an independent calculation, and what must hold whatever the numbers."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gatekeeper.documents.evidence import Evidence
from gatekeeper.judgement.statistics.capital_gain import capital_gain
from gatekeeper.judgement.statistics.pooled_error import (
    Precision,
    Slopes,
    correlation_in_week,
    differing_ideas,
    pooled_history,
    precision,
    sharpe_slopes,
    variance_of_one,
    week_of,
)
from gatekeeper.judgement.statistics.student_t import critical_value, upper_tail

RIGHT = json.loads((Path(__file__).parents[2] / "golden-judgement-2.json").read_text())


def of_sharpe(case: dict[str, Any], scale: float = 1.0) -> Precision:
    a, b = (np.array(case[side]) * scale for side in "ab")
    evidence = Evidence(
        differing_ideas(case["weeks_a"], case["weeks_b"], 0.0),
        pooled_history(np.array(case["pool"]) * scale, case["pool_weeks"]),
    )
    sides = sharpe_slopes(a), sharpe_slopes(b)
    return precision(case["se_hac"], evidence, sides, days_squared=len(a) * (len(a) - 4), most_dof=len(a) - 5)


@pytest.mark.parametrize("name", ["floor", "floor_clustered"])
def test_the_floored_error_is_that_of_the_independent_calculation(name: str) -> None:
    case = RIGHT["floor"] | RIGHT[name]
    found = of_sharpe(case)
    assert found.pooled == pytest.approx(case["se_pooled"], abs=1e-9)
    assert found.standard_error == pytest.approx(case["se"], abs=1e-9)
    assert found.dof == case["dof"]
    assert found.critical(1.55) == pytest.approx(case["critical_at_z_1_55"], abs=1e-9)


def test_the_correlation_within_a_week_is_that_of_the_independent_calculation() -> None:
    case = RIGHT["floor_clustered"]
    history = pooled_history(case["pool"], case["pool_weeks"])
    assert correlation_in_week(history, sharpe_slopes(np.array(RIGHT["floor"]["a"]))) == pytest.approx(case["icc"])


def test_the_gain_in_capital_is_that_of_the_independent_calculation() -> None:
    case, year = RIGHT["saves"], math.sqrt(252)
    a, b = np.array(case["a"]), np.array(case["b"])
    history = pooled_history(RIGHT["floor"]["pool"], RIGHT["floor"]["pool_weeks"])
    gain = capital_gain(a, b)
    found = gain.precision(Evidence(differing_ideas(case["weeks_a"], case["weeks_b"], b.sum()), history))
    assert gain.value * year == pytest.approx(case["gain"], abs=1e-9)
    assert found.standard_error * year == pytest.approx(case["error"], abs=1e-9)
    assert found.pooled * year == pytest.approx(case["se_pooled"], abs=1e-9)
    assert found.dof == case["dof"]
    bound = (gain.value - found.critical(1.55) * found.standard_error) * year
    assert bound == pytest.approx(case["bound"], abs=1e-9)


def test_the_error_is_that_of_any_size_of_the_same_trades() -> None:
    case = RIGHT["floor"]
    for scale in (1e-6, 0.05, 100.0):
        assert of_sharpe(case, scale).standard_error == pytest.approx(of_sharpe(case).standard_error, rel=1e-12)


def test_variance_and_correlation_are_those_of_the_ideas_one_by_one() -> None:
    rng = np.random.default_rng(5)
    weeks = rng.integers(0, 20, 90)
    made = rng.normal(0, 0.01, 90) + rng.normal(0, 0.01, 20)[weeks]
    history, slopes = pooled_history(made, weeks), Slopes(80.0, -900.0)
    added = 80.0 * made - 900.0 * made**2
    deviations = added - added.mean()
    sizes = np.bincount(weeks)
    size = (sizes**2).sum() / 90
    sums = np.bincount(weeks, weights=deviations)
    inflation = (sums @ sums) / (deviations @ deviations)
    icc = (inflation - 1) / (size - 1)
    assert 0 < icc < 1
    assert correlation_in_week(history, slopes) == pytest.approx(icc)
    right = added.var(ddof=1) * (1 + icc * (2.5 - 1))
    assert variance_of_one(history, slopes, 2.5) == pytest.approx(right)


def test_fewer_than_thirty_ideas_are_no_pool_and_then_the_weeks_alone_count() -> None:
    assert pooled_history(np.arange(29) / 1e3, np.arange(29)) is None
    assert pooled_history(np.arange(30) / 1e3, np.arange(30)) is not None
    evidence = Evidence(differing_ideas([1, 2, 2], [3], 0.0), None)
    found = precision(0.1, evidence, (Slopes(1.0), Slopes(1.0)), days_squared=100.0, most_dof=5)
    assert found == Precision(0.1, 2, None)
    assert (
        precision(
            0.1, Evidence(differing_ideas([1], [], 0.0), None), (Slopes(1.0), Slopes(1.0)), days_squared=1.0, most_dof=5
        ).dof
        == 1
    )


def test_the_pool_never_makes_an_error_smaller() -> None:
    calm = pooled_history(np.full(40, 0.001), np.arange(40))
    evidence = Evidence(differing_ideas(np.arange(9), [], 0.0), calm)
    sides = Slopes(100.0), Slopes(100.0)
    assert precision(0.1, evidence, sides, days_squared=1e4, most_dof=95).standard_error == pytest.approx(0.1)


def test_weeks_run_from_monday_to_sunday() -> None:
    days = np.array(["1969-12-28", "1969-12-29", "1970-01-01", "1970-01-04", "1970-01-05"], dtype="datetime64[D]")
    assert week_of(days).tolist() == [-1, 0, 0, 0, 1]


def test_neither_stream_moves_so_there_is_no_gain_in_capital() -> None:
    assert capital_gain(np.zeros(9), np.zeros(9)) is None
    assert capital_gain(np.zeros(9), np.linspace(-1, 1, 9) / 1e3).value == pytest.approx(0.0)


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 7, 30, 59, 60, 255])
def test_the_t_distribution_is_scipys(dof: int) -> None:
    for t in (-3.0, -0.5, 0.0, 0.7, 2.5, 30.0):
        assert upper_tail(t, dof) == pytest.approx(stats.t.sf(t, dof), abs=1e-14)
    for z in (-1.0, 0.0, 0.86, 1.55, 2.11, 2.95):
        assert critical_value(z, dof) == pytest.approx(stats.t.isf(stats.norm.sf(z), dof), rel=1e-9, abs=1e-12)
