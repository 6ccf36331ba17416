"""Tests spent, in numbers and in sentences, by hand."""

import pytest
from evaluation_documents import document
from msgspec import structs

from gatekeeper.judgement import Policy
from gatekeeper.judgement.rule.tests_spent import in_words, sentences, stated


def words(policy: Policy, **numbers: int) -> str:
    return in_words(stated(policy, **numbers), policy)


def test_what_the_budget_allows_is_so_many_times_alpha(policy: Policy) -> None:
    """One false promotion a year, in 52 looks a year: 26 of them allow half of one."""
    said = stated(policy, spent=26, as_ofs=26, promoted=3)
    assert structs.asdict(said) == {
        "days": 365,
        "spent": 26,
        "as_ofs": 26,
        "promoted": 3,
        "alpha": pytest.approx(1 / 52),
        "allowed": pytest.approx(0.5),
    }


@pytest.mark.parametrize(
    ("name", "worse"), [("safe", "if every challenger were worse by 0.5."), ("proven", "challenger were no better.")]
)
def test_a_policy_with_a_bound_says_what_its_budget_is_of(policy: Policy, name: str, worse: str) -> None:
    told = words(structs.replace(policy, name=name), spent=26, as_ofs=26, promoted=3)
    assert told is not None
    assert told.startswith("26 tests spent in the 365 days to this as-of, 3 of them promoted before this one. At alpha")
    assert "26 tests would promote 0.50 models on average" in told
    assert told.endswith(worse)


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
