"""League candidates: challengers of own weekly runs, turned down by then, neither primary nor quarantined."""

from datetime import UTC, datetime, timedelta

from promotion_steps import by_hand_as_of
from registry_site import MONDAY, OWN, own_model

RUNS = "gatekeeper_weekly/"
AT = MONDAY + timedelta(weeks=100)


def test_those_that_a_verdict_turned_down_before_newest_first(registry, judged):
    def add(number: int, key: str | None = None):
        key = f"{RUNS}{number}" if key is None else key
        return registry.register(own_model(number), run_key=key or None, details=OWN)

    def ids():
        return [model.id for model in registry.pages.rejected(before=AT, run_keys=RUNS)]

    champion = add(1)
    with by_hand_as_of(datetime(2018, 1, 1, tzinfo=UTC)):
        registry.promote(champion.id, actor="ann", reason="first")
    kept, undecided, later, by_hand = add(2), add(3), add(4), add(5, "")
    held, twice, other = add(6), add(7), add(8, "gatekeeperXweekly/8")
    judged(kept, weeks=1, verdict="keep")
    judged(undecided, weeks=99, verdict="undecided")
    judged(later, weeks=100, verdict="keep")
    judged(by_hand, weeks=3, verdict="keep")
    judged(held, weeks=4, verdict="promote")
    judged(twice, weeks=5, verdict="promote")
    judged(twice, weeks=5, verdict="keep", generation=9)
    judged(other, weeks=6, verdict="keep")
    add(9)  # never judged
    assert ids() == [twice.id, undecided.id, kept.id]
    filled = add(10, f"{RUNS}0")  # of an earlier week, made now
    judged(filled, weeks=0, verdict="keep", kind="what-if")
    assert ids() == [twice.id, undecided.id, kept.id, filled.id]
    with by_hand_as_of(datetime(2018, 1, 2, tzinfo=UTC)):
        registry.promote(filled.id, actor="ann", reason="by hand")
    assert [model.id for model in registry.pages.rejected(before=MONDAY + timedelta(weeks=2), run_keys=RUNS)] == [
        kept.id
    ]

    with by_hand_as_of(AT):
        registry.promote(undecided.id, actor="ann", reason="by hand")
    assert ids() == [twice.id, undecided.id, kept.id], "what was promoted at the as-of or later changes no look of it"
    with by_hand_as_of(AT - timedelta(days=1)):
        registry.promote(twice.id, actor="ann", reason="by hand")
    with by_hand_as_of(AT + timedelta(days=1)):
        registry.promote(champion.id, actor="ann", reason="back")
    assert ids() == [undecided.id, kept.id]
    with by_hand_as_of(AT + timedelta(days=2)):
        registry.promote(kept.id, actor="ann", reason="by hand")
    registry.rollback(actor="ann", reason="it lost")
    assert ids() == [undecided.id], "a quarantine counts for any week"
    registry.release_quarantine(kept.id, actor="ann", reason="looked into")
    assert ids() == [undecided.id, kept.id]


def test_a_look_is_found_by_its_run_key(registry, judged):
    model, other = (registry.register(own_model(number), details=OWN) for number in (1, 2))
    first, _, second = judged(model, run_key="one"), judged(model, run_key="two"), judged(other, run_key="one")
    assert [each.id for each in registry.pages.evaluations_of("one")] == [second.id, first.id]
    assert registry.pages.evaluations_of("none") == []
