"""Promotion rule: the order of its gates, each boundary from both sides, and its messages."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from msgspec import structs
from scipy import stats

from gatekeeper.documents import serialization
from gatekeeper.judgement import Policy, Scorecard, Verdict, Window, judge, max_drawdown, policy_of, sharpe_ratio
from gatekeeper.settings import Settings

Make = Callable[..., Any]
ORDER = ["comparable", "enough", "defined", "distinct", "better", "drawdown", "bound", "plausible"]
DOF = 39
"""Of the evidence in conftest.py."""
OTHER = np.arange(40) > 0
CLOSE = pytest.approx


def test_numbers_of_the_golden_ten_days(pair: Any, small: Policy, golden: dict[str, Any]) -> None:
    """Annual gain and error are the golden ones x sqrt(252); the bound takes the 2.11 of `safe` off, as t of 39."""
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    verdict = judge(*pair, small)
    gain, error = row["delta"] * math.sqrt(252), row["se_hac"] * math.sqrt(252)
    assert verdict.gain == CLOSE(gain, abs=1e-9)
    assert verdict.standard_error == CLOSE(error, abs=1e-9)
    critical = stats.t.isf(stats.norm.sf(2.11), DOF)
    assert verdict.bound == CLOSE(gain - critical * error, abs=1e-7)
    assert verdict.detectable_gain == CLOSE((critical + 0.841621234) * error - 0.5, abs=1e-7)
    assert verdict.p == CLOSE(stats.t.sf((gain + 0.5) / error, DOF), abs=1e-9)
    assert verdict.differing == 1
    assert [gate.name for gate in verdict.gates] == ORDER
    assert (verdict.answer, verdict.decided_by, verdict.kind) == ("promote", "all gates", "weekly")


def test_three_policies_differ_by_the_bound_alone(pair: Any, small: Policy) -> None:
    """The bound is -0.24 with one z for all: `better` asks for none, `safe` allows 0.5 below zero, `proven` nothing."""
    critical = stats.t.isf(stats.norm.sf(2.11), DOF)
    assert judge(*pair, small).bound == CLOSE(1.5215529 - critical * 0.8038900, abs=1e-5)
    answers = {name: judge(*pair, structs.replace(small, name=name)).answer for name in ("better", "safe", "proven")}
    assert answers == {"better": "promote", "safe": "promote", "proven": "undecided"}
    assert judge(*pair, small.with_name("better")).detectable_gain is None


def test_first_failing_gate_decides(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    few = np.arange(40) < 29
    short = {
        "daily": challenger.daily[:4],
        "exposed": challenger.exposed[:4],
        "sharpe": None,
        "kept": np.arange(40) < 39,
    }
    faults: dict[str, tuple[Scorecard, Policy]] = {
        "comparable": (replace(challenger, out_of_sample=False), small),
        "enough": (challenger, structs.replace(small, floor_days=11)),
        "defined": (replace(challenger, **short), small),
        "distinct": (replace(challenger, kept=champion.kept), small),
        "better": (challenger, structs.replace(small, margin=2)),
        "drawdown": (replace(challenger, max_drawdown=1.0), small),
        "bound": (challenger, structs.replace(small, name="proven")),
        "selective": (challenger, small),  # beside a champion of few trades
        "plausible": (replace(challenger, sharpe=5.1), small),
    }
    for name, (card, policy) in faults.items():
        other = {
            "defined": replace(champion, daily=champion.daily[:4], exposed=champion.exposed[:4]),
            "selective": replace(champion, kept=few),
        }
        verdict = judge(card, other.get(name, champion), policy)
        assert verdict.decided_by == name
        failed = [name, "saves"] if name == "defined" else [name]  # four days
        assert [gate.name for gate in verdict.gates if not gate.passed] == failed
        assert verdict.answer == ("keep" if name in ("distinct", "better", "drawdown") else "undecided")
        assert name in verdict.message
    # With all faults at once, the first in order decides, though each is told.
    worst = replace(challenger, out_of_sample=False, sharpe=9.0, kept=champion.kept, max_drawdown=1.0)
    verdict = judge(worst, champion, structs.replace(small, floor_days=11, margin=2, name="proven"))
    assert (verdict.answer, verdict.decided_by) == ("undecided", "comparable")
    assert [gate.name for gate in verdict.gates if gate.passed] == ["defined"]


def test_better_is_strictly_over_the_margin(pair: Any, small: Policy) -> None:
    gain = judge(*pair, small).gain
    assert judge(*pair, structs.replace(small, margin=gain)).decided_by == "better"
    assert judge(*pair, structs.replace(small, margin=gain)).answer == "keep"
    assert judge(*pair, structs.replace(small, margin=math.nextafter(gain, 0))).answer == "promote"


def test_a_gain_under_a_billionth_is_zero(card: Make, small: Policy) -> None:
    """Two streams whose annual Sharpe differs by rounding only: not better."""
    base = np.array([0.01, -0.02, 0.015, 0.003, -0.007, 0.012, 0.0, -0.004, 0.009, 0.001])
    for nudge, answer, gain in ((1e-13, "keep", 0.0), (1e-11, "promote", None)):
        more = base.copy()
        more[0] += nudge
        verdict = judge(card(more, sha256="a"), card(base, kept=OTHER, sha256="b"), small)
        raw = card(more).sharpe - card(base).sharpe
        assert 0 < raw < 1e-9 if gain == 0.0 else raw > 1e-9
        assert verdict.answer == answer
        assert verdict.gain == (gain if gain == 0.0 else CLOSE(raw, rel=1e-3))


def test_bound_is_strictly_over_minus_the_tolerance(pair: Any, small: Policy) -> None:
    bound = judge(*pair, small).bound
    assert bound < 0
    assert judge(*pair, structs.replace(small, safe_tolerance=-bound)).decided_by == "bound"
    assert judge(*pair, structs.replace(small, safe_tolerance=math.nextafter(-bound, 1))).answer == "promote"


def test_undecided_only_where_a_gain_of_interest_could_have_gone_unseen(pair: Any, small: Policy) -> None:
    """Over the gain of interest: undecided, with the number; at it: keep."""
    proven = structs.replace(small, name="proven")
    detectable = judge(*pair, proven).detectable_gain
    at = judge(*pair, structs.replace(proven, gain_of_interest=detectable))
    under = judge(*pair, structs.replace(proven, gain_of_interest=math.nextafter(detectable, 0)))
    assert (at.answer, under.answer) == ("keep", "undecided")
    assert f"{detectable:.4g}"[:4] in under.message
    # Where another gate fails as well, it's no question of power.
    assert judge(*pair, structs.replace(proven, gain_of_interest=0.1, margin=2)).answer == "keep"


def test_drawdown_may_reach_the_allowance(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    for champions in (0.0, 0.02, 0.1, 0.7, 1 / 3):
        limit = champions + 0.05
        old = replace(champion, max_drawdown=champions)
        assert judge(replace(challenger, max_drawdown=limit), old, small).answer == "promote"
        deeper = judge(replace(challenger, max_drawdown=limit + 1e-9), old, small)
        assert (deeper.answer, deeper.decided_by) == ("keep", "drawdown")


@pytest.mark.parametrize("side", [0, 1])
def test_trades_at_the_floor_are_compared_by_sharpe_and_fewer_in_capital(pair: Any, small: Policy, side: int) -> None:
    """Case 42: 30 are enough for a Sharpe ratio, 29 are not, for either."""
    for count, gates in ((30, ORDER), (29, [*ORDER[:4], "drawdown", "saves", "selective", "plausible"])):
        cards = list(pair)
        cards[side] = replace(cards[side], kept=np.arange(40) < count)
        verdict = judge(*cards, small)
        assert [gate.name for gate in verdict.gates] == gates
        assert verdict.gate("enough").numbers[("challenger_kept", "champion_kept")[side]] == count
        assert verdict.gate("enough").numbers["floor_trades"] == (30 if count == 30 else None)
    assert "entered 29 trades (floor 30)" in verdict.gate("saves").text


def test_days_at_the_floor_are_enough(card: Make, policy: Policy) -> None:
    """60 market days are enough, 59 are not; the date is named."""
    returns = np.random.default_rng(0).normal(0.001, 0.01, 60)
    better, worse = returns + 0.002 * (np.arange(60) % 2), returns
    safe = structs.replace(policy, safe_tolerance=50)
    assert judge(card(better), card(worse, kept=OTHER), safe).answer == "promote"
    short = Window(
        datetime(2018, 8, 14, tzinfo=UTC), datetime(2018, 10, 15, tzinfo=UTC), datetime(2018, 11, 5, tzinfo=UTC), 59,
        "the data of gatekeeper_primary1", date(2018, 11, 6),
    )  # fmt: skip
    verdict = judge(card(better[1:], window=short), card(worse[1:], kept=OTHER, window=short), safe)
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("undecided", "enough", False)
    assert "2018-11-06" in verdict.message
    assert verdict.gate("enough").numbers["ready"] == "2018-11-06"


@pytest.mark.parametrize(("end", "days"), [("2018-08-14", 58), ("2018-08-13", 58), ("2018-10-15", 0)])
def test_empty_or_negative_window_is_undecided(card: Make, policy: Policy, end: str, days: int) -> None:
    """Case 53: never comparable for now; the verdict says from when on."""
    window = Window(
        datetime(2018, 8, 14, tzinfo=UTC), datetime.fromisoformat(end).replace(tzinfo=UTC),
        datetime(2018, 11, 5, tzinfo=UTC), days, "the creation of gatekeeper_primary1", date(2018, 11, 7),
    )  # fmt: skip
    cards = [card([0.0] * days, window=window, kept=[], sharpe=None) for _ in range(2)]
    verdict = judge(*cards, policy)
    assert (verdict.answer, verdict.decided_by) == ("undecided", "comparable")
    assert "2018-11-07" in verdict.message
    assert "creation of gatekeeper_primary1" in verdict.message


def test_window_that_no_date_will_lengthen_alerts(pair: Any, policy: Policy) -> None:
    """Case 53, the rest of its kind: a holdout too short for the floor never becomes long enough."""
    verdict = judge(*pair, policy)
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("undecided", "enough", True)
    assert "GATEKEEPER_HOLDOUT_DAYS" in verdict.message


def test_different_windows_are_not_compared(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    other = structs.replace(champion.window, start=datetime(2017, 11, 1, tzinfo=UTC))
    verdict = judge(challenger, replace(champion, window=other), small)
    assert (verdict.answer, verdict.decided_by) == ("undecided", "comparable")
    shorter = replace(champion, daily=champion.daily[1:], exposed=champion.exposed[1:], kept=champion.kept[1:])
    verdict = judge(challenger, shorter, small)
    assert (verdict.answer, verdict.decided_by, verdict.gain) == ("undecided", "comparable", None)
    assert verdict.gate("better").passed is None


def test_a_model_that_saw_the_window_is_not_compared(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    verdict = judge(challenger, replace(champion, out_of_sample=False), small)
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("undecided", "comparable", True)
    assert "gatekeeper promote -i" in verdict.message


def test_five_days_are_defined_four_are_not(card: Make, policy: Policy) -> None:
    """Case 42: the difference divides by T - 4."""
    few = structs.replace(policy, floor_days=1, safe_tolerance=1000, too_good=1000.0)
    a, b = [0.01, -0.02, 0.015, 0.003, 0.02], [0.008, -0.018, 0.011, 0.004, -0.009]
    assert judge(card(a), card(b, kept=OTHER), few).answer == "promote"
    verdict = judge(card(a[:4]), card(b[:4], kept=OTHER), few)
    assert (verdict.answer, verdict.decided_by) == ("undecided", "defined")
    assert judge(card(a[:4]), None, few).answer == "undecided"
    assert judge(card(a), None, few).answer == "promote"


def test_kind_is_kept(pair: Any, small: Policy) -> None:
    assert judge(*pair, small, kind="recovery").kind == "recovery"
    assert judge(pair[0], None, small, kind="what-if").kind == "what-if"


def test_alpha_of_older_documents_was_at_most_a_twentieth(policy: Policy) -> None:
    """Case 55, as format 2 kept it; today z is of the schedule (tests/test_schedule.py)."""
    for alpha in (0.050001, 1.0, 1.2, 0.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            structs.replace(policy, alpha=alpha, tests_a_year=None, safe_budget=None, proven_budget=None)
    with pytest.raises(ValueError, match="'best'"):
        policy.with_name("best")


def test_a_large_z_has_a_bound(pair: Any, small: Policy) -> None:
    assert judge(*pair, structs.replace(small, z=37.0)).bound < -28


def test_risk_free_rate_counts_in_the_gain(pair: Any, small: Policy) -> None:
    """Cases 30 and 88: gain = difference of the annual Sharpes over the yearly rate on what was exposed."""
    whole = [replace(each, exposed=np.ones(10)) for each in pair]
    expected = [sharpe_ratio(each.daily - (1.05 ** (1 / 252) - 1), 252) for each in pair]
    assert expected[0] == CLOSE(2.5841541393, abs=1e-9)
    at_5 = structs.replace(small, risk_free=0.05)
    assert judge(*whole, at_5).gain == CLOSE(expected[0] - expected[1], abs=1e-9)
    idle = [replace(each, exposed=np.zeros(10)) for each in pair]
    assert judge(*idle, at_5) == judge(*idle, small) == judge(*whole, small)


def test_periods_scale_gain_and_error(pair: Any, small: Policy) -> None:
    """Case 37: 365 around the clock."""
    proven = small.with_name("proven")
    there, back = judge(*pair, proven), judge(*pair, structs.replace(proven, periods_per_year=365))
    assert back.gain / there.gain == CLOSE(math.sqrt(365 / 252), rel=1e-12)
    assert back.standard_error / there.standard_error == CLOSE(math.sqrt(365 / 252), rel=1e-12)
    assert back.p == there.p


def test_verdict_survives_json(pair: Any, small: Policy) -> None:
    for verdict in (judge(*pair, small), judge(pair[0], None, small), judge(pair[0], pair[0], small)):
        assert serialization.read(serialization.written(verdict, "verdict"), Verdict, "verdict") == verdict


@given(
    st.integers(0, 2**32 - 1), st.floats(-0.02, 0.02), st.integers(5, 80), st.sampled_from(["better", "safe", "proven"])
)
@budget(max_examples=80, deadline=None)
def test_law_of_the_verdict(seed: int, edge: float, days: int, name: Any) -> None:
    """Promote if and only if every gate passed; a stricter policy never promotes what a laxer one doesn't.

    By one budget: with their own, `safe` asks for 2.11 errors less 0.5, and `proven` for 1.55 errors.
    """
    random = np.random.default_rng(seed)
    returns = random.normal(0, 0.01, (2, days)) + np.array([[edge], [0]])
    kept = random.random((2, 40)) < 0.9
    window = Window(
        datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC), days
    )
    cards = [
        Scorecard(f"m{i}", window, returns[i], np.full(days, 0.05), kept[i], sharpe_ratio(returns[i]),
                  float(returns[i].sum()), max_drawdown(returns[i]), None, True, sha256=str(i))
        for i in range(2)
    ]  # fmt: skip
    policy = policy_of(Settings(policy=name, floor_days=5, false_promotions_a_year=1.0), 252)
    verdict = judge(*cards, policy)
    failed = [gate.name for gate in verdict.gates if not gate.passed]
    assert (verdict.answer == "promote") == (not failed)
    assert verdict.decided_by == (failed[0] if failed else "all gates")
    promoted = {
        each: judge(*cards, policy.with_name(each)).answer == "promote" for each in ("better", "safe", "proven")
    }
    assert promoted["proven"] <= promoted["safe"] <= promoted["better"]
    if verdict.answer == "promote":
        assert judge(cards[1], cards[0], policy).answer != "promote"
