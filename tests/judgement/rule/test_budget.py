"""Error budget: z by false promotions and tests a year. Table and interpolations stand here once more, by hand."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gatekeeper.documents.budget import outside, z_of
from gatekeeper.judgement import Policy, policy_of
from gatekeeper.settings import Settings

CELLS = {
    12: {0.25: 1.98, 0.5: 1.50, 1: 1.00, 2: 0.36},
    52: {0.25: 2.50, 0.5: 2.11, 1: 1.55, 2: 0.86},
    250: {0.25: 2.95, 0.5: 2.68, 1: 2.02, 2: 1.26},
}
budgets, tests = st.floats(0.01, 100), st.floats(1, 100_000)


@pytest.mark.parametrize(("a_year", "budget", "z"), [(t, b, z) for t, row in CELLS.items() for b, z in row.items()])
def test_each_cell_is_met_to_the_last_bit(a_year: int, budget: float, z: float) -> None:
    assert z_of(budget, a_year) == z
    assert outside(budget, a_year) == ""


@pytest.mark.parametrize(
    ("budget", "a_year", "z"),
    [
        (math.sqrt(0.5), 52, 1.83),  # halfway from 0.5 to 1 in the logarithm: (2.11 + 1.55) / 2
        (math.sqrt(2), 52, 1.205),  # (1.55 + 0.86) / 2
        (0.75, 52, 1.782421),  # ln 1.5 / ln 2 = 0.584963 of the way from 2.11 to 1.55
        (1, 104, 1.713234),  # (10.198039 - 7.211103) / (15.811388 - 7.211103) = 0.347307 of the way from 1.55 to 2.02
        (0.5, 26, 1.766160),  # (5.099020 - 3.464102) / (7.211103 - 3.464102) = 0.436327 of the way from 1.50 to 2.11
        (0.75, 104, 1.960070),  # 0.347307 of the way from 1.782421 at 52 to 2.680 - 0.584963 x 0.66 = 2.293924 at 250
    ],
)
def test_between_cells_it_is_linear_in_log_budget_and_root_of_tests(budget: float, a_year: float, z: float) -> None:
    assert z_of(budget, a_year) == pytest.approx(z, abs=2e-6)


@pytest.mark.parametrize(
    ("budget", "a_year", "z", "said"),
    [
        (0.1, 52, 2.50, "for 0.1 and 52 the nearest edge holds, and may spend more than the budget."),
        (1, 365, 2.02, "for 1 and 365 the nearest edge holds, and may spend more than the budget."),
        (3, 52, 0.86, "for 3 and 52 the nearest edge holds, and spends less than the budget."),
        (1, 4, 1.00, "for 1 and 4 the nearest edge holds, and spends less than the budget."),
        (3, 8766, 1.26, "for 3 and 8766 the nearest edge holds, and may spend more than the budget."),
    ],
)
def test_outside_the_table_its_nearest_edge_holds_and_says_so(
    budget: float, a_year: float, z: float, said: str
) -> None:
    assert z_of(budget, a_year) == z
    told = outside(budget, a_year)
    assert told.startswith("z is simulated for 0.25 to 2 false promotions and 12 to 250 tests a year")
    assert told.endswith(said)


@given(budget=budgets, more=budgets, a_year=tests, further=tests)
def test_more_budget_needs_no_larger_z_and_more_tests_no_smaller_one(
    budget: float, more: float, a_year: float, further: float
) -> None:
    for low, high in pairwise(sorted((budget, more))):
        assert z_of(low, a_year) >= z_of(high, a_year) - 1e-12
    for few, many in pairwise(sorted((a_year, further))):
        assert z_of(budget, few) <= z_of(budget, many) + 1e-12


def test_by_policy_the_budget_is_a_half_or_one() -> None:
    """`GATEKEEPER_FALSE_PROMOTIONS_A_YEAR` is empty: `safe` 0.5, `proven` 1; set, it is that of both."""
    default = policy_of(Settings(), 252)
    assert (default.name, default.budget, default.tests_a_year, default.z) == ("safe", 0.5, 52, 2.11)
    proven, better = default.with_name("proven"), default.with_name("better")
    assert (proven.budget, proven.z, better.budget, better.z) == (1.0, 1.55, None, 1.55)
    assert proven.with_name("safe") == default
    chosen = policy_of(Settings(false_promotions_a_year=2.0), 252)
    assert [(each.budget, each.z) for each in (chosen, chosen.with_name("proven"))] == [(2.0, 0.86), (2.0, 0.86)]


def test_an_empty_variable_is_an_empty_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_FALSE_PROMOTIONS_A_YEAR", "")
    assert policy_of(Settings(), 252).budget == 0.5


def test_alpha_follows_from_z_and_has_no_cap(policy: Policy) -> None:
    """Normal tables: 1.741 % beyond 2.11, 6.057 % beyond 1.55; the cap of 5 % is that of older documents."""
    assert policy.single_alpha == pytest.approx(0.017429, abs=1e-6)
    assert policy.with_name("proven").single_alpha == pytest.approx(0.060571, abs=1e-6)
    older = structs.replace(policy, alpha=1 / 52, tests_a_year=None, safe_budget=None, proven_budget=None)
    assert older.single_alpha == 1 / 52
    assert older.right_z == pytest.approx(2.069902, abs=1e-6)
    assert structs.replace(older, z=older.right_z).with_name("proven").z == older.right_z


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"z": -0.1}, "z -0.1"),
        ({"z": math.inf}, "z inf"),
        ({"z": math.nan}, "z nan"),
        ({"alpha": 0.02}, "z follows from alpha, or from tests_a_year"),
        ({"tests_a_year": None}, "z follows from alpha, or from tests_a_year"),
        ({"tests_a_year": 0}, "tests_a_year 0, safe_budget 0.5 and proven_budget 1.0 are not all over 0"),
        ({"safe_budget": -1.0}, "safe_budget -1.0"),
        ({"proven_budget": math.nan}, "proven_budget nan"),
    ],
)
def test_what_no_policy_has_is_refused(policy: Policy, changes: dict[str, float | None], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        structs.replace(policy, **changes)
