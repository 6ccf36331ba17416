"""Recheck of an evaluation document: judges again from its own numbers, and compares the verdicts."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument, Rules, ScorecardRecord, Verdict
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import costs_paid, refit_agreement
from gatekeeper.judgement.backtest.recompute import of_daily, same
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.league import league_document
from gatekeeper.judgement.league.gate import gate
from gatekeeper.judgement.rule.promotion import judge

COMPARED = ("answer", "kind", "policy", "decided_by", "gain", "standard_error", "bound", "p", "differing")


def differences(document: EvaluationDocument) -> list[str]:
    """Differences between the document and what follows from its daily returns, in sentences; empty if none.

    Raises DataError for parts that don't belong together.
    """
    found = []
    for role, card in document.scorecards:
        if card.tested:
            found += _of_card(role, card, document.rules)
    found += refit_agreement.faults(document)
    found += costs_paid.faults(document)
    held = document.verdict
    again, competed = judged_again(document)
    if competed is not None:
        found += league_document.faults(document, *competed[:2])
    for name in COMPARED:
        if not same(getattr(held, name), getattr(again, name)):
            found.append(f"{name} is {getattr(again, name)}, and the document says {getattr(held, name)}")
    passed = [(gate.name, gate.passed) for gate in held.gates], [(gate.name, gate.passed) for gate in again.gates]
    if passed[0] != passed[1]:
        found.append(f"the gates say {passed[1]}, and the document says {passed[0]}")
    return found


def judged_again(document: EvaluationDocument) -> tuple[Verdict, league_document.Competed | None]:
    """The verdict that window, daily returns, decisions and policy lead to, and the league's. Raises DataError."""
    held, cards = document.verdict, _cards(document)
    policy = document.policy
    kind = "weekly" if cards.get("champion") is None and held.kind == "bootstrap" else held.kind
    ours, theirs = cards["challenger"], cards.get("champion")
    competed = league_document.again(document, cards, policy, kind)
    many = None if competed is None else gate(*competed)
    return judge(ours, theirs, policy, cards["ungated"], kind=kind, refit=document.refit, many=many), competed


def _of_card(role: str, card: ScorecardRecord, rules: Rules) -> list[str]:
    right = of_daily(np.array(card.daily, dtype=np.float64), rules)
    return [
        f"the {role}'s {name} is {value}, and the document says {getattr(card, name)}"
        for name, value in right.items()
        if not same(getattr(card, name), value)
    ]


def _cards(document: EvaluationDocument) -> dict[str, Scorecard]:
    kept = _decisions(document)
    live = {"challenger": document.refit, "champion": document.live}
    cards = {}
    for role, card in document.scorecards:
        decisions = kept[role] if card.tested else np.zeros(0, dtype=np.bool_)
        stands_for = live.get(role)
        name = None if stands_for is None else stands_for.name
        cards[role] = Scorecard.of(card, card.daily, document.window, decisions, name)
    return cards


def _decisions(document: EvaluationDocument) -> dict[str, NDArray[np.bool_]]:
    """Decisions with the document's counts of approved ideas, together and apart; the rule needs only these counts."""
    agreement, ideas = document.agreement, document.scorecards.ungated.ideas
    if agreement is None:
        return {role: np.arange(ideas) < card.kept_trades for role, card in document.scorecards}
    counts = [agreement.both_kept, agreement.only_challenger, agreement.only_champion, agreement.both_vetoed]
    if min(counts) < 0:
        raise DataError(f"the document counts {min(counts)} ideas that two models decided: it was changed")
    ours, theirs = (np.repeat(flags, counts) for flags in ([True, True, False, False], [True, False, True, False]))
    return {"challenger": ours, "champion": theirs, "ungated": np.ones(ideas, dtype=np.bool_)}
