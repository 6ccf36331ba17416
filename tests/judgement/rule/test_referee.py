"""Whole pipeline, ideas in and verdict out, against a reference that was written from the rule's text alone."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents.evaluation import Verdict
from gatekeeper.judgement import Backtest, Contender, document, judge, policy_of, run
from gatekeeper.judgement.report import glossary
from gatekeeper.judgement.report.recheck import differences
from tests.support import referee, referee_rule
from tests.support.referee import Array, Pool, Stream
from tests.support.referee_books import Book, book
from tests.support.referee_rule import Ruling

BOOKS = 90
TESTS_A_YEAR = {"0 2 * * 1": 52, "0 2 1 * *": 12, "0 2 * * 1,3": 104}
CLOSE = 1e-9


def measured(each: Book) -> tuple[Backtest, Verdict]:
    """The package's own."""

    def contender(name: str, approves: Array) -> Contender:
        def score(features: Array) -> Array:
            return np.where(approves[features[:, 0].astype(int)], 0.8, 0.2).astype(np.float32)

        return Contender(name, name, 0.55, score, datetime(2016, 1, 1, tzinfo=UTC))

    champion = None if each.theirs is None else contender("gatekeeper_primary1", each.theirs)
    found = run(each.data, each.settings, contender("gatekeeper_2", each.ours), champion)
    policy = policy_of(each.settings, each.data.periods_per_year)
    return found, judge(found.challenger, found.champion, policy, found.ungated)


@cache
def ruled(seed: int) -> Ruling:
    """The reference's."""
    each = book(seed)
    tests = TESTS_A_YEAR[each.settings.schedule]
    return referee_rule.judged(each.data, each.settings, each.window, each.ours, each.theirs, tests=tests)


def near(value: float | None) -> Any:
    return value if value is None else pytest.approx(value, rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("tenth", range(10))
def test_the_pipeline_is_the_text(tenth: int) -> None:
    """Returns, exposure, gain, error, bound, p, what could be seen, each gate and the answer; the document verifies."""
    for seed in range(tenth, BOOKS, 10):
        given = book(seed)
        (found, verdict), right = measured(given), ruled(seed)
        for role, stream in right.streams.items():
            card = getattr(found, role)
            assert card.daily == pytest.approx(stream.daily, abs=1e-12), (seed, role)
            assert card.exposed == pytest.approx(stream.exposed, abs=1e-12), (seed, role)
            assert card.sharpe == near(stream.sharpe(given.data.periods_per_year)), (seed, role)
            assert card.max_drawdown == near(stream.drawdown), (seed, role)
        shown = right.shown
        assert (verdict.gain, verdict.standard_error) == (near(shown.gain), near(shown.error)), seed
        assert (verdict.bound, verdict.detectable_gain) == (near(shown.bound), near(right.detectable)), seed
        if shown.error is None or shown.error > CLOSE:  # of no error at all there is no p
            assert verdict.p == near(right.p), seed
        assert [(gate.name, gate.passed) for gate in verdict.gates] == right.gates, seed
        assert (verdict.answer, verdict.decided_by) == (right.answer, right.decided_by), seed
        assert glossary.of_gates(verdict.gates).keys() == {name for gate in verdict.gates for name in gate.numbers}, (
            seed
        )
        for gate in verdict.gates:
            if gate.name == "saves" and right.capital is not None:
                told = gate.numbers["champion_alone_lost"], gate.numbers["champion_alone_lost_bound"]
                assert told == (near(right.capital.lost), near(right.capital.lost_bound)), seed
        assert differences(document(found, verdict, given.data)) == [], seed


def test_the_books_come_to_every_verdict() -> None:
    """The comparison above says something of each gate only if each decides some book."""
    decided = Counter((right.answer, right.decided_by) for right in map(ruled, range(BOOKS)))
    assert decided.keys() >= {
        ("promote", "all gates"),
        *(("keep", gate) for gate in ("distinct", "better", "saves", "drawdown", "ungated")),
        *(("undecided", gate) for gate in ("enough", "defined", "bound", "saves", "selective", "plausible")),
    }


def of_days(daily: Any) -> Stream:
    """A stream that has nothing exposed."""
    returns, none = np.array(daily, dtype=float), np.zeros(0, dtype=bool)
    return Stream(none, none, returns, np.zeros(len(returns)), returns)


@pytest.mark.parametrize("name", ["floor", "floor_clustered"])
def test_the_reference_has_the_golden_floor(golden_2: dict[str, Any], name: str) -> None:
    row = golden_2["floor"] | golden_2[name]
    pool = Pool(np.array(row["pool"]), np.array(row["pool_weeks"]))
    ours, theirs = of_days(row["a"]), of_days(row["b"])
    found = referee.by_sharpe(ours, theirs, pool, (row["weeks_a"], row["weeks_b"]), 1.55, 1)
    assert (found.gain, found.error) == (near(golden_2["floor"]["delta"]), near(row["se"]))
    assert (found.dof, found.critical) == (row["dof"], near(row["critical_at_z_1_55"]))


def test_the_reference_has_the_golden_saves(golden_2: dict[str, Any]) -> None:
    row, pooled = golden_2["saves"], golden_2["floor"]
    pool = Pool(np.array(pooled["pool"]), np.array(pooled["pool_weeks"]))
    ours, theirs = of_days(row["a"]), of_days(row["b"])
    found = referee.by_capital(ours, theirs, pool, (row["weeks_a"], row["weeks_b"]), 1.55, 252)
    assert (found.gain, found.error) == (near(row["gain"]), near(row["error"]))
    assert (found.bound, found.dof) == (near(row["bound"]), row["dof"])
