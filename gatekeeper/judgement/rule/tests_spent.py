"""How many looks did the year to this one spend, and how many false promotions does the budget allow in so many?"""

from collections.abc import Mapping
from typing import Any

from gatekeeper.judgement.rule.verdict import Policy

DAYS = 365


def stated(policy: Policy, *, spent: int, as_ofs: int, promoted: int) -> dict[str, float | int | None]:
    """What an evaluation's document says of the looks in the `DAYS` to its as-of, this one among them.

    spent: looks, each an as-of with its settings, that compared two models. as_ofs: on so many as-ofs. promoted: so
    many of them, before this one. `allowed` is None for a policy without a bound: it has no budget.
    """
    alpha = None if policy.tolerance is None else policy.alpha
    allowed = None if alpha is None else spent * alpha
    return {"days": DAYS, "spent": spent, "as_ofs": as_ofs, "promoted": promoted, "alpha": alpha, "allowed": allowed}


def sentences(document: Mapping[str, Any]) -> str | None:
    """The same in words; None for a document from before it was kept."""
    said = document.get("looks")
    if said is None:
        return None
    if not said["spent"]:
        return f"No look was spent in the {said['days']} days to this as-of: the first model has nobody to beat."
    settings = "" if said["spent"] == said["as_ofs"] else f" (with other settings among them: {said['as_ofs']} as-ofs)"
    spent = (
        f"{_count(said['spent'], 'look')} spent{settings} in the {said['days']} days to this as-of, "
        f"{said['promoted']} of them promoted before this one."
    )
    return f"{spent} {_budget(said, document['policy'])}"


def _budget(said: Mapping[str, Any], policy: Mapping[str, Any]) -> str:
    if said["allowed"] is None:
        return f"The policy {policy['name']} asks for no proof, so nothing bounds how many of them are false."
    worse = "no better" if not policy["tolerance"] else f"worse by {policy['tolerance']:g}"
    return (
        f"At alpha {said['alpha']:.4g} for each, so many looks let in {said['allowed']:.2f} models on average, "
        f"if every challenger were {worse}."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
