"""Promotion rule on odd models: same decisions, none approved, undefined Sharpe, first model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from gatekeeper.judgement import Policy, judge

Make = Callable[..., Any]
ORDER = ["comparable", "enough", "defined", "distinct", "better", "drawdown", "bound", "plausible"]
OTHER = np.arange(40) > 0


def test_one_day_only(card: Make, policy: Policy) -> None:
    """Case 42: one day has no Sharpe: undecided, with the numbers."""
    verdict = judge(card([0.01]), card([0.02], kept=OTHER), structs.replace(policy, floor_days=1))
    assert (verdict.answer, verdict.decided_by) == ("undecided", "defined")
    assert verdict.gate("defined").numbers == {"days": 1, "challenger_sharpe": None, "champion_sharpe": None}


def test_constant_returns_win_nothing(pair: Any, card: Make, small: Policy) -> None:
    """Case 29: an infinite Sharpe would beat everything; what was made of capital does not."""
    verdict = judge(card([0.001] * 10, sha256="c"), pair[1], small)
    assert (verdict.answer, verdict.decided_by) == ("undecided", "saves")
    assert abs(verdict.gain) < 10


def test_no_history_is_no_zero(pair: Any, card: Make, small: Policy) -> None:
    """Case 40: a model without a Sharpe doesn't win over a negative one by that."""
    losing = replace(pair[1], daily=-pair[0].daily, sharpe=-1.0)
    verdict = judge(card([0.0] * 10, kept=np.zeros(40, dtype=bool)), losing, small)
    assert verdict.answer == "undecided"
    assert not {"better", "bound"} & {gate.name for gate in verdict.gates}
    assert verdict.gate("defined").numbers["challenger_sharpe"] is None


def test_same_decisions(pair: Any, small: Policy) -> None:
    """Case 50: every idea decided alike: keep, gain 0, p null."""
    challenger, _ = pair
    twin = replace(challenger, name="gatekeeper_primary1", sha256="b")
    verdict = judge(challenger, twin, small)
    assert (verdict.answer, verdict.decided_by) == ("keep", "distinct")
    assert (verdict.gain, verdict.standard_error, verdict.p, verdict.differing) == (0, 0, None, 0)
    assert "same decisions" in verdict.message
    assert [gate.name for gate in verdict.gates] == ORDER


def test_other_decisions_that_change_no_day_are_the_same(pair: Any, small: Policy) -> None:
    challenger, _ = pair
    twin = replace(challenger, name="gatekeeper_primary1", sha256="b", kept=OTHER)
    verdict = judge(challenger, twin, small)
    assert (verdict.answer, verdict.decided_by, verdict.differing) == ("keep", "distinct", 1)


def test_larger_stakes_are_no_gain(pair: Any, card: Make, small: Policy) -> None:
    """Case 50: 1.5 times the other's returns: error zero, not NaN; keep."""
    verdict = judge(card(1.5 * pair[1].daily, sha256="c"), pair[1], small)
    assert (verdict.answer, verdict.decided_by) == ("keep", "better")
    assert (verdict.gain, verdict.standard_error, verdict.p) == (0, 0, None)
    assert verdict.bound == 0


def test_same_bytes_ask_no_other_gate(pair: Any, small: Policy) -> None:
    challenger, champion = pair
    verdict = judge(challenger, replace(champion, sha256="a"), small)
    assert (verdict.answer, verdict.decided_by, verdict.p) == ("keep", "distinct", None)
    assert [gate.name for gate in verdict.gates] == ["distinct"]
    assert "same decisions" in verdict.message
    other = judge(replace(challenger, threshold=0.5), replace(champion, sha256="a", threshold=0.6), small)
    assert [gate.name for gate in other.gates] == ORDER


@pytest.mark.parametrize("count", [0, 5])
def test_champion_that_keeps_too_few(pair: Any, card: Make, small: Policy, count: int) -> None:
    """Cases 54 and 91: such a champion once could never be beaten; now a challenger must make something of capital."""
    idle = card([0.0] * 10, name="gatekeeper_primary1", kept=np.arange(40) < count, sha256="b")
    choosy = replace(pair[0], kept=OTHER)
    verdict = judge(choosy, idle, structs.replace(small, safe_tolerance=5.0))
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("promote", "all gates", False)
    assert f"champion entered {count} trades (floor 30)" in verdict.gate("saves").text


def test_champion_without_a_sharpe_is_judged_too(pair: Any, card: Make, small: Policy) -> None:
    """Case 54, the rest of its kind: trades enough, but returns that have no Sharpe."""
    flat = card([0.0] * 10, name="gatekeeper_primary1", kept=OTHER, sha256="b")
    verdict = judge(pair[0], flat, small)
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("undecided", "saves", False)


def test_challenger_that_vetoes_nearly_all_is_judged_by_what_it_saves(pair: Any, card: Make, small: Policy) -> None:
    """Cases 41 and 91: trading less is no skill where the champion made money, and saves it where that loses."""
    shy = card([0.0] * 10, kept=np.arange(40) < 2, sha256="c")
    verdict = judge(shy, pair[1], small)
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("keep", "saves", False)
    losing = card([-0.001, -0.002] * 5, name="gatekeeper_primary1", kept=OTHER, sha256="b")
    assert judge(shy, losing, small).answer == "promote"


