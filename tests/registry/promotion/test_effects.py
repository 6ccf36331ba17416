"""Effect of an act: the one line that is read back from the registry, and never says what did not happen."""

from dataclasses import replace

import pytest


@pytest.fixture
def grown(registry, add, promote):
    """Models 1 and 2, both promoted."""
    for number in (1, 2):
        promote(add(number))
    return registry


def test_a_promotion_names_both_models_and_the_generation(registry, add, promote):
    first, second = add(1), add(2)
    assert registry.effect(promote(first)) == "Promoted gatekeeper_primary1 (generation 1), there was no primary."
    assert registry.effect(promote(second)) == "Promoted gatekeeper_primary2 (generation 2), was gatekeeper_primary1."


def test_a_rollback_says_so(grown):
    back = grown.rollback(actor="ann", reason="r")
    assert grown.effect(back) == "Rolled back to gatekeeper_primary1 (generation 3), was gatekeeper_primary2."


def test_a_promotion_that_was_overtaken_says_who_serves(grown, add, promote):
    overtaken = grown.promotions()[0]
    promote(add(3))
    assert grown.effect(overtaken) == (
        "Promoted gatekeeper_primary2 (generation 2), was gatekeeper_primary1. "
        "Since then gatekeeper_primary3 (generation 3) took its place."
    )


def test_nothing_says_why_and_who_serves(grown, registry):
    assert grown.effect(None, "as-of 2018-12-10 lies before the rollback of 2018-12-14 15:47.") == (
        "Nothing was promoted: as-of 2018-12-10 lies before the rollback of 2018-12-14 15:47. "
        "The primary is gatekeeper_primary2 (generation 2)."
    )


@pytest.mark.parametrize(
    ("because", "clause"),
    [
        ("A hold by ann is in force (audit).", "a hold by ann is in force (audit)"),
        ("Evaluation 5 is outdated.", "evaluation 5 is outdated"),
        ("Ann rejected it", "Ann rejected it"),
        ("SPX has no bars", "SPX has no bars"),
    ],
)
def test_a_message_becomes_a_clause_and_a_name_stays_one(registry, because, clause):
    assert registry.effect(None, because) == f"Nothing was promoted: {clause}. There is no primary."
    assert registry.effect(None, because, "rolled back").startswith(f"Nothing was rolled back: {clause}.")


def test_without_a_primary_nothing_is_made_up(registry):
    assert registry.effect(None, "keep") == "Nothing was promoted: keep. There is no primary."


@pytest.mark.parametrize("claim", [{"generation": 3}, {"to_id": 1}, {"kind": "rollback"}])
def test_what_the_history_does_not_hold_is_not_said(grown, claim):
    """A caller's record of a promotion that never came about, or came about otherwise."""
    line = grown.effect(replace(grown.promotions()[0], **claim))
    assert line.startswith("Nothing was promoted: the history has no generation ")
    assert line.endswith("The primary is gatekeeper_primary2 (generation 2).")


def test_a_hold_is_read_back(grown):
    assert grown.hold_effect() == "No hold is in force: weekly runs may promote."
    grown.hold(actor="ann", reason="holidays")
    assert grown.hold_effect() == (
        "Promotions are held until somebody releases the hold, by ann (holidays): "
        "weekly runs judge and record, but promote nothing."
    )
    grown.release(actor="ann")
    assert grown.hold_effect() == "No hold is in force: weekly runs may promote."


def test_a_quarantine_is_read_back(grown):
    grown.rollback(actor="ann", reason="bad fills")
    assert grown.hold_effect(quarantine=2) == (
        "The bytes of gatekeeper_2 are quarantined, by ann (bad fills): no run promotes them."
    )
    grown.release_quarantine(2, actor="ann", reason="mended")
    assert grown.hold_effect(quarantine=2) == "The bytes of gatekeeper_2 are not quarantined."


def test_an_evaluation_says_what_came_of_it(registry, add, judged, promote_judged):
    """The console's card: a verdict that promoted, and one that was not carried out (case 107's kin)."""
    carried_out = judged(add(1), weeks=1)
    promote_judged(carried_out)
    assert registry.pages.state().effect == "Promoted gatekeeper_primary1 (generation 1), there was no primary."
    judged(add(2), weeks=2)
    assert registry.pages.state().effect == (
        "Nothing was promoted: the verdict is promote, and nobody has carried it out. "
        "The primary is gatekeeper_primary1 (generation 1)."
    )
