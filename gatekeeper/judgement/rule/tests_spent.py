"""Tests spent: the tests of the year to this weekly run, and the false promotions that the budget allows in them."""

from gatekeeper.documents.budget import outside
from gatekeeper.documents.evaluation import EvaluationDocument, Policy, SpentTests

DAYS = 365


def stated(policy: Policy, *, spent: int, as_ofs: int, promoted: int) -> SpentTests:
    """The entry `looks` of an evaluation's document: the tests in the `DAYS` to its as-of, this one included.

    spent: tests, each a weekly run (an as-of with its settings) that compared two models. as_ofs: the as-ofs among
    them. promoted: those before this one that promoted. `allowed` is None for a policy without a bound, which has no
    budget.
    """
    if policy.tolerance is None:
        return SpentTests(DAYS, spent, as_ofs, promoted, None, None)
    allowed = spent * policy.single_alpha
    if policy.budget is not None and policy.tests_a_year is not None:
        # A year's tests stay within the budget together, since a promotion by luck makes the next one harder.
        allowed = min(allowed, policy.budget * max(1.0, spent / policy.tests_a_year))
    return SpentTests(DAYS, spent, as_ofs, promoted, policy.single_alpha, allowed)


def sentences(document: EvaluationDocument) -> str | None:
    """The entry `looks` of a document in sentences; None for an older document without it."""
    return None if document.looks is None else in_words(document.looks, document.policy)


def in_words(tests: SpentTests, policy: Policy) -> str:
    """The tests spent, and the promotions that they allow under the policy."""
    if not tests.spent:
        return f"No test spent in the {tests.days} days to this as-of: the first model has no champion to beat."
    settings = "" if tests.spent == tests.as_ofs else f" (on {_count(tests.as_ofs, 'as-of')}, with differing settings)"
    spent = (
        f"{_count(tests.spent, 'test')} spent{settings} in the {tests.days} days to this as-of, "
        f"{tests.promoted} of them promoted before this one."
    )
    return f"{spent} {_budget(tests, policy)}"


def _budget(tests: SpentTests, policy: Policy) -> str:
    if tests.allowed is None or tests.alpha is None:
        return f"The policy {policy.name} needs no proof, so the number of false promotions is not bounded."
    worse = "no better" if not policy.tolerance else f"worse by {policy.tolerance:g}"
    if policy.alpha is None:
        return (
            f"{of_year(policy)} {_count(tests.spent, 'test')} would promote at most {tests.allowed:.2f} models on "
            f"average if every challenger were {worse}: a bound, not a forecast. Where challengers are alike, it is "
            "far fewer."
        )
    return (
        f"At alpha {tests.alpha:.4g} each, {_count(tests.spent, 'test')} would promote {tests.allowed:.2f} "
        f"models on average if every challenger were {worse}."
    )


def of_year(policy: Policy) -> str:
    """What z keeps to, in words; "" for a policy without a budget."""
    if policy.budget is None or policy.tests_a_year is None:
        return ""
    kept = (
        f"z {policy.z:.4g} keeps the false promotions of {policy.name} within {policy.budget:g} a year in "
        f"{_count(policy.tests_a_year, 'test')}, by the schedule."
    )
    return f"{kept} {outside(policy.budget, policy.tests_a_year)}".rstrip()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
