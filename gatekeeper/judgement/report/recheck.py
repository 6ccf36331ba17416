"""Recheck of an evaluation document: judges again from its own numbers, and compares the verdicts."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument, Rules, ScorecardRecord, Verdict
from gatekeeper.documents.rules import POLICIES, PolicyName
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import costs_paid, refit_agreement
from gatekeeper.judgement.backtest.recompute import exposed_of, of_daily, same
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.league import league_document
from gatekeeper.judgement.league.gate import gate
from gatekeeper.judgement.report import reconcile, reconcile_texts
from gatekeeper.judgement.rule import edition_1
from gatekeeper.judgement.rule.promotion import TODAY

COMPARED = (
    *("answer", "kind", "policy", "decided_by", "alert"),
    *("gain", "standard_error", "bound", "p", "differing", "detectable_gain"),
)


def differences(document: EvaluationDocument) -> list[str]:
    """Differences between the document and what follows from its daily returns, in sentences; empty if none.

    Raises DataError for parts that don't belong together.
    """
    found = []
    for role, card in document.scorecards:
        if card.tested:
            found += _of_card(role, card, document.rules)
    found += reconcile.faults(document)
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
    else:
        found += _of_gates(document, again, competed)
    return found + _of_policies(document)


def _of_gates(document: EvaluationDocument, again: Verdict, competed: league_document.Competed | None) -> list[str]:
    """The numbers of each gate, and those in the texts."""
    found, gates = [], []
    for stored, judged in zip(document.verdict.gates, again.gates, strict=True):
        right = judged
        if document.league is not None and competed is not None and judged.name == "league":
            # Another version of the library may draw a little differently; the test itself was compared already.
            right = gate(replace(competed[0], test=document.league.test), *competed[1:]) or judged
        gates.append(right)
        for name in sorted(stored.numbers.keys() | right.numbers.keys()):
            if name not in stored.numbers or name not in right.numbers:
                found.append(f"the gate {stored.name} has no number {name}, or one too many")
            elif not same(stored.numbers[name], right.numbers[name]):
                said = stored.numbers[name]
                found.append(f"the gate {stored.name}'s {name} is {right.numbers[name]}, and the document says {said}")
    return found or reconcile_texts.faults(document, again, gates)


def _of_policies(document: EvaluationDocument) -> list[str]:
    """The answers of all three policies on the same scorecards."""
    if sorted(document.policies) != sorted(POLICIES):
        return [f"it has the answers of {', '.join(document.policies)}, and the policies are {', '.join(POLICIES)}"]
    found = []
    for name in POLICIES:
        again = judged_again(document, name)[0]
        right, said = (again.answer, again.decided_by), document.policies[name]
        if right != (said.answer, said.decided_by):
            held = f"{said.answer} by {said.decided_by}"
            found.append(f"the policy {name} answers {right[0]} by {right[1]}, and the document says {held}")
    return found


def judged_again(
    document: EvaluationDocument, name: PolicyName | None = None
) -> tuple[Verdict, league_document.Competed | None]:
    """The verdict that window, daily returns, decisions and policy lead to, and the league's. Raises DataError.

    name: another of the three policies.
    """
    held, cards = document.verdict, _cards(document)
    policy = document.policy if name is None else document.policy.with_name(name)
    kind = "weekly" if cards.get("champion") is None and held.kind == "bootstrap" else held.kind
    ours, theirs = cards["challenger"], cards.get("champion")
    edition = edition_1.EDITION if document.rules.edition == 1 else TODAY
    competed = league_document.again(document, cards, policy, kind, edition)
    many = None if competed is None else gate(*competed)
    again = edition.judge(ours, theirs, policy, cards["ungated"], kind=kind, refit=document.refit, many=many)
    return again, competed


def _of_card(role: str, card: ScorecardRecord, rules: Rules) -> list[str]:
    right = of_daily(np.array(card.daily, dtype=np.float64), exposed_of(card), rules)
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
        cards[role] = Scorecard.of(card, card.daily, exposed_of(card), document.window, decisions, name)
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
