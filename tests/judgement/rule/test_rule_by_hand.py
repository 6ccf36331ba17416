"""Promotion rule, by hand arithmetic: days needed under each policy, which gates are asked, and what each may decide.

The golden ten days: the challenger is ahead by 0.0958 a day's Sharpe, with an error of 0.0506 (tests/golden.json).
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs
from scipy import stats

from gatekeeper.documents.evaluation import Gate, Refit
from gatekeeper.judgement import Policy, Scorecard, judge
from gatekeeper.judgement.rule.gains import between

Make = Callable[..., Any]

GATES = ["comparable", "enough", "defined", "distinct", "better", "drawdown", "bound", "plausible"]
DAYS = 10
DOF = 39
"""Of the evidence in conftest.py."""
REFIT = Refit("gatekeeper_3", "c", 0.55, datetime(2018, 11, 2, tzinfo=UTC), 3, limit=0.1, both_kept=20, both_vetoed=20)


def league(passed: bool | None, detectable: float | None) -> Gate:
    """What the league says of the challenger as one of many."""
    return Gate("league", passed, {"detectable_gain": detectable}, "as one of many")


def error_of(golden: dict[str, Any]) -> float:
    return golden["sharpe_difference_unit_free"]["ten_days"]["se_hac"] * math.sqrt(252)


def critical(z: float) -> float:
    """z as a quantile of t."""
    return float(stats.t.isf(stats.norm.sf(z), DOF))


# How long it would take


@pytest.mark.parametrize(("name", "tolerance"), [("safe", 0.5), ("proven", 0.0)])
@pytest.mark.parametrize("z", [2.11, 3.09])
@pytest.mark.parametrize("interest", [0.3, 0.5])
def test_days_needed_are_those_that_would_show_the_gain_of_interest(
    pair: Any, golden: dict[str, Any], small: Policy, name: Any, tolerance: float, z: float, interest: float
) -> None:
    """Case 113: a bound over minus the tolerance is shown by an error of (gain of interest + tolerance) / (z + z).

    The error falls with the root of the days, so T days need T x ((z + z) x error / (interest + tolerance))^2.
    """
    policy = structs.replace(small, name=name, z=z, gain_of_interest=interest)
    reach = (critical(z) + stats.norm.ppf(0.8)) * error_of(golden)
    gain = between(*pair, policy).shown
    assert gain.days_needed == math.ceil(DAYS * (reach / (interest + tolerance)) ** 2)
    assert gain.detectable == pytest.approx(reach - tolerance, abs=1e-7)
    assert judge(*pair, policy).gate("bound").numbers["days_needed"] == gain.days_needed
    assert judge(*pair, policy).gate("bound").numbers["tolerance"] == tolerance


def test_the_default_policy_says_how_long_a_window_it_needs(pair: Any, golden: dict[str, Any], small: Policy) -> None:
    """Case 113: `safe`, with a bound of -1.17 under -0.5; 252 market days are 365 days, rounded up to tens."""
    policy = structs.replace(small, z=3.09)
    assert policy.name == "safe"
    reach = (critical(3.09) + stats.norm.ppf(0.8)) * error_of(golden)
    needed = math.ceil(DAYS * reach**2)  # 0.5 + 0.5 is one
    verdict = judge(*pair, policy)
    assert (verdict.answer, verdict.decided_by) == ("undecided", "bound")
    assert verdict.bound == pytest.approx(
        golden["sharpe_difference"]["ten_days"]["delta"] * math.sqrt(252) - critical(3.09) * error_of(golden),
        abs=1e-7,
    )
    assert f" {math.ceil(needed * 365 / 252 / 10) * 10} days" in verdict.message


def test_what_would_take_ages_takes_a_million_days(pair: Any, small: Policy) -> None:
    policy = structs.replace(small, name="proven", gain_of_interest=1e-6)
    assert between(*pair, policy).shown.days_needed == 1_000_000


def test_better_has_a_bound_and_no_power(pair: Any, golden: dict[str, Any], small: Policy) -> None:
    """It asks for none, so that no number of days would show anything; what the bound is, it says all the same."""
    gain = between(*pair, structs.replace(small, name="better")).shown
    safe = between(*pair, small).shown
    assert (gain.detectable, gain.days_needed) == (None, None)
    assert (gain.value, gain.standard_error, gain.bound) == (safe.value, safe.standard_error, safe.bound)
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    assert gain.p == pytest.approx(stats.t.sf(row["delta"] / row["se_hac"], DOF), abs=1e-9)
    verdict = judge(*pair, structs.replace(small, name="better"))
    assert (verdict.gate("bound").passed, verdict.gate("bound").numbers["bound"]) == (True, gain.bound)


def test_four_days_have_a_gain_and_no_error(card: Make, policy: Policy) -> None:
    a, b = [0.01, -0.02, 0.015, 0.003], [0.008, -0.018, 0.011, 0.004]
    gain = between(card(a), card(b), policy).shown
    assert gain.value == pytest.approx(card(a).sharpe - card(b).sharpe, abs=1e-9)
    assert (gain.standard_error, gain.bound, gain.p, gain.detectable, gain.days_needed) == (None,) * 5


def test_no_champion_and_other_days_are_no_gain(card: Make, policy: Policy) -> None:
    a = card([0.01, -0.02, 0.015, 0.003, 0.02])
    for champion in (None, card([0.01, -0.02])):
        assert between(a, champion, policy).shown.value is None
    flat = card([0.0] * 5)
    assert between(flat, flat, policy).shown.value is None


def test_a_gain_of_a_billionth_counts_on_either_side_of_zero(card: Make, small: Policy) -> None:
    """A gain under 1e-9 of annual Sharpe is rounding, in either direction: 6e-12 on the first day makes 7.7e-10."""
    base = np.array([0.01, -0.02, 0.015, 0.003, -0.007, 0.012, 0.0, -0.004, 0.009, 0.001])
    for nudge in (6e-12, -6e-12):
        more = base.copy()
        more[0] += nudge
        assert abs(card(more).sharpe - card(base).sharpe) == pytest.approx(7.7e-10, rel=0.01)
        assert between(card(more), card(base), small).shown.value == 0.0
    for nudge, sign in ((1e-11, 1), (-1e-11, -1)):
        more = base.copy()
        more[0] += nudge
        assert math.copysign(1, between(card(more), card(base), small).shown.value) == sign
        assert abs(between(card(more), card(base), small).shown.value) > 1e-9


# Which gates are asked


def test_the_very_same_bytes_under_the_same_threshold_are_asked_nothing_else(pair: Any, small: Policy) -> None:
    """Even where the two were measured to differ: bytes decide."""
    challenger, champion = (replace(each, sha256="same", threshold=0.55) for each in pair)
    verdict = judge(challenger, champion, small, kind="recovery")
    assert (verdict.answer, verdict.decided_by, verdict.kind) == ("keep", "distinct", "recovery")
    assert [(gate.name, gate.passed) for gate in verdict.gates] == [("distinct", False)]
    assert (verdict.gain, verdict.differing, verdict.policy) == (0.0, 0, "safe")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (("same", 0.55), ("same", 0.6)),
        ((None, 0.55), (None, 0.55)),
        (("a", 0.55), ("b", 0.55)),
        ((None, 0.55), ("b", 0.55)),
    ],
)
def test_another_threshold_or_unknown_bytes_are_another_model(pair: Any, small: Policy, ours: Any, theirs: Any) -> None:
    challenger, champion = (
        replace(each, sha256=sha256, threshold=threshold)
        for each, (sha256, threshold) in zip(pair, (ours, theirs), strict=True)
    )
    verdict = judge(challenger, champion, small)
    assert [gate.name for gate in verdict.gates] == GATES
    assert verdict.answer == "promote"


def test_the_league_and_the_refit_are_asked_last(pair: Any, small: Policy) -> None:
    verdict = judge(*pair, small, many=league(True, 0.3), refit=REFIT)
    assert [gate.name for gate in verdict.gates] == [*GATES, "league", "alike"]
    assert verdict.answer == "promote"
    assert [gate.name for gate in judge(*pair, small, many=league(True, 0.3)).gates] == [*GATES, "league"]
    assert [gate.name for gate in judge(*pair, small, refit=REFIT).gates] == [*GATES, "alike"]
    first = judge(pair[0], None, small, many=league(True, None), refit=REFIT)
    assert [gate.name for gate in first.gates] == [*GATES[:3], "plausible", "league", "alike"]
    assert judge(*pair, small, many=league(None, None)).decided_by == "league"


def test_either_without_a_sharpe_is_compared_in_capital(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    for cards in ((replace(challenger, sharpe=None), champion), (challenger, replace(champion, sharpe=None))):
        verdict = judge(*cards, small)
        assert [verdict.gate("defined").numbers[f"{role}_sharpe"] for role in ("challenger", "champion")] == [
            cards[0].sharpe,
            cards[1].sharpe,
        ]
        assert "one of the two has no Sharpe ratio" in verdict.gate("saves").text
        assert not {"better", "bound"} & {gate.name for gate in verdict.gates}


def test_the_numbers_of_all_three_streams_are_told(pair: Any, card: Make, small: Policy) -> None:
    challenger, champion = pair
    ungated = card([0.002, -0.01, 0.004, 0.001, 0.0, 0.003, 0.001, -0.002, 0.005, 0.001], name="ungated")
    numbers = judge(challenger, champion, small, ungated).gate("defined").numbers
    assert numbers == {
        "days": DAYS,
        "challenger_sharpe": challenger.sharpe,
        "champion_sharpe": champion.sharpe,
        "ungated_sharpe": ungated.sharpe,
    }


def test_a_first_primary_that_makes_less_than_taking_every_idea_alerts(pair: Any, card: Make, small: Policy) -> None:
    challenger, _ = pair
    for total, alert in ((challenger.total_return + 0.001, True), (challenger.total_return, False)):
        ungated = card(challenger.daily, name="ungated", total_return=total)
        verdict = judge(challenger, None, small, ungated)
        assert (verdict.answer, verdict.kind, verdict.alert) == ("promote", "bootstrap", alert)


def test_only_different_windows_are_said_to_be_different(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    assert "different windows" not in judge(challenger, champion, small).gate("comparable").text
    other = replace(champion, window=structs.replace(champion.window, start=datetime(2017, 11, 1, tzinfo=UTC)))
    assert "different windows" in judge(challenger, other, small).gate("comparable").text


# What decides


def test_other_decisions_with_the_same_returns_are_the_same_model(pair: Any, small: Policy) -> None:
    """An idea that one vetoes and that earned nothing shows nothing."""
    challenger, champion = pair
    twin = replace(champion, daily=challenger.daily, sharpe=challenger.sharpe)
    verdict = judge(challenger, twin, small)
    assert (verdict.answer, verdict.decided_by, verdict.differing) == ("keep", "distinct", 1)
    same = judge(challenger, replace(champion, kept=challenger.kept), small)
    assert (same.answer, same.decided_by, same.differing) == ("keep", "distinct", 0)


def test_drawdown_is_rounded_by_a_billionth_of_a_thousandth(pair: Any, small: Policy) -> None:
    """0.05 more than a champion without a loss, and 1e-12 that is rounding; the next number is too deep."""
    challenger, champion = pair
    for depth, passed in ((0.05 + 1e-12, True), (math.nextafter(0.05 + 1e-12, 1), False)):
        verdict = judge(replace(challenger, max_drawdown=depth), replace(champion, max_drawdown=0.0), small)
        assert verdict.gate("drawdown").passed is passed


@pytest.mark.parametrize(
    ("name", "detectable", "answer"),
    [
        ("proven", 0.6, "undecided"),  # both fail, for want of days
        ("safe", 0.6, "undecided"),  # the league alone
        ("safe", 0.5, "keep"),  # it would have seen a gain of 0.5
        ("safe", None, "keep"),
    ],
)
def test_a_league_that_could_not_have_seen_the_gain_is_undecided(
    pair: Any, small: Policy, name: Any, detectable: float | None, answer: str
) -> None:
    verdict = judge(*pair, structs.replace(small, name=name), many=league(False, detectable))
    failed = {"proven": ["bound", "league"], "safe": ["league"]}[name]
    assert [gate.name for gate in verdict.gates if not gate.passed] == failed
    assert verdict.answer == answer


def test_only_the_test_that_failed_excuses(pair: Any, small: Policy) -> None:
    """The bound passes, and could have shown only 0.52; the league could have shown 0.1, and shows nothing: keep."""
    gain = between(*pair, small).shown
    policy = structs.replace(small, gain_of_interest=gain.detectable / 2)
    assert judge(*pair, policy).answer == "promote"
    assert judge(*pair, policy, many=league(False, gain.detectable / 4)).answer == "keep"
    assert judge(*pair, policy, many=league(False, gain.detectable)).answer == "undecided"


def test_what_is_no_question_of_days_is_kept(pair: Any, small: Policy) -> None:
    """A league that saw too little excuses no refit that decides otherwise, and no deeper fall."""
    apart = structs.replace(REFIT, only_refit=20, both_kept=0)
    assert judge(*pair, small, many=league(False, 9.0), refit=apart).answer == "keep"
    deep = replace(pair[0], max_drawdown=1.0)
    assert judge(deep, pair[1], small, many=league(False, 9.0)).answer == "keep"


def test_what_was_passed_over_was_not_traded(pair: Any, small: Policy) -> None:
    """Ideas that were passed over, since as many positions were open as may be, were not taken."""
    challenger, champion = pair
    for cards in ((replace(challenger, passed_over=11), champion), (challenger, replace(champion, passed_over=10))):
        assert "saves" in {gate.name for gate in judge(*cards, small).gates}
    assert judge(replace(challenger, passed_over=10), replace(champion, passed_over=9), small).answer == "promote"


# The policies


def test_a_policy_tells_all_its_numbers(policy: Policy) -> None:
    """The defaults of an operator who set nothing: design and settings name these figures."""
    told = {**structs.asdict(policy), "tolerance": policy.tolerance}
    expected = {
        "name": "safe",
        "safe_tolerance": 0.5,
        "z": 2.11,
        "tests_a_year": 52,
        "safe_budget": 0.5,
        "proven_budget": 1.0,
        "margin": 0.0,
        "floor_trades": 30,
        "floor_days": 60,
        "drawdown_allowance": 0.05,
        "gain_of_interest": 0.5,
        "power": 0.8,
        "periods_per_year": 252,
        "risk_free": 0.0,
        "tolerance": 0.5,
    }
    assert expected.items() <= told.items()
    assert [policy.with_name(name).tolerance for name in ("better", "safe", "proven")] == [None, 0.5, 0.0]


def test_a_card_is_told_apart_by_its_role(pair: tuple[Scorecard, Scorecard], small: Policy) -> None:
    challenger, champion = replace(pair[0], kept=np.arange(40) < 35), replace(pair[1], kept=np.arange(40) < 33)
    numbers = judge(challenger, champion, small).gate("enough").numbers
    assert (numbers["challenger_kept"], numbers["champion_kept"], numbers["ideas"]) == (35, 33, 40)
    assert judge(challenger, champion, small).differing == 2


def test_a_policy_comes_back_from_its_record_number_by_number(small: Policy) -> None:
    """What a document holds is what `verify` judges by, years later."""
    held = json.dumps(msgspec.to_builtins(small))
    assert msgspec.json.decode(held, type=Policy) == small
    with pytest.raises(ValueError, match="nobody"):
        msgspec.json.decode(held.replace('"safe"', '"nobody"'), type=Policy)
