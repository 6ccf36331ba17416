"""Reconciliation of an evaluation's trades by side, and of its buy and hold."""

import math

from msgspec import UNSET

from gatekeeper.documents.evaluation import BuyAndHold, EvaluationDocument, ScorecardRecord, SideTrades, TradesBySide
from gatekeeper.documents.rules import Rules
from gatekeeper.judgement.report.figures import CLOSE, PATHS_CLOSE, Told, is_right


def faults(document: EvaluationDocument) -> Told:
    """Figures of the trades by side and of buy and hold that contradict others of the document, in sentences."""
    yield from _sides(document)
    yield from _held(document)


def _sides(document: EvaluationDocument) -> Told:
    tested = {role: card for role, card in document.scorecards if card.tested}
    if document.sides is None:
        if document.rules.edition > 1:
            yield "it doesn't hold what long and short trades made"
        return
    yield from is_right("the streams with trades by side", sorted(tested), sorted(document.sides))
    for role, sides in document.sides.items():
        if role in tested:
            yield from _stream(role, tested[role], sides, document.rules)


def _stream(role: str, card: ScorecardRecord, sides: TradesBySide, rules: Rules) -> Told:
    """Both sides together have the scorecard's trades, winners and return."""
    both, taken = sides.both, card.kept_trades - card.passed_over
    yield from is_right(f"the number of the {role}'s long and short trades", taken, both.count)
    yield from is_right(f"the number of them that won for the {role}", round((card.win_rate or 0.0) * taken), both.won)
    if abs(both.made - card.total_return) > PATHS_CLOSE * both.size + CLOSE:
        yield f"the {role}'s long and short trades made {both.made}, and its return is {card.total_return}"
    for name, side in (("long", sides.long), ("short", sides.short)):
        yield from _side(f"the {role}'s {name} trades", side, rules)


def _side(what: str, side: SideTrades, rules: Rules) -> Told:
    if (side.gained > 0) != (side.won > 0) or (side.won == side.count and side.lost > 0):
        yield f"{what}, {side.won} of {side.count} won, gained {side.gained} and lost {side.lost}"
    if rules.sizing.kind == "fraction":
        yield from is_right(f"the size of {what}", rules.sizing.fraction * side.count, side.size, within=CLOSE)
    elif side.size > rules.sizing.largest * side.count + CLOSE or (side.size > 0) != (side.count > 0):
        yield f"the size of {what} is {side.size}, and each of {side.count} is at most {rules.sizing.largest}"


def _held(document: EvaluationDocument) -> Told:
    held = document.buy_and_hold
    if held is UNSET and document.rules.edition > 1:
        yield "it doesn't say whether its source has bars to buy and hold"
    if not isinstance(held, BuyAndHold):
        return
    yield from is_right("the number of buy and hold's daily returns", len(document.days), len(held.daily))
    if held.symbols < 1 or held.left_out < 0 or not all(math.isfinite(each) for each in held.daily):
        yield f"buy and hold can't hold {held.symbols} symbols and leave out {held.left_out}"
