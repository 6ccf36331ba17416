"""League document: the league's part of an evaluation document, and its recheck."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from msgspec import structs

from gatekeeper.documents.evaluation import EvaluationDocument, FieldTest, LeagueRecord, LeagueRow
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest.recompute import exposed_of, of_daily, same
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.league.league import Field, FieldResult, contest
from gatekeeper.judgement.rule.verdict import Edition, Policy

Competed = tuple[FieldResult, Field, int]
"""A contest, its field, and the number of the contender that an evaluation is of."""

DRAWN = 0.1
"""Tolerance for another version of the library, which may draw differently: critical values lie within it."""


def document(held: FieldResult, field: Field, challenger: int, left_out: Mapping[str, str]) -> LeagueRecord:
    """The record of a contest. challenger: number of the evaluation's contender."""
    rows = [_row(held, field, number, with_days=number != challenger) for number in range(len(held.gains))]
    return LeagueRecord(rows, challenger, held.winner, held.test, dict(left_out))


def again(
    evaluation: EvaluationDocument, cards: Mapping[str, Scorecard], policy: Policy, kind: str, edition: Edition
) -> Competed | None:
    """The contest that follows from an evaluation's document, and its contender; None without a league.

    `cards` are the document's, read already; `edition` is that of its rules. Raises DataError for a league that has
    nobody to compete against.
    """
    league = evaluation.league
    if league is None:
        return None
    field = _field(league, evaluation, cards)
    if league.test is None:
        return contest(field, policy, cards["ungated"], kind=kind, edition=edition), field, league.challenger
    draws, seed = league.test.draws, league.test.seed
    competed = contest(field, policy, cards["ungated"], kind=kind, draws=draws, seed=seed, edition=edition)
    return competed, field, league.challenger


def faults(evaluation: EvaluationDocument, held: FieldResult, field: Field) -> list[str]:
    """Differences between the league and what follows from its daily returns, in sentences."""
    league, found = evaluation.league, list[str]()
    if league is None:
        return found
    for number, row in enumerate(league.contenders):
        stored = structs.asdict(row)
        right = {
            **structs.asdict(_row(held, field, number, with_days=False)),
            **of_daily(field.contenders[number].daily, field.contenders[number].exposed, evaluation.rules),
            "bound_of_many": _bound(league.test, row),
        }
        found += [
            f"{row.name}'s {name} in the league is {value}, and the document says {stored[name]}"
            for name, value in right.items()
            if name not in ("daily", "exposed") and not same(stored[name], value)
        ]
    if league.winner != held.winner:
        found.append(f"the league's winner is {held.winner}, and the document says {league.winner}")
    if not _drawn_alike(league.test, held):
        found.append(f"the league's test is {held.test}, and the document says {league.test}")
    return found


def _row(held: FieldResult, field: Field, number: int, *, with_days: bool) -> LeagueRow:
    card, gain = field.contenders[number], held.gains[number]
    contested = {
        "daily": card.daily.tolist() if with_days else None,  # else the evaluation's scorecard has them
        "exposed": card.exposed.tolist() if with_days else None,
        "both_kept": int(np.count_nonzero(card.kept & field.champion.kept)),
        "gain": gain.value,
        "standard_error": gain.standard_error,
        "bound": gain.bound,
        "bound_of_many": held.bound(number),
        "alone": held.alone[number].answer,
        "decided_by": held.alone[number].decided_by,
    }
    return LeagueRow(**{**structs.asdict(card.record()), **contested})


def _field(league: LeagueRecord, evaluation: EvaluationDocument, cards: Mapping[str, Scorecard]) -> Field:
    """Decisions with the document's counts of approved ideas, shared with the champion and apart, as the rule needs."""
    champion, agreement = cards.get("champion"), evaluation.agreement
    if champion is None or agreement is None:
        raise DataError("the document has a league, and no champion and agreement for it: it was changed")
    theirs, places = champion.kept_trades, np.arange(champion.ideas)
    contenders = []
    for number, row in enumerate(league.contenders):
        own = cards["challenger"] if number == league.challenger else None
        both = row.both_kept if own is None else agreement.both_kept
        only = (row.kept_trades if own is None else own.kept_trades) - both
        kept = (places < both) | ((places >= theirs) & (places < theirs + only))
        card = (
            replace(own, kept=kept)
            if own
            else Scorecard.of(row, row.daily or [], exposed_of(row), champion.window, kept)
        )
        contenders.append(card)
    return Field(replace(champion, kept=places < theirs), tuple(contenders))


def _bound(test: FieldTest | None, row: LeagueRow) -> float | None:
    if test is None or row.gain is None or row.bound is None or not row.standard_error:
        return None
    return min(row.bound, row.gain - test.critical * row.standard_error)


def _drawn_alike(stored: FieldTest | None, held: FieldResult) -> bool:
    test = held.test
    if stored is None or test is None:
        return stored is None and test is None
    if (stored.block, stored.draws, stored.seed) != (test.block, test.draws, test.seed):
        return False
    return abs(stored.critical - test.critical) <= DRAWN and abs(stored.p - test.p) <= DRAWN
