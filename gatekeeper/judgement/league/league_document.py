"""League document: the league's part of an evaluation document, and its recheck."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gatekeeper.judgement.backtest.recompute import of_daily, same
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.league.league import Field, FieldResult, contest
from gatekeeper.judgement.rule.verdict import Policy

Document = dict[str, Any]
Competed = tuple[FieldResult, Field, int]
"""A contest, its field, and the number of the contender that an evaluation is of."""

DRAWN = 0.1
"""Tolerance for another version of the library, which may draw differently: critical values lie within it."""


def document(held: FieldResult, field: Field, challenger: int, left_out: Mapping[str, str]) -> Document:
    """The league for JSON, every number finite or null. challenger: number of the evaluation's contender."""
    test = held.test
    return {
        "contenders": [_row(held, field, number, with_days=number != challenger) for number in range(len(held.gains))],
        "challenger": challenger,
        "winner": held.winner,
        "test": None
        if test is None
        else {"critical": test.critical, "p": test.p, "block": test.block, "draws": test.draws, "seed": test.seed},
        "left_out": dict(left_out),
    }


def again(evaluation: Mapping[str, Any], cards: Mapping[str, Scorecard], policy: Policy, kind: str) -> Competed | None:
    """The contest that follows from an evaluation's document, and its contender; None without a league.

    cards: the document's, parsed already.
    """
    said = evaluation.get("league")
    if said is None:
        return None
    field = _field(said, evaluation, cards)
    drawn = {} if said["test"] is None else {name: said["test"][name] for name in ("draws", "seed")}
    return contest(field, policy, cards["ungated"], kind=kind, **drawn), field, said["challenger"]


def faults(evaluation: Mapping[str, Any], held: FieldResult, field: Field) -> list[str]:
    """Differences between the league and what follows from its daily returns, in sentences."""
    said, rules, found = evaluation["league"], evaluation["rules"], []
    for number, row in enumerate(said["contenders"]):
        right = {
            **_row(held, field, number, with_days=False),
            **of_daily(field.contenders[number].daily, rules),
            "bound_of_many": _bound(said["test"], row),
        }
        found += [
            f"{row['name']}'s {name} in the league is {value}, and the document says {row[name]}"
            for name, value in right.items()
            if name != "daily" and not same(row[name], value)
        ]
    if said["winner"] != held.winner:
        found.append(f"the league's winner is {held.winner}, and the document says {said['winner']}")
    if not _drawn_alike(said["test"], held):
        found.append(f"the league's test is {held.test}, and the document says {said['test']}")
    return found


def _row(held: FieldResult, field: Field, number: int, *, with_days: bool) -> Document:
    card, gain = field.contenders[number], held.gains[number]
    return {
        **card.to_dict(),
        "daily": card.daily.tolist() if with_days else None,  # else the evaluation's scorecard has them
        "both_kept": int(np.count_nonzero(card.kept & field.champion.kept)),
        "gain": gain.value,
        "standard_error": gain.standard_error,
        "bound": gain.bound,
        "bound_of_many": held.bound(number),
        "alone": held.alone[number].answer,
        "decided_by": held.alone[number].decided_by,
    }


def _field(said: Mapping[str, Any], evaluation: Mapping[str, Any], cards: Mapping[str, Scorecard]) -> Field:
    """Decisions with the document's counts of approved ideas, shared with the champion and apart, as the rule needs."""
    champion = cards["champion"]
    theirs, places = champion.kept_trades, np.arange(champion.ideas)
    contenders = []
    for number, row in enumerate(said["contenders"]):
        own = cards["challenger"] if number == said["challenger"] else None
        both = row["both_kept"] if own is None else evaluation["agreement"]["both_kept"]
        only = (row["kept_trades"] if own is None else own.kept_trades) - both
        kept = (places < both) | ((places >= theirs) & (places < theirs + only))
        contenders.append(replace(own, kept=kept) if own else Scorecard.from_dict(row, champion.window, kept))
    return Field(replace(champion, kept=places < theirs), tuple(contenders))


def _bound(test: Mapping[str, Any] | None, row: Mapping[str, Any]) -> float | None:
    if test is None or row["gain"] is None or not row["standard_error"]:
        return None
    return float(row["gain"] - test["critical"] * row["standard_error"])


def _drawn_alike(said: Mapping[str, Any] | None, held: FieldResult) -> bool:
    test = held.test
    if said is None or test is None:
        return said is None and test is None
    return bool(said["block"] == test.block and abs(said["critical"] - test.critical) <= DRAWN)
