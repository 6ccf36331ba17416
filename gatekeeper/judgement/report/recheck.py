"""Recheck of an evaluation document: judges again from its own numbers, and compares the verdicts."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.backtest import costs_paid
from gatekeeper.judgement.backtest.recompute import of_daily, same
from gatekeeper.judgement.backtest.refit_agreement import faults, refit_of
from gatekeeper.judgement.backtest.scorecard import Scorecard, Window
from gatekeeper.judgement.league import league_document
from gatekeeper.judgement.league.gate import gate
from gatekeeper.judgement.report.document import verdict_of
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.judgement.rule.verdict import Policy, Verdict

COMPARED = ("answer", "kind", "policy", "decided_by", "gain", "standard_error", "bound", "p", "differing")


def differences(document: Mapping[str, Any]) -> list[str]:
    """Differences between the document and what follows from its daily returns, in sentences; empty if none."""
    found = []
    for role, card in document["scorecards"].items():
        if card is not None and card["tested"]:
            found += _of_card(role, card, document["rules"])
    found += faults(refit_of(document), document)
    found += costs_paid.faults(document)
    held = verdict_of(document)
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


def judged_again(document: Mapping[str, Any]) -> tuple[Verdict, league_document.Competed | None]:
    """The verdict that window, daily returns, decisions and policy lead to, and the league's. Raises DataError."""
    held, cards = verdict_of(document), _cards(document)
    policy = Policy(**{field.name: document["policy"][field.name] for field in fields(Policy)})
    kind = "weekly" if cards.get("champion") is None and held.kind == "bootstrap" else held.kind
    ours, theirs, refit = cards["challenger"], cards.get("champion"), refit_of(document)
    competed = league_document.again(document, cards, policy, kind)
    many = None if competed is None else gate(*competed)
    return judge(ours, theirs, policy, cards["ungated"], kind=kind, refit=refit, many=many), competed


def _of_card(role: str, card: Mapping[str, Any], rules: Mapping[str, Any]) -> list[str]:
    right = of_daily(np.array(card["daily"], dtype=np.float64), rules)
    return [
        f"the {role}'s {name} is {value}, and the document says {card[name]}"
        for name, value in right.items()
        if not same(card[name], value)
    ]


def _cards(document: Mapping[str, Any]) -> dict[str, Scorecard]:
    kept = _decisions(document)
    window = _window(document["window"])
    return {
        role: Scorecard.from_dict(
            card,
            window,
            kept[role] if card["tested"] else np.zeros(0, dtype=np.bool_),
            (document.get("twins", {}).get(role) or {}).get("name"),
        )
        for role, card in document["scorecards"].items()
        if card is not None
    }


def _decisions(document: Mapping[str, Any]) -> dict[str, NDArray[np.bool_]]:
    """Decisions with the document's counts of approved ideas, together and apart; the rule needs only these counts."""
    cards, agreement = document["scorecards"], document["agreement"]
    ideas = cards["ungated"]["ideas"]
    if agreement is None:
        return {role: np.arange(ideas) < card["kept_trades"] for role, card in cards.items() if card is not None}
    counts = [agreement[name] for name in ("both_kept", "only_challenger", "only_champion", "both_vetoed")]
    ours, theirs = (np.repeat(flags, counts) for flags in ([True, True, False, False], [True, False, True, False]))
    return {"challenger": ours, "champion": theirs, "ungated": np.ones(ideas, dtype=np.bool_)}


def _window(said: Mapping[str, Any]) -> Window:
    start, end, as_of = (datetime.fromisoformat(said[name]) for name in ("start", "end", "as_of"))
    ready = None if said["ready"] is None else date.fromisoformat(said["ready"])
    return Window(start, end, as_of, said["days"], said["bound_by"], ready)
