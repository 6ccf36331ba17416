"""Laws of the verdict: any size of the same trades, the two swapped, later data, and what beating ungated asks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from msgspec import structs

from gatekeeper.documents.evidence import Evidence
from gatekeeper.judgement import Policy, judge, policy_of, rules_of, run
from gatekeeper.judgement.backtest.daily_returns import Marks
from gatekeeper.judgement.backtest.differing_trades import made_by_each
from gatekeeper.judgement.statistics.pooled_error import differing_ideas, pooled_history
from gatekeeper.market.ideas import Dataset
from gatekeeper.settings import Settings

Make = Callable[..., Any]
FEW = [HealthCheck.function_scoped_fixture]
NUMBERS = ("gain", "standard_error", "bound", "p", "detectable_gain")


def two(card: Make, seed: int, size: float, kept: int = 40) -> tuple[Any, Any]:
    """Two models on 80 days with their evidence, all trades `size` times as large; the champion loses."""
    random = np.random.default_rng(seed)
    a, b = size * random.normal([[0.0002], [-0.0004]], 0.005, (2, 80))
    exposed = size * random.uniform(0, 0.2, (2, 80))
    pool, weeks = size * random.normal(0, 0.001, 200), np.arange(200) // 3
    ours, theirs = random.integers(0, 16, 9), random.integers(0, 16, 7)
    history = pooled_history(pool, weeks)
    evidence, swapped = (
        Evidence(differing_ideas(*sides, size * 0.001), history) for sides in ((ours, theirs), (theirs, ours))
    )
    return (
        card(a, exposed=exposed[0], sha256="a", kept=np.arange(40) < kept, evidence=evidence),
        card(b, exposed=exposed[1], sha256="b", kept=np.arange(40) > 0, evidence=swapped),
    )


@pytest.mark.parametrize("kept", [38, 12])
@given(seed=st.integers(0, 10_000), size=st.sampled_from([0.01, 0.2, 7.0]))
@budget(max_examples=12, deadline=None, suppress_health_check=FEW)
def test_any_size_of_the_same_trades_has_the_same_verdict(
    card: Make, policy: Policy, kept: int, seed: int, size: float
) -> None:
    """By Sharpe and by capital, with history and a risk-free rate."""
    rule = structs.replace(policy, risk_free=0.03, drawdown_allowance=100.0)
    one, other = (judge(*two(card, seed, each, kept), rule) for each in (1.0, size))
    assert other.answer == one.answer
    assert [(gate.name, gate.passed) for gate in other.gates] == [(gate.name, gate.passed) for gate in one.gates]
    for name in NUMBERS:
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("kept", [38, 12])
@given(seed=st.integers(0, 10_000))
@budget(max_examples=15, deadline=None, suppress_health_check=FEW)
def test_swapped_the_gain_turns_round_and_not_both_are_promoted(
    card: Make, policy: Policy, kept: int, seed: int
) -> None:
    ours, theirs = two(card, seed, 1.0, kept)
    for name in ("better", "proven"):
        rule = structs.replace(policy.with_name(name), drawdown_allowance=100.0)
        there, back = judge(ours, theirs, rule), judge(theirs, ours, rule)
        assert back.gain == pytest.approx(-there.gain, rel=1e-9, abs=1e-9)
        assert back.standard_error == pytest.approx(there.standard_error, rel=1e-9)
        assert "promote" not in (there.answer, back.answer) or there.answer != back.answer


@pytest.mark.parametrize(
    ("asked", "first", "later"),
    [("warn", "promote", "promote"), ("bootstrap", "keep", "promote"), ("always", "keep", "keep")],
)
def test_beating_ungated_is_asked_of_the_first_model_or_of_all(
    pair: Any, card: Make, small: Policy, asked: Any, first: str, later: str
) -> None:
    challenger, champion = pair
    rule = structs.replace(small, beat_ungated=asked)
    more = card(challenger.daily + 0.001, name="ungated")
    for against, answer in ((None, first), (champion, later)):
        verdict = judge(challenger, against, rule, more)
        assert verdict.answer == answer
        assert verdict.gate("ungated").passed is (answer == "promote")
        assert verdict.decided_by == ("all gates" if answer == "promote" else "ungated")
        less = replace(more, total_return=challenger.total_return - 1e-6)
        assert judge(challenger, against, rule, less).answer == "promote"
        # As much is not more.
        as_much = replace(more, total_return=challenger.total_return)
        assert judge(challenger, against, rule, as_much).answer == answer


def book(dataset: Make, ideas: Make, seed: int) -> Dataset:
    """An idea each weekday of two years, each held for up to three days."""
    random = np.random.default_rng(seed)
    days = np.arange("2016-11-01", "2018-10-20", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    rows = []
    for at, day in enumerate(days[:-3]):
        held = days[at : at + int(random.integers(1, 4))]
        rows.append((str(day), {str(each): float(random.normal(0, 0.01)) for each in held}))
    return dataset(ideas(rows))


def test_what_each_idea_makes_adds_up_to_the_daily_excess(dataset: Make, ideas: Make) -> None:
    """At 5 % on each night that it is held, weekends as one night."""
    known = book(dataset, ideas, 4)
    chosen = Settings(risk_free=0.05)
    made = made_by_each(known.ideas, rules_of(chosen, periods_per_year=252, marked=True), known.market_days)
    marks, everything = Marks.of(known.ideas, known.market_days, chosen.fraction), np.ones(len(known.ideas), dtype=bool)
    rate = 1.05 ** (1 / 252) - 1
    excess = marks.daily(everything) - rate * marks.exposed(everything)
    assert made.sum() == pytest.approx(excess.sum(), abs=1e-12)
    assert made.sum() < chosen.fraction * known.ideas.outcome.sum() - 1e-4


@given(seed=st.integers(0, 1000), scale=st.sampled_from([-3.0, 0.0, 50.0]))
@budget(max_examples=6, deadline=None, suppress_health_check=FEW)
def test_later_outcomes_leave_the_pool_and_what_was_known_of_it_alone(
    dataset: Make, ideas: Make, contender: Make, seed: int, scale: float
) -> None:
    """What came out after the window's start is not in the pool: no outcome of it moves a number of the history."""
    chosen = Settings(holdout_days=200)
    known = book(dataset, ideas, seed)
    models = contender(keeps=range(0, 600, 2), sha256="a"), contender("old", keeps=range(0, 600, 3), sha256="b")
    clean = run(known, chosen, *models)
    start = np.datetime64(clean.window.start.replace(tzinfo=None), "ns")
    assert clean.challenger.evidence.history.ideas == np.count_nonzero(known.ideas.known_at <= start) >= 30
    later = known.ideas.known_at > start
    paths = np.where(np.repeat(later, np.diff(known.ideas.path_start)), scale, 1.0) * known.ideas.path_return
    changed = replace(known.ideas, outcome=np.where(later, scale, 1.0) * known.ideas.outcome, path_return=paths)
    spoilt = run(replace(known, ideas=changed), chosen, *models)
    assert spoilt.challenger.evidence.history == clean.challenger.evidence.history
    assert spoilt.challenger.evidence.differing.champion_made != clean.challenger.evidence.differing.champion_made


