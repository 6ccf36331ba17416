"""Tests spent, in numbers and in sentences, by hand."""

from typing import Any

import pytest
from evaluation_documents import document
from msgspec import structs

from gatekeeper.judgement import Policy
from gatekeeper.judgement.rule.tests_spent import in_words, sentences, stated


def words(policy: Policy, **numbers: int) -> str:
    return in_words(stated(policy, **numbers), policy)


@pytest.mark.parametrize(
    ("spent", "allowed"),
    [
        (1, 0.017429),  # one test at z 2.11, by itself
        (26, 0.453163),  # 26 of these
        (29, 0.5),  # 29 x 0.017429 is 0.505, and a whole year has but 0.5
        (52, 0.5),
        (156, 1.5),  # three seeds each Monday are three years' tests in one
    ],
)
def test_tests_are_allowed_no_more_than_alone_and_no_more_than_the_budget(
    policy: Policy, spent: int, allowed: float
) -> None:
    assert stated(policy, spent=spent, as_ofs=spent, promoted=0).allowed == pytest.approx(allowed, abs=1e-5)


def test_an_older_document_allowed_so_many_times_alpha(policy: Policy) -> None:
    """One false promotion a year, in 52 looks a year: 26 of them allow half of one."""
    older = structs.replace(policy, alpha=1 / 52, tests_a_year=None, safe_budget=None, proven_budget=None)
    said = stated(older, spent=26, as_ofs=26, promoted=3)
    assert "At alpha 0.01923 each, 26 tests would promote 0.50 models on average" in in_words(said, older)
    assert structs.asdict(said) == {
        "days": 365,
        "spent": 26,
        "as_ofs": 26,
        "promoted": 3,
        "alpha": pytest.approx(1 / 52),
        "allowed": pytest.approx(0.5),
    }


@pytest.mark.parametrize(
    ("name", "kept", "most", "worse"),
    [
        ("safe", "z 2.11 keeps the false promotions of safe within 0.5 a year in 52 tests", "0.45", "worse by 0.5"),
        ("proven", "z 1.55 keeps the false promotions of proven within 1 a year in 52 tests", "1.00", "no better"),
    ],
)
def test_a_policy_with_a_bound_says_what_its_budget_is_of(
    policy: Policy, name: Any, kept: str, most: str, worse: str
) -> None:
    told = words(policy.with_name(name), spent=26, as_ofs=26, promoted=3)
    assert told == (
        f"26 tests spent in the 365 days to this as-of, 3 of them promoted before this one. {kept}, by the schedule. "
        f"26 tests would promote at most {most} models on average if every challenger were {worse}: a bound, not a "
        "forecast. Where challengers are alike, it is far fewer."
    )


def test_outside_the_table_the_sentence_says_so(policy: Policy) -> None:
    daily = structs.replace(policy, tests_a_year=365)
    assert "365 tests, by the schedule. z is simulated for" in words(daily, spent=2, as_ofs=2, promoted=0)


def test_a_policy_without_a_bound_has_no_budget(policy: Policy) -> None:
    better = structs.replace(policy, name="better")
    assert stated(better, spent=5, as_ofs=5, promoted=2).allowed is None
    assert "the number of false promotions is not bounded" in str(words(better, spent=5, as_ofs=5, promoted=2))


def test_runs_with_other_settings_are_tests_too(policy: Policy) -> None:
    """Three seeds tried on one Monday are three chances, and the record says so."""
    assert "3 tests spent (on 1 as-of, with differing settings)" in str(words(policy, spent=3, as_ofs=1, promoted=0))


def test_the_first_model_spent_none_and_an_older_document_says_nothing(policy: Policy) -> None:
    assert str(words(policy, spent=0, as_ofs=0, promoted=0)).startswith("No test spent")
    assert sentences(document()) is None
