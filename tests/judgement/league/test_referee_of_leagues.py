"""Leagues of random books, ideas in and winner out, against a reference that was written from the text alone.

Those of few trades above all, which gate `saves` compares by capital: their days, errors and bounds enter the same
test as those of the others.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents.evaluation import Gate
from gatekeeper.judgement import Backtest, Contender, judge, run
from gatekeeper.judgement.backtest.backtest import ScorecardBuilder
from gatekeeper.judgement.league import league_document
from gatekeeper.judgement.league.gate import gate
from gatekeeper.judgement.league.league import Field, FieldResult, contest
from gatekeeper.judgement.report import glossary
from gatekeeper.judgement.report.document import Beside, document
from gatekeeper.judgement.report.recheck import differences
from gatekeeper.judgement.rule.verdict import Policy
from tests.support import referee_league
from tests.support.referee import Array
from tests.support.referee_books import LeagueBook, league_book
from tests.support.referee_league import LeagueRuling

BOOKS = 40
TESTS_A_YEAR = {"0 2 * * 1": 52, "0 2 1 * *": 12, "0 2 * * 1,3": 104}
CLOSE = 1e-9


def contender(name: str, approves: Array) -> Contender:
    def score(features: Array) -> Array:
        return np.where(approves[features[:, 0].astype(int)], 0.8, 0.2).astype(np.float32)

    return Contender(name, name, 0.55, score, datetime(2016, 1, 1, tzinfo=UTC))


def entered(given: LeagueBook) -> tuple[Backtest, Field]:
    """The package's own, put together as the weekly run does."""
    first = given.first
    assert first.theirs is not None
    measured = run(
        first.data,
        first.settings,
        contender("gatekeeper_9", first.ours),
        contender("gatekeeper_primary1", first.theirs),
    )
    book = ScorecardBuilder.of(measured.rules, measured.window, measured.ideas, measured.days)
    cards = [book.measure(contender(f"gatekeeper_{number + 2}", each)) for number, each in enumerate(given.older)]
    assert measured.champion is not None
    against = [book.against(measured.champion, card, measured.pool) for card in cards]
    return measured, Field(measured.champion, (measured.challenger, *against))


@cache
def ruled(seed: int) -> LeagueRuling:
    """The reference's."""
    given = league_book(seed)
    first = given.first
    assert first.theirs is not None
    tests = TESTS_A_YEAR[first.settings.schedule]
    everyone = [first.ours, *given.older]
    return referee_league.contested(first.data, first.settings, first.window, everyone, first.theirs, tests=tests)


def near(value: float | None) -> Any:
    return value if value is None else pytest.approx(value, rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("tenth", range(10))
def test_the_league_is_the_text(tenth: int) -> None:
    """Test, bounds as one of many, winner, gates and answers of each; the documents of the deciding ones verify."""
    for seed in range(tenth, BOOKS, 10):
        given, right = league_book(seed), ruled(seed)
        measured, field = entered(given)
        contests = cache(partial(_contest, field, measured))
        policy = measured.rules.policy
        found = contests(policy)
        assert (found.test is None) == (right.test is None), seed
        if found.test is not None and right.test is not None:
            assert (found.test.critical, found.test.block) == (near(right.test[0]), right.test[2]), seed
            # A few trades are drawn in few ways, and rounding breaks the ties with what was seen.
            assert found.test.p == pytest.approx(right.test[1], abs=0.02), seed
        assert found.winner == right.winner, seed
        for number, (alone, verdict) in enumerate(zip(right.alone, right.verdicts, strict=True)):
            at = (seed, number)
            assert (found.gains[number].value, found.gains[number].standard_error) == (
                near(alone.shown.gain),
                near(alone.shown.error),
            ), at
            assert found.alone[number].answer == alone.answer, at
            assert found.bound(number) == near(right.bounds[number]), at
            many = partial(_gate, contests, field, number)
            card = field.contenders[number]
            said = judge(card, field.champion, policy, measured.ungated, many=many(policy))
            assert [(each.name, each.passed) for each in said.gates] == verdict.gates, at
            meant = glossary.of_gates(said.gates)
            assert meant.keys() == {name for each in said.gates for name in each.numbers}, at
            assert (said.answer, said.decided_by) == (verdict.answer, verdict.decided_by), at
            if number in (0, found.winner):
                record = league_document.document(found, field, number, {})
                case = replace(measured, challenger=card)
                assert differences(document(case, said, given.first.data, Beside(league=record), many)) == [], at


def _contest(field: Field, measured: Backtest, policy: Policy) -> FieldResult:
    return contest(field, policy, measured.ungated)


def _gate(contests: Callable[[Policy], FieldResult], field: Field, number: int, policy: Policy) -> Gate | None:
    return gate(contests(policy), field, number)


def test_the_leagues_come_to_every_end() -> None:
    """The comparison above says something only if few and many trades meet, and each ends in some league."""
    decided: Counter[tuple[str, str, bool]] = Counter()
    mixed, won_in_capital = 0, 0
    for right in map(ruled, range(BOOKS)):
        mixed += len(set(right.in_capital)) == 2
        won_in_capital += right.winner is not None and right.in_capital[right.winner]
        decided.update(
            (each.answer, each.decided_by, few) for each, few in zip(right.verdicts, right.in_capital, strict=True)
        )
    assert mixed > 3
    assert won_in_capital > 1
    both = {(answer, by, few) for few in (False, True) for answer, by in (("promote", "all gates"), ("keep", "league"))}
    by_capital = {("undecided", "league", True), ("undecided", "saves", True), ("keep", "saves", True)}
    assert decided.keys() >= both | by_capital | {("undecided", "bound", False), ("undecided", "enough", False)}
