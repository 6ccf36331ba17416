"""Gate `league`: the challenger's lower bound corrected for multiple testing against all models compared."""

from gatekeeper.documents.evaluation import Gate, Number
from gatekeeper.judgement.league.league import Field, FieldResult
from gatekeeper.judgement.rule.gate_texts import figure, is_or_not, significance


def gate(held: FieldResult, field: Field, number: int) -> Gate | None:
    """The gate `league` of one contender; None under a policy without a lower bound."""
    if held.policy.tolerance is None:
        return None
    sure = held.is_sure(number)
    first = held.winner is None or held.winner == number
    return _gate(sure and first if sure is not None else None, sure, held, field, number)


def _gate(passed: bool | None, sure: bool | None, held: FieldResult, field: Field, number: int) -> Gate:
    limit = -held.policy.tolerance if held.policy.tolerance else 0.0
    bound, detectable, count = held.bound(number), held.detectable(number), len(field.contenders)
    text = (
        f"as one of {count} models compared, its lower bound of {figure(bound, limit)} {is_or_not(sure)} over {limit:g}"
    )
    if sure and not passed and held.winner is not None:
        best = field.contenders[held.winner].name
        theirs, ours = held.gains[held.winner].value, held.gains[number].value
        text += f"; {best} passes too and gained more: {figure(theirs, ours)} against {figure(ours, theirs)}"
    elif sure is False and detectable is not None:
        text += f"; with {count} models compared only a Sharpe gain above {figure(detectable)} is detectable"
    others = ", ".join(card.name for each, card in enumerate(field.contenders) if each != number)
    test = held.test
    numbers: dict[str, Number] = {
        "compared": count,
        "others": others,
        "bound_of_many": bound,
        "critical": None if test is None else test.critical,
        "p": None if test is None else test.p,
        **significance(held.policy),
        "tolerance": held.policy.tolerance,
        "detectable_gain": None if sure else detectable,
        "most_gained": None if held.winner is None else field.contenders[held.winner].name,
    }
    return Gate("league", passed, numbers, f"{text}; the others: {others}")
