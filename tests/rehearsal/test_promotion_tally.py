"""Promotions counted as won, tied and lost."""

import pytest

from gatekeeper.documents.promotion_tally import PromotionTally


def test_ties_are_not_counted_as_right() -> None:
    """30 exact ties of 47: the older count called 39 of them right."""
    gains = [0.0] * 30 + [0.002] * 9 + [-0.003] * 8
    assert PromotionTally.of(gains) == PromotionTally(
        won=9,
        tied=30,
        lost=8,
        gained=pytest.approx(0.018, abs=1e-15),
        given_up=pytest.approx(0.024, abs=1e-15),
        net=pytest.approx(-0.006, abs=1e-15),
    )


def test_a_rounding_is_a_tie_and_no_promotion_is_nothing() -> None:
    tally = PromotionTally.of([2e-17, -2e-17, 1e-9])
    assert (tally.won, tally.tied, tally.lost) == (1, 2, 0)
    empty = PromotionTally.of([])
    assert (empty.won, empty.tied, empty.lost, empty.gained, empty.given_up, empty.net) == (0, 0, 0, 0.0, 0.0, 0.0)