@given(seed=st.integers(0, 1000), scale=st.sampled_from([-3.0, 0.0, 50.0]))
@budget(max_examples=6, deadline=None, suppress_health_check=FEW)
def test_what_is_known_after_the_as_of_changes_nothing(
    dataset: Make, ideas: Make, contender: Make, seed: int, scale: float
) -> None:
    """Pool, differing trades and verdict: as if the ideas known later were not there, or came out otherwise."""
    chosen, as_of = Settings(holdout_days=200), datetime(2018, 6, 4, 2, tzinfo=UTC)
    whole = book(dataset, ideas, seed).ideas
    later = whole.known_at > np.datetime64(as_of.replace(tzinfo=None), "ns")
    paths = np.where(np.repeat(later, np.diff(whole.path_start)), scale, 1.0) * whole.path_return
    changed = replace(whole, outcome=np.where(later, scale, 1.0) * whole.outcome, path_return=paths)
    models = contender(keeps=range(0, 600, 2), sha256="a"), contender("old", keeps=range(0, 600, 3), sha256="b")
    assert later.sum() > 50
    judged = []
    for each in (whole, changed, whole.take(~later)):
        seen = run(dataset(each, as_of=as_of), chosen, *models)
        judged.append((seen.challenger.evidence, judge(seen.challenger, seen.champion, policy_of(chosen, 252))))
    assert judged[0] == judged[1] == judged[2]
    assert judged[0][1].gain is not None
