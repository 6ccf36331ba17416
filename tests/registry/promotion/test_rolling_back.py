"""Rollback: one command, one further back each time, and the bytes that were left stay out."""

import pytest
from promotion_steps import by_hand_as_of
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import ConfigError, GenerationMoved, ModelRefused, PromotionRefused, Quarantined, UnknownModel


@pytest.fixture
def grown(registry, add, promote):
    """Models 1, 2, 3, each of them promoted."""
    for number in (1, 2, 3):
        promote(add(number))
    return registry


def test_one_command_goes_back_and_twice_goes_one_further(grown):
    """Case 8: without remembering ids; not forth and back."""
    with by_hand_as_of(MONDAY):
        back = grown.rollback(actor="ann", reason="it vetoes everything")
    assert (back.kind, back.from_id, back.to_id, back.actor, back.reason, back.as_of) == (
        "rollback",
        3,
        2,
        "ann",
        "it vetoes everything",
        MONDAY,
    )
    assert grown.rollback(actor="ann", reason="this too").to_id == 1
    with pytest.raises(PromotionRefused, match="promote -i ID"):
        grown.rollback(actor="ann", reason="and this")
    assert grown.primary().id == 1
    check_history(grown)


def test_after_a_rollback_and_a_promotion_the_way_back_is_the_one_that_was_live(grown, add, promote):
    grown.rollback(actor="ann", reason="r")  # 3 -> 2
    promote(add(4))
    assert grown.rollback(actor="ann", reason="r").to_id == 2
    assert grown.rollback(actor="ann", reason="r").to_id == 1


def test_a_model_that_was_promoted_twice_is_in_the_way_back_twice(registry, add, promote):
    first, second = add(1), add(2)
    for model in (first, second, first):
        promote(model)
    assert registry.rollback(actor="ann", reason="r").to_id == second.id
    with pytest.raises(PromotionRefused):  # what is left is model 1, whose bytes are quarantined
        registry.rollback(actor="ann", reason="r")


def test_what_was_rolled_back_from_stays_out(grown, site, judged, promote_judged):
    """Case 56: on Monday, or when someone clears the old task, the bad model is back."""
    bad = grown.model(3)
    evaluation = judged(bad, today=True)
    grown.rollback(actor="ann", reason="bad")
    twin = grown.register(own_model(3), details=OWN)
    before = site.rows(), site.files()
    for model in (bad, twin):
        with pytest.raises(Quarantined, match=r"`gatekeeper release --quarantine 3 --reason") as refused:
            grown.promote(model.id, actor="bob", reason="r")
        assert "ann" in str(refused.value)
    with pytest.raises(Quarantined):
        promote_judged(evaluation)
    assert (site.rows(), site.files()) == before


def test_a_quarantine_is_lifted_by_hand_and_audited(grown, site):
    """Case 56."""
    grown.rollback(actor="ann", reason="bad")
    sha256 = grown.model(3).sha256
    assert (grown.quarantined(sha256).id, grown.quarantined(sha256).reason) == (3, "bad")
    with pytest.raises(ConfigError, match="reason"):
        grown.release_quarantine(3, actor="bob", reason=" ")
    with pytest.raises(UnknownModel):
        grown.release_quarantine(99, actor="bob", reason="r")
    assert not grown.release_quarantine(2, actor="bob", reason="never was")
    assert grown.release_quarantine(3, actor="bob", reason="the feed was at fault")
    assert grown.quarantined(sha256) is None
    assert site.sql("SELECT reason, released_by, release_reason FROM gatekeeper_quarantine") == [
        ("bad", "bob", "the feed was at fault")
    ]
    assert grown.promote(3, actor="bob", reason="r").to_id == 3


def test_the_run_key_of_a_promotion_that_was_rolled_back_brings_nothing_back(registry, add, promote):
    """Case 56: a cleared task of the bad week."""
    promote(add(1))
    made = registry.promote(add(2).id, actor="weekly", reason="r", run_key="week 1")
    registry.rollback(actor="ann", reason="bad")
    assert registry.promote(2, actor="weekly", reason="r", run_key="week 1") == made
    assert registry.primary().id == 1


def test_the_one_before_is_verified_before_anything_moves(grown, site):
    """Case 8."""
    target = grown.model(2)
    for name, digest in site.files().items():
        if digest == target.sha256:
            (site.models / name).unlink()
    before = site.rows(), site.files()
    with pytest.raises(ModelRefused):
        grown.rollback(actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_a_changed_name_is_no_obstacle_in_an_emergency(grown, site):
    """Case 58: the blob answers."""
    (site.models / "gatekeeper_2.onnx").unlink()
    site.put("gatekeeper_2.onnx", b"whatever")
    assert grown.rollback(actor="ann", reason="r").to_id == 2
    assert (site.models / "gatekeeper_primary2.onnx").read_bytes() == own_model(2)


def test_the_same_bytes_are_no_way_back(registry, add, promote):
    promote(add(1))
    promote(add(2))
    promote(registry.register(own_model(2), details=OWN))
    assert registry.rollback(actor="ann", reason="r").to_id == 1


def test_nothing_to_go_back_to(registry, add, promote):
    with pytest.raises(PromotionRefused, match="no primary to roll back from"):
        registry.rollback(actor="ann", reason="r")
    promote(add(1))
    with pytest.raises(PromotionRefused, match="no earlier primary"):
        registry.rollback(actor="ann", reason="r")
    assert registry.primary().id == 1


def test_a_rollback_has_an_actor_and_a_reason(grown):
    with pytest.raises(ConfigError, match="actor"):
        grown.rollback(actor=" ", reason="r")
    with pytest.raises(ConfigError, match="reason"):
        grown.rollback(actor="ann", reason="")
    assert grown.primary().id == 3


def test_one_run_key_rolls_back_once(grown):
    """A task that was killed after the act, and is tried again, goes no further back."""
    first = grown.rollback(actor="ann", reason="r", run_key="run 1")
    assert grown.rollback(actor="ann", reason="r", run_key="run 1") == first
    assert (grown.primary().id, grown.generation()) == (2, 4)
    assert grown.rollback(actor="ann", reason="r", run_key="run 2").to_id == 1
    assert grown.rollback(actor="ann", reason="r", run_key="run 2").to_id == 1  # with nothing left to go back to


def test_a_rollback_of_another_primary_than_was_looked_at_is_refused(grown, add, promote, site):
    looked_at, back = grown.generation(), grown.way_back()
    assert back.id == 2
    promote(add(4))
    before = site.rows(), site.files()
    with pytest.raises(GenerationMoved, match="nothing has changed"):
        grown.rollback(actor="ann", reason="r", expected_generation=looked_at)
    assert (site.rows(), site.files()) == before
    assert grown.way_back().id == 3
    assert grown.rollback(actor="ann", reason="r", expected_generation=grown.generation()).to_id == 3
    assert grown.primary().id == 3


def test_examining_moves_nothing(grown, add, site):
    grown.rollback(actor="ann", reason="bad")
    add(4)
    before = site.rows(), site.files()
    assert grown.examine(4) is None
    assert grown.examine(2) == grown.promotions()[0]
    with pytest.raises(Quarantined):
        grown.examine(3)
    with pytest.raises(UnknownModel):
        grown.examine(5)
    assert (site.rows(), site.files()) == before
