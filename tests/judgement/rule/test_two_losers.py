"""Worthless models that looked good: two losers (case 89), and rare large losses that the window lacks (case 90)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from gatekeeper.documents.evidence import Evidence
from gatekeeper.judgement import Policy, judge
from gatekeeper.judgement.statistics.pooled_error import differing_ideas, pooled_history
from gatekeeper.judgement.statistics.sharpe import sharpe_difference

Make = Callable[..., Any]
OTHER = np.arange(40) > 0
EVEN = np.tile([1.0, -1.0], 30)


@pytest.fixture
def deep(policy: Policy) -> Policy:
    """The defaults, with any drawdown allowed."""
    return structs.replace(policy, drawdown_allowance=1.0)


def test_the_wilder_of_two_losers_is_kept_out_by_what_it_lost(card: Make, deep: Policy) -> None:
    """Case 89: -0.05 % a day ± 0.03 against -0.1 % ± 2: the second's Sharpe is better, and it lost twice as much."""
    calm, wild = card(-0.0005 + 0.0003 * EVEN, sha256="a"), card(-0.001 + 0.02 * EVEN, sha256="b", kept=OTHER)
    assert calm.sharpe < wild.sharpe < 0
    for name in ("better", "safe", "proven"):
        verdict = judge(wild, calm, deep.with_name(name))
        assert verdict.gate("better").passed
        assert (verdict.answer, verdict.gate("saves").passed) == ("keep", False)
    # -0.05 % of capital a day, by the standard deviation of the wilder, ddof 1, over a year.
    expected = -0.0005 / (0.02 * math.sqrt(60 / 59)) * math.sqrt(252)
    assert verdict.gate("saves").numbers["gain"] == pytest.approx(expected, rel=1e-9)


def test_the_calmer_of_two_losers_needs_a_better_sharpe_too(card: Make, deep: Policy) -> None:
    calm, wild = card(-0.0005 + 0.0003 * EVEN, sha256="a"), card(-0.001 + 0.02 * EVEN, sha256="b", kept=OTHER)
    verdict = judge(calm, wild, deep.with_name("better"))
    assert (verdict.answer, verdict.decided_by, verdict.gate("saves").passed) == ("keep", "better", True)
    good = card(0.0005 + 0.004 * EVEN, sha256="c")
    assert judge(good, wild, deep.with_name("better")).answer == "promote"
    winner = card(0.0001 + 0.02 * EVEN, sha256="b", kept=OTHER)
    assert "saves" not in {gate.name for gate in judge(good, winner, deep).gates}


def test_the_wilder_of_two_losers_is_no_likelier_to_win(card: Make, deep: Policy) -> None:
    """`better` is a coin: at most 137 of 200 (half are expected, deviation 7). By Sharpe alone it would be over 137.

    Both lose 0.06 % a day in truth, the challenger with four times the noise.
    """
    random, better = np.random.default_rng(89), deep.with_name("better")
    promoted = by_sharpe = 0
    for _ in range(200):
        wild, calm = random.normal(-0.0006, 0.016, 120), random.normal(-0.0006, 0.004, 120)
        verdict = judge(card(wild, sha256="a"), card(calm, sha256="b", kept=OTHER), better)
        promoted += verdict.answer == "promote"
        by_sharpe += bool(verdict.gate("better").passed)
    assert promoted <= 137 < by_sharpe


def test_eight_ideas_that_nearly_always_win_are_no_proof(card: Make, deep: Policy) -> None:
    """Case 90: ideas that win 0.9 of the time and lose nine times as much are worth nothing; eight win in 43 %.

    At 1.92 % a test `proven` promotes at most 20 of 200 (4 expected; 2.4 % were simulated). The days alone call it
    sure in 0.9^8 of the windows, less those whose other trades drown it: at least 40.
    """
    random, policy = np.random.default_rng(90), structs.replace(deep.with_name("proven"), z=2.07)
    days, weeks = 250, np.arange(8) * 6 + 1
    promoted = sure = 0
    for _ in range(200):
        made = np.where(random.random(448) < 0.9, 0.0005, -0.0045)
        pool, shared, own = made[:400], made[400:440], made[440:]
        champion = np.zeros(days)
        champion[np.arange(40) * 6 + 1] = shared
        challenger = champion.copy()
        challenger[weeks * 5 + 3] += own
        evidence = Evidence(differing_ideas(weeks, [], 0.0), pooled_history(pool, np.arange(400) // 4))
        ours = card(challenger, sha256="a", kept=np.ones(48, dtype=bool), evidence=evidence)
        theirs = card(champion, sha256="b", kept=np.arange(48) < 40)
        promoted += judge(ours, theirs, policy).answer == "promote"
        found = sharpe_difference(challenger, champion)
        sure += found.delta > 2.07 * found.standard_error
    assert promoted <= 20
    assert sure >= 40
