"""Reconciliation of the evidence in an evaluation document: differing trades and pooled history against its counts."""

from msgspec import UNSET

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.documents.evidence import DifferingIdeas, Evidence, PooledHistory
from gatekeeper.judgement.report.figures import CLOSE, Told, is_right
from gatekeeper.judgement.statistics.pooled_error import FEWEST_IN_POOL


def faults(document: EvaluationDocument) -> Told:
    """Evidence that is missing, in the wrong place, or contradicts other figures of the document, in sentences."""
    cards = document.scorecards
    challenger, champion = cards.challenger, cards.champion
    needed = document.rules.edition > 1 and champion is not None and challenger.tested
    yield from is_right("whether the challenger has evidence", needed, challenger.evidence is not UNSET)
    for role, card in cards:
        if role != "challenger" and card.evidence is not UNSET:
            yield f"the {role} has evidence, and only a challenger has"
    if challenger.evidence is UNSET:
        return
    yield from _of_differing(challenger.evidence.differing)
    yield from _of_history(challenger.evidence.history)
    yield from _of_decisions(challenger.evidence.differing, document)
    for row in () if document.league is None else document.league.contenders:
        yield from _of_contender(row.name, row.evidence, challenger.evidence)


def _of_contender(name: str, evidence: Evidence | object, challengers: Evidence) -> Told:
    if not isinstance(evidence, Evidence):
        yield f"the league's {name} has no evidence"
        return
    yield from _of_differing(evidence.differing)
    yield from is_right(f"the history that {name} is judged by", challengers.history, evidence.history)


def _of_differing(differing: DifferingIdeas) -> Told:
    counts = (differing.only_challenger, differing.only_champion)
    if min(counts) < 0 or not _is_spread(differing.count, differing.weeks, differing.squares):
        yield f"{counts[0]} and {counts[1]} differing ideas in {differing.weeks} weeks can't be"


def _of_history(history: PooledHistory | None) -> Told:
    if history is not None and not (
        history.ideas >= FEWEST_IN_POOL and history.ideas <= history.squares <= history.ideas**2
    ):
        yield f"a history of {history.ideas} ideas, with a sum of squares of {history.squares} by week, can't be"


def _of_decisions(differing: DifferingIdeas, document: EvaluationDocument) -> Told:
    """Without a limit on open positions, every approved idea is entered."""
    agreement, rules, details = document.agreement, document.rules, document.details
    if agreement is None or rules.sizing.most_open is not None:
        return
    yield from is_right(
        "the ideas that the challenger alone entered", agreement.only_challenger, differing.only_challenger
    )
    yield from is_right("the ideas that the champion alone entered", agreement.only_champion, differing.only_champion)
    if details is not None and details.flips is not None and rules.sizing.kind == "fraction" and not rules.risk_free:
        made = rules.sizing.fraction * details.flips.only_champion_made
        yield from is_right("what the champion's ideas made", made, differing.champion_made, within=CLOSE)


def _is_spread(count: int, weeks: int, squares: int) -> bool:
    """Whether so many ideas can lie in so many weeks, with that sum of squared numbers by week."""
    if not count:
        return weeks == squares == 0
    most = (count - weeks + 1) ** 2 + weeks - 1
    return 1 <= weeks <= count and count**2 <= weeks * squares and squares <= most