def test_challenger_that_approves_nothing_or_everything_needs_a_person(pair: Any, card: Make, small: Policy) -> None:
    """Case 91: where capital is compared it never becomes the primary alone, whatever it saves."""
    losing = card([-0.02, -0.021] * 5, name="gatekeeper_primary1", kept=OTHER, sha256="b")
    nothing, everything = np.zeros(40, dtype=bool), np.ones(40, dtype=bool)
    for kept, daily, champion in (
        (nothing, [0.0] * 10, losing),
        (everything, pair[0].daily, replace(losing, kept=np.arange(40) < 29)),
    ):
        verdict = judge(card(daily, kept=kept, sha256="c", model_id=7), champion, small)
        assert (verdict.answer, verdict.decided_by, verdict.alert) == ("undecided", "selective", True)
        assert [gate.name for gate in verdict.gates if not gate.passed] == ["selective"]
        assert "needs a person: gatekeeper promote -i 7 --reason" in verdict.message


def test_challenger_that_approves_everything_with_enough_trades_is_judged_by_its_sharpe(
    pair: Any, card: Make, small: Policy
) -> None:
    """30 trades of the champion are enough: no person is asked, whether the challenger is better or worse."""
    challenger, champion = pair[0], replace(pair[1], kept=np.arange(40) < 30)
    assert challenger.kept_trades == challenger.ideas
    verdict = judge(challenger, champion, small)
    assert (verdict.answer, [gate.name for gate in verdict.gates]) == ("promote", ORDER)
    worse = replace(challenger, daily=champion.daily - 0.001, sharpe=-1.0)
    assert judge(worse, champion, small).decided_by == "better"


def test_nothing_against_nothing_is_undecided(card: Make, small: Policy) -> None:
    idle = card([0.0] * 10, kept=np.arange(40) < 2, sha256="a")
    verdict = judge(idle, replace(idle, kept=np.arange(40) < 3, sha256="b"), small)
    assert (verdict.answer, verdict.decided_by, verdict.gain) == ("undecided", "defined", None)


def test_both_keep_everything(pair: Any, small: Policy) -> None:
    """Case 42: all kept by both: same decisions."""
    verdict = judge(pair[0], replace(pair[0], sha256="b"), small)
    assert (verdict.answer, verdict.decided_by) == ("keep", "distinct")


def test_fewer_ideas_than_the_floor_are_compared_in_capital(pair: Any, small: Policy) -> None:
    """Case 42: 12 ideas in the window can't make 30 trades."""
    cards = [replace(each, kept=np.arange(12) < count) for each, count in zip(pair, (11, 10), strict=True)]
    verdict = judge(*cards, small)
    assert "saves" in {gate.name for gate in verdict.gates}
    assert "challenger approved 11 of 12" in verdict.gate("enough").text


def test_ungated_stands_beside_the_two(pair: Any, card: Make, small: Policy) -> None:
    """Case 41: the figure of no gate at all is in the numbers."""
    ungated = card([0.004, -0.001] * 5, name="ungated")
    verdict = judge(*pair, small, ungated)
    assert verdict.gate("defined").numbers["ungated_sharpe"] == ungated.sharpe
    assert "ungated" in verdict.gate("defined").text


def test_bootstrap(pair: Any, card: Make, small: Policy) -> None:
    challenger, _ = pair
    ungated = card(challenger.daily - 0.001, name="ungated")
    verdict = judge(challenger, None, small, ungated)
    assert (verdict.answer, verdict.kind, verdict.alert) == ("promote", "bootstrap", False)
    assert [gate.name for gate in verdict.gates] == [*ORDER[:3], "plausible", "ungated"]
    assert "WARNING" not in verdict.message
    assert judge(challenger, None, small).answer == "promote"


def test_bootstrap_that_made_less_than_ungated_is_loud(pair: Any, card: Make, small: Policy) -> None:
    challenger, _ = pair
    verdict = judge(challenger, None, small, card(challenger.daily + 0.001, name="ungated"))
    assert (verdict.answer, verdict.alert) == ("promote", True)
    assert "made LESS than taking every idea" in verdict.message
    assert "0.019 of capital" in verdict.message
    assert "0.029 ungated" in verdict.message
    equal = judge(challenger, None, small, card(challenger.daily, name="ungated"))
    assert "LESS" not in equal.message


def test_bootstrap_needs_enough_and_defined(pair: Any, small: Policy) -> None:
    challenger, _ = pair
    for fault, gate in (({"kept": np.arange(40) < 29}, "enough"), ({"sharpe": None}, "defined")):
        verdict = judge(replace(challenger, **fault), None, small)
        assert (verdict.answer, verdict.decided_by, verdict.kind) == ("undecided", gate, "bootstrap")


def test_losing_challenger_may_bootstrap(card: Make, small: Policy) -> None:
    """Without any gate all ideas would be taken: `enough` and `defined` are all that is asked."""
    assert judge(card([-0.01, -0.02, 0.001] * 4), None, small).answer == "promote"
