"""Sentences of the gates: one thing is not called by a plural, and what isn't defined is not called a number."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents.evidence import DifferingIdeas, Evidence
from gatekeeper.judgement import Policy, judge

Make = Callable[..., Any]
NOBODY = np.zeros(40, dtype=bool)


def one_idea(card: Make, **other: Any) -> Any:
    """A challenger that entered one idea, which the champion didn't."""
    evidence = Evidence(DifferingIdeas(1, 0, 1, 1, 0.0), None)
    daily = [0.0, 0.001, *[0.0] * 58]
    return card(
        daily,
        kept=np.arange(40) < 1,
        sha256="a",
        evidence=evidence,
        trained_to=datetime(2017, 1, 1, tzinfo=UTC),
        **other,
    )


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("enough", "; 1 idea that only one of the two entered, in 1 distinct week (floor 15"),
        ("distinct", "1 idea decided differently"),
        ("saves", "challenger entered 1 trade (floor 30) and champion entered 0 trades (floor 30), so"),
    ],
)
def test_one_is_singular(card: Make, policy: Policy, gate: str, said: str) -> None:
    verdict = judge(one_idea(card), card([0.0] * 60, kept=NOBODY, sha256="b"), policy)
    assert said in verdict.gate(gate).text


def test_two_that_made_nothing_have_no_gain_to_name(card: Make, policy: Policy) -> None:
    ours, theirs = (card([0.0] * 60, kept=NOBODY, sha256=name) for name in "ab")
    verdict = judge(ours, theirs, policy)
    assert (verdict.answer, verdict.decided_by, verdict.gate("saves").passed) == ("undecided", "defined", None)
    assert verdict.gate("saves").text.endswith(
        "so what they made of capital is compared: neither made or lost anything"
    )
    assert verdict.gate("saves").numbers["gain"] is None
