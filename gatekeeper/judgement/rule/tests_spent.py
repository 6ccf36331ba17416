"""How many looks did the year to this one spend, and how many false promotions does the budget allow in so many?"""

from gatekeeper.documents.evaluation import EvaluationDocument, PolicyRecord, SpentTests
from gatekeeper.judgement.rule.verdict import Policy

DAYS = 365


def stated(policy: Policy, *, spent: int, as_ofs: int, promoted: int) -> SpentTests:
    """What an evaluation's document says of the looks in the `DAYS` to its as-of, this one among them.

    spent: looks, each an as-of with its settings, that compared two models. as_ofs: on so many as-ofs. promoted: so
    many of them, before this one. `allowed` is None for a policy without a bound: it has no budget.
    """
    alpha = None if policy.tolerance is None else policy.alpha
    allowed = None if alpha is None else spent * alpha
    return SpentTests(DAYS, spent, as_ofs, promoted, alpha, allowed)


def sentences(document: EvaluationDocument) -> str | None:
    """The same in words; None for a document from before it was kept."""
    return None if document.looks is None else in_words(document.looks, document.policy)


def in_words(tests: SpentTests, policy: PolicyRecord) -> str:
    """What was spent, and what that allows under the policy."""
    if not tests.spent:
        return f"No look was spent in the {tests.days} days to this as-of: the first model has nobody to beat."
    settings = "" if tests.spent == tests.as_ofs else f" (with other settings among them: {tests.as_ofs} as-ofs)"
    spent = (
        f"{_count(tests.spent, 'look')} spent{settings} in the {tests.days} days to this as-of, "
        f"{tests.promoted} of them promoted before this one."
    )
    return f"{spent} {_budget(tests, policy)}"


def _budget(tests: SpentTests, policy: PolicyRecord) -> str:
    if tests.allowed is None or tests.alpha is None:
        return f"The policy {policy.name} asks for no proof, so nothing bounds how many of them are false."
    worse = "no better" if not policy.tolerance else f"worse by {policy.tolerance:g}"
    return (
        f"At alpha {tests.alpha:.4g} for each, so many looks let in {tests.allowed:.2f} models on average, "
        f"if every challenger were {worse}."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
