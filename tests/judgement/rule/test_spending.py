"""What a desk's own challengers spend of the budget: how alike they are, and the simulated table."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_documents import CARD, document
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gatekeeper.judgement import Policy
from gatekeeper.judgement.rule.spending import (
    CORRELATIONS,
    CRITICAL,
    SPENT,
    TESTS,
    Alike,
    Tested,
    alike,
    expected,
    of_a_year,
    promotions,
)

sys.path.append(str(Path(__file__).parents[3] / "bench" / "judgement"))
DAYS = 250
MONDAY = datetime(2018, 1, 1, 2, tzinfo=UTC)


def series(own: np.ndarray, champion: np.ndarray, *, apart: int = 7, shift: int = 5) -> list[Tested]:
    """Tests a week apart, of windows that move on by `shift` days; own: (tests, all days)."""
    days = np.arange("2016-01-01", "2022-01-01", dtype="datetime64[D]")
    found = []
    for number, row in enumerate(own):
        window = slice(number * shift, number * shift + DAYS)
        as_of = MONDAY + timedelta(days=apart * number)
        found.append(Tested(as_of, days[window], row[window], champion[window], f"m{number}", "champion"))
    return found


@pytest.mark.parametrize(("kin", "right"), [(0.0, 0.5), (0.5, 0.75), (0.96, 0.98)])
def test_gains_over_one_champion_correlate_by_half_of_what_is_shared_and_one(kin: float, right: float) -> None:
    """cov(x - c, y - c) = kin + 1 and var(x - c) = 2, of unit variances; 20 challengers on 250 days."""
    random = np.random.default_rng(3)
    shared = random.normal(size=400)
    own = 0.01 * (np.sqrt(kin) * shared + np.sqrt(1 - kin) * random.normal(size=(20, 400)))
    found = alike(series(own, 0.01 * random.normal(size=400)))
    assert found is not None
    assert found.challengers == 20
    assert found.correlation == pytest.approx(right, abs=0.04)


def test_size_alone_makes_no_two_challengers_differ() -> None:
    """A gain is one of Sharpe ratios: the same stream at thrice the size is the same."""
    random = np.random.default_rng(4)
    stream, champion = random.normal(0, 0.01, 400), random.normal(0, 0.01, 400)
    own = stream * np.where(np.arange(10) % 2, 3.0, 1.0)[:, None]
    found = alike(series(own, champion))
    assert found is not None
    assert found.correlation == pytest.approx(1.0, abs=1e-12)


def test_what_tells_nothing_is_not_counted() -> None:
    random = np.random.default_rng(5)
    own, champion = random.normal(0, 0.01, (10, 3000)), random.normal(0, 0.01, 3000)
    assert alike(series(own, champion)) is not None
    assert alike(series(own[:7], champion)) is None  # fewer than 8 challengers
    assert alike(series(own, champion, apart=43)) is None  # more than six weeks apart
    assert alike(series(own, champion, shift=DAYS - 59)) is None  # 59 days in common
    assert alike(series(own, champion, shift=DAYS - 60)) is not None
    assert alike(series(np.zeros_like(own), champion)) is None  # no trade
    assert alike(series(np.array([champion] * 10), champion)) is None  # the champion's own decisions


def test_a_challenger_that_is_the_champion_by_then_is_not_compared() -> None:
    random = np.random.default_rng(6)
    tests = series(random.normal(0, 0.01, (9, 400)), random.normal(0, 0.01, 400))
    alone = [Tested(t.as_of, t.days, t.challenger, t.champion, "m0", "m0") for t in tests]
    assert alike(alone) is None


def test_a_years_evaluations_are_read_the_newest_first_and_no_further() -> None:
    """12 documents, 40 days apart: ten lie within 365 days of the newest, and one of these compared no two models."""
    random = np.random.default_rng(7)
    days = [str(day) for day in np.arange("2018-01-01", "2018-04-01", dtype="datetime64[D]")]
    cards = [CARD | {"daily": random.normal(0, 0.01, 90).tolist(), "sha256": f"{number:064d}"} for number in range(13)]
    documents = [
        (MONDAY - timedelta(days=40 * number), document(days=days, scorecards=compared(cards[number], cards[12])))
        for number in range(12)
    ]
    documents[3] = (documents[3][0], document(days=days, scorecards=compared(cards[3], None)))
    read = iter(documents)
    found = of_a_year(read)
    assert found is not None
    assert found.challengers == 9
    ours = alike([each for as_of, one in documents[9::-1] if (each := Tested.of(as_of, one)) is not None])
    assert found == ours
    assert len(list(read)) == 1


def compared(challenger: dict[str, Any], champion: dict[str, Any] | None) -> dict[str, Any]:
    return {"challenger": challenger, "champion": champion, "ungated": challenger | {"name": "ungated"}}


@pytest.mark.parametrize("tests", TESTS)
def test_more_alike_and_a_larger_z_spend_less(tests: int) -> None:
    """The table itself: within twice its standard errors for the correlation, strictly for z."""
    table = np.array(SPENT[tests])
    assert table.shape == (len(CORRELATIONS), len(CRITICAL))
    assert (np.diff(table, axis=1) < 0).all()
    assert (np.diff(table, axis=0) < 0.14).all()
    assert (table[-1, 2:] < table[0, 2:]).all()


def test_cells_and_the_way_between_them() -> None:
    """By hand: halfway in the correlation, in the logarithm along z, and in the root of the tests."""
    assert promotions(1.5, 52, 0.5) == pytest.approx(0.854)
    assert promotions(1.5, 52, 0.85) == pytest.approx((0.625 + 0.505) / 2)
    assert promotions(1.75, 52, 0.5) == pytest.approx((0.854 * 0.439) ** 0.5)
    halfway = ((52**0.5 + 250**0.5) / 2) ** 2
    assert promotions(2.0, halfway, 1.0) == pytest.approx((0.155 + 0.219) / 2)
    assert promotions(9.0, 9000, 0.2) == 0.132  # the nearest edge


@given(z=st.floats(0.5, 4), correlation=st.floats(0.5, 1))
def test_it_stays_within_the_budget_of_its_z(z: float, correlation: float) -> None:
    """z 2.11 and 1.55 are for 0.5 and 1 a year in 52 tests: no challengers are expected to spend more."""
    assert promotions(2.11, 52, correlation) < 0.5
    assert promotions(1.55, 52, correlation) < 1.0
    assert promotions(z, 52, correlation) > 0


def test_alike_challengers_spend_about_four_tenths_of_the_budget(policy: Policy) -> None:
    """What judgement by daily returns found for weekly challengers alike by 0.98 and 0.995 at z 1.55: 0.28 to 0.40."""
    proven = policy.with_name("proven")
    for kin in (0.98, 0.995):
        spent = expected(proven, Alike((1 + kin) / 2, 50), standard_error=0.6)
        assert spent == pytest.approx(0.4, abs=0.03)


def test_a_small_error_asks_for_more_than_z(policy: Policy) -> None:
    """`safe` at an error of 0.2: worse by 0.5, a model needs a gain over 0, so luck of 2.5 errors, not of 2.11."""
    one = Alike(0.5, 50)
    assert expected(policy, one, 0.2) == pytest.approx(0.173)
    assert expected(policy, one, 0.5) == promotions(2.11, 52, 0.5)
    assert expected(structs.replace(policy, margin=0.5), one, 0.4) == pytest.approx(0.173)


def test_the_table_is_what_the_bench_simulates() -> None:
    """One row once more with another seed, 500 years: within four standard errors of both."""
    from judgement_alike import spent

    means, errors = spent(52, 0.9, 500, seed=99)
    assert np.all(np.abs(means - SPENT[52][CORRELATIONS.index(0.9)]) < 4 * errors * 1.1)
