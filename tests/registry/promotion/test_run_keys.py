"""Run keys: a key does one act once, and is refused for any other (case 64)."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import ConfigError, GatekeeperError, GenerationMoved, KeyUsed

FOREVER = datetime(2999, 1, 1, tzinfo=UTC)


def digest(**order: object) -> str:
    return hashlib.sha256(json.dumps(order, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@pytest.fixture
def grown(registry, add):
    """Models 1 to 3; the first two were promoted by hand, with the keys `one` and `two`."""
    for number in (1, 2, 3):
        add(number)
    registry.promote(1, actor="ann", reason="first", run_key="one")
    registry.promote(2, actor="ann", reason="second", run_key="two")
    return registry


def test_the_same_key_and_order_return_what_was_done(grown, site):
    """Whoever asks, and whatever is the primary by now."""
    before = site.rows(), site.files()
    assert grown.promote(1, actor="bob", reason=" first ", run_key="one").generation == 1
    assert grown.promote(2, actor="cem", reason="second", run_key="two").generation == 2
    assert grown.examine(1, reason="first", run_key="one").generation == 1
    assert (site.rows(), site.files()) == before


@pytest.mark.parametrize(
    "order",
    [
        lambda registry, key: registry.promote(3, actor="ann", reason="first", run_key=key),
        lambda registry, key: registry.promote(2, actor="ann", reason="first", run_key=key),  # the primary already
        lambda registry, key: registry.promote(1, actor="ann", reason="another", run_key=key),
        lambda registry, key: registry.examine(3, reason="first", run_key=key),
        lambda registry, key: registry.rollback(actor="ann", reason="first", run_key=key),
        lambda registry, key: registry.hold(actor="ann", reason="first", run_key=key),
        lambda registry, key: registry.release(actor="ann", reason="first", run_key=key),
        lambda registry, key: registry.release_quarantine(3, actor="ann", reason="first", run_key=key),
    ],
    ids=["model", "the primary", "reason", "examined", "rollback", "hold", "release", "release quarantine"],
)
@pytest.mark.parametrize("stored", ["with a digest", "by an older Gatekeeper"])
def test_the_same_key_with_another_order_is_refused(grown, site, order, stored):
    """Case 64: an operator was edited from model 1 to 3, its task cleared: it is red, and nothing is said done."""
    if stored == "by an older Gatekeeper":
        site.sql("UPDATE gatekeeper_promotion SET order_digest = NULL")
    before = site.rows(), site.files()
    with pytest.raises(
        KeyUsed, match=r"'one' was used already: it promoted model 1 in generation 1, on 20.* \(first\)"
    ):
        order(grown, "one")
    assert (site.rows(), site.files()) == before


def test_a_refusal_says_what_was_asked(grown):
    grown.hold(actor="ann", reason="r", run_key="held")
    by_evaluation = {"evaluation": 7, "kind": "weekly"}
    for asked, act in {
        "promote model 3: first": lambda: grown.promote(3, actor="ann", reason=" first", run_key="one"),
        "promote model 3: better": lambda: grown.promote(3, actor="ann", reason="better", run_key="held"),
        "promote model 3 by evaluation 7: r": lambda: grown.promote(
            3, actor="ann", reason="r", run_key="one", **by_evaluation
        ),
        "roll back: worse": lambda: grown.rollback(actor="ann", reason="worse", run_key="one"),
    }.items():
        with pytest.raises(KeyUsed, match=rf"with another order \({asked}\), so nothing has changed"):
            act()


def test_a_row_of_an_older_gatekeeper_is_compared_by_its_columns(grown, site):
    site.sql(
        "UPDATE gatekeeper_promotion SET order_digest = NULL, reason = 'first (approved by bob)' WHERE generation = 1"
    )
    assert grown.promote(1, actor="ann", reason="first", run_key="one").generation == 1
    for model_id, reason in ((1, "fir"), (3, "first"), (1, "first (approved by eve)")):
        with pytest.raises(KeyUsed):
            grown.promote(model_id, actor="ann", reason=reason, run_key="one")
    site.sql("UPDATE gatekeeper_promotion SET sha256 = 'ab' WHERE generation = 1")
    with pytest.raises(KeyUsed):
        grown.promote(1, actor="ann", reason="first", run_key="one")


def test_a_row_with_a_digest_is_compared_by_it_alone(grown):
    """A reason that ends as an older Gatekeeper's did is a reason like any other."""
    grown.promote(3, actor="ann", reason="better (approved by bob)", run_key="three")
    with pytest.raises(KeyUsed):
        grown.promote(3, actor="ann", reason="better", run_key="three")


def test_the_approver_is_recorded_and_no_part_of_the_order(grown):
    grown.approvals.ask(run_key="three", model_id=3, evaluation_id=None, question="q", asked_by="ann")
    grown.approvals.answer("q", answer="approved", by="bob")
    made = grown.promote(3, actor="ann", reason="better", needs_approval=True, run_key="three")
    assert (made.actor, made.reason) == ("ann, approved by bob", "better")
    for needed in (True, False):
        assert grown.promote(3, actor="ann", reason="better", needs_approval=needed, run_key="three") == made


def test_a_key_of_a_rollback_does_nothing_else(grown, site):
    """Case 64: green, and told of a rollback that never was."""
    made = grown.rollback(actor="ann", reason="it lost", run_key="back")
    assert grown.rollback(actor="bob", reason="it lost", run_key="back") == made
    assert (made.from_id, made.to_id) == (2, 1)
    before = site.rows(), site.files()
    for order in (
        lambda: grown.rollback(actor="ann", reason="something else", run_key="back"),
        lambda: grown.promote(1, actor="ann", reason="it lost", run_key="back"),
        lambda: grown.promote(3, actor="ann", reason="it lost", run_key="back"),
    ):
        with pytest.raises(KeyUsed, match=r"'back' was used already: it rolled back to model 1 in generation 3"):
            order()
    site.sql("UPDATE gatekeeper_promotion SET order_digest = NULL")
    assert grown.rollback(actor="bob", reason="it lost", run_key="back").generation == 3
    with pytest.raises(KeyUsed):
        grown.rollback(actor="ann", reason="something else", run_key="back")
    assert site.files() == before[1]
    check_history(grown)


def test_a_key_that_found_its_model_to_be_the_primary_promotes_nothing_later(grown, site):
    """The run is cleared after somebody's rollback: the rollback stands."""
    found = grown.promote(2, actor="ann", reason="r", run_key="idle")
    assert (found.generation, found.run_key) == (2, "two")
    grown.rollback(actor="bob", reason="it lost")
    grown.release_quarantine(2, actor="bob", reason="only the feed")
    before = site.rows(), site.files()
    assert grown.promote(2, actor="eve", reason=" r ", run_key="idle") == found
    assert grown.examine(2, reason="r", run_key="idle") == found
    for order in (
        lambda: grown.promote(2, actor="ann", reason="another", run_key="idle"),
        lambda: grown.promote(3, actor="ann", reason="r", run_key="idle"),
        lambda: grown.rollback(actor="ann", reason="r", run_key="idle"),
        lambda: grown.hold(actor="ann", reason="r", run_key="idle"),
        lambda: grown.release(actor="ann", reason="r", run_key="idle"),
        lambda: grown.release_quarantine(2, actor="ann", reason="r", run_key="idle"),
    ):
        with pytest.raises(KeyUsed, match="it found model 2 to be the primary already, since generation 2"):
            order()
    assert (site.rows(), site.files()) == before


def test_a_weekly_run_that_found_its_model_to_be_the_primary_promotes_nothing_later(grown, judged):
    week = judged(grown.model(3), today=True, run_key="run")
    by_hand = grown.promote(3, actor="ann", reason="sooner")
    words = {"actor": "weekly", "reason": "better", "kind": "weekly", "evaluation": week.id, "run_key": "run"}
    assert grown.promote(3, **words) == by_hand
    grown.rollback(actor="bob", reason="it lost")
    grown.release_quarantine(3, actor="bob", reason="only the feed")
    assert grown.promote(3, **words) == by_hand
    assert grown.primary().id == 2


def test_a_primary_that_is_left_before_its_key_is_noted(grown, site):
    """Between the checks and the lock another writer rolls back: what was not verified is not promoted."""

    def overtake(step: str) -> None:
        if step == "verified":
            grown.rollback(actor="bob", reason="it lost")

    with site.open(step=overtake) as registry, pytest.raises(GenerationMoved, match="Model 2 was the primary, but"):
        registry.promote(2, actor="ann", reason="r", run_key="idle")
    assert site.sql("SELECT count(*) FROM gatekeeper_act") == [(0,)]


def test_a_key_that_is_noted_by_another_writer_first(grown, site):
    """Two workers run the same task: the second one finds what the first one noted."""

    def overtake(step: str) -> None:
        if step == "verified":
            grown.promote(2, actor="bob", reason="r", run_key="idle")

    with site.open(step=overtake) as registry:
        assert registry.promote(2, actor="ann", reason="r", run_key="idle").generation == 2
    assert site.sql("SELECT count(*) FROM gatekeeper_act") == [(1,)]


@pytest.mark.parametrize(
    ("words", "other", "outcome"),
    [
        ({}, {"every": True}, "found no hold in force"),
        ({"every": True}, {}, "found no hold in force"),
        ({"hold_id": 1}, {"hold_id": 2}, "found hold 1 not in force"),
    ],
    ids=["without an id", "all", "one"],
)
def test_a_key_that_found_no_hold_releases_none_later(grown, site, words, other, outcome):
    """The run is cleared while a hold is in force that somebody has placed since."""
    grown.release(grown.hold(actor="ann", reason="audit").id, actor="ann")
    order = {"actor": "ann", "reason": "over", "run_key": "none"}
    assert grown.release(**words, **order) == []
    placed = grown.hold(actor="bob", reason="the feed is wrong")
    before = site.rows()
    assert grown.release(**words, **order) == []
    for changed in ({**order, **other}, {**order, **words, "reason": "another"}):
        with pytest.raises(KeyUsed, match=f"'none' was used already: it {outcome}"):
            grown.release(**changed)
    with pytest.raises(KeyUsed, match=outcome):
        grown.promote(3, actor="ann", reason="over", run_key="none")
    assert grown.holds() == [placed]
    assert site.rows() == before


def test_a_key_that_found_no_quarantine_clears_none_later(grown, site):
    order = {"actor": "ann", "reason": "the feed", "run_key": "none"}
    assert not grown.release_quarantine(2, **order)
    grown.rollback(actor="bob", reason="it lost")
    before = site.rows()
    assert not grown.release_quarantine(2, **order)
    for act in (
        lambda: grown.release_quarantine(3, **order),
        lambda: grown.release_quarantine(2, **{**order, "reason": "another"}),
        lambda: grown.hold(**order),
    ):
        with pytest.raises(KeyUsed, match="it found no quarantine of model 2"):
            act()
    assert grown.quarantined(grown.model(2).sha256).reason == "it lost"
    assert site.rows() == before


def test_what_is_noted_of_a_key_that_changed_nothing(grown, site):
    """Stored for good, as the digests of other orders are."""
    sha256 = grown.model(2).sha256
    words = {"actor": "ann", "reason": " r "}
    grown.promote(2, **words, run_key="a")
    grown.release(**words, run_key="b")
    grown.release(every=True, **words, run_key="c")
    grown.release_quarantine(2, **words, run_key="d")
    grown.promote(2, **words)
    orders = [
        ("promotion", {"act": "manual", "model": 2, "sha256": sha256, "evaluation": None, "reason": "r"}),
        ("release", {"act": "release", "hold": None, "every": False, "reason": "r"}),
        ("release", {"act": "release", "hold": None, "every": True, "reason": "r"}),
        ("clearing", {"act": "clearing", "model": 2, "sha256": sha256, "reason": "r"}),
    ]
    noted = site.sql("SELECT run_key, act, order_digest, generation FROM gatekeeper_act ORDER BY run_key")
    assert noted == [(key, act, digest(**order), 2) for key, (act, order) in zip("abcd", orders, strict=True)]


def test_a_key_places_one_hold_and_releases_once(grown, site):
    """A task that is cleared neither stacks a second hold nor releases one that came later."""
    first = grown.hold(actor="ann", reason="audit", until=FOREVER, run_key="h")
    assert grown.hold(actor="bob", reason="audit", until=FOREVER.astimezone(), run_key="h") == first
    for other in ({"reason": "holidays", "until": FOREVER}, {"reason": "audit", "until": None}):
        with pytest.raises(KeyUsed, match=r"'h' was used already: it placed hold 1 \(audit\)"):
            grown.hold(actor="ann", run_key="h", **other)
    with pytest.raises(KeyUsed, match="placed hold 1"):
        grown.promote(3, actor="ann", reason="r", run_key="h")
    assert grown.release(first.id, actor="ann", run_key="r") == [first]
    later = grown.hold(actor="cem", reason="another")
    assert grown.release(actor="ann", run_key="r") == grown.release(first.id, actor="ann", run_key="r") == [first]
    with pytest.raises(KeyUsed, match=r"'r' was used already: it released hold 1\b"):
        grown.release(later.id, actor="ann", run_key="r")
    with pytest.raises(KeyUsed, match="released hold 1"):
        grown.hold(actor="ann", reason="audit", run_key="r")
    assert grown.hold(actor="ann", reason="audit", until=FOREVER, run_key="h") == first  # what it did, not what stands
    assert grown.holds() == [later]


def test_a_key_that_released_is_refused_for_another_release(grown):
    """Case 64: a form edited from one hold to all, and cleared, was green and said hold 1."""
    first, second = (grown.hold(actor="ann", reason=reason) for reason in ("audit", "holidays"))
    assert grown.release(first.id, actor="ann", reason="over", run_key="single") == [first]
    for order in ({"every": True, "reason": "over"}, {"hold_id": first.id, "reason": "never"}):
        with pytest.raises(KeyUsed, match=r"'single' was used already: it released hold 1 \(over\)"):
            grown.release(actor="ann", run_key="single", **order)
    third = grown.hold(actor="ann", reason="more")
    assert grown.release(every=True, actor="ann", reason="over", run_key="all") == [second, third]
    assert grown.release(every=True, actor="bob", reason=" over ", run_key="all") == [second, third]
    later = grown.hold(actor="ann", reason="later")
    assert grown.release(every=True, actor="ann", reason="over", run_key="all") == [second, third]
    with pytest.raises(KeyUsed, match="it released hold 2, 3"):
        grown.release(actor="ann", reason="over", run_key="all")
    assert grown.holds() == [later]


@pytest.mark.parametrize("key", ["", " \n", "a\0b", "\ud800"])
def test_a_key_that_no_database_stores_is_refused_by_every_act(grown, key):
    grown.hold(actor="ann", reason="audit")
    words = {"actor": "ann", "reason": "r", "run_key": key}
    for act in (
        lambda: grown.promote(3, **words),
        lambda: grown.rollback(**words),
        lambda: grown.hold(**words),
        lambda: grown.release(**words),
        lambda: grown.release_quarantine(3, **words),
    ):
        with pytest.raises(ConfigError, match="The run key"):
            act()
    assert [hold.id for hold in grown.holds()] == [1]


def test_a_key_clears_one_quarantine_once(grown):
    grown.rollback(actor="ann", reason="it lost")
    assert grown.release_quarantine(2, actor="ann", reason="the feed", run_key="q")
    grown.promote(2, actor="ann", reason="again")
    grown.rollback(actor="ann", reason="it lost again")
    assert grown.release_quarantine(2, actor="ann", reason="the feed", run_key="q")  # done, and not done again
    assert grown.quarantined(grown.model(2).sha256).reason == "it lost again"
    with pytest.raises(KeyUsed, match="'q' was used already: it cleared the quarantine of model 2"):
        grown.release_quarantine(3, actor="ann", reason="the feed", run_key="q")
    with pytest.raises(KeyUsed, match=r"model 2 \(the feed\)"):
        grown.release_quarantine(2, actor="ann", reason="another", run_key="q")


def test_a_key_registers_bytes_as_it_was_told_to(registry, site):
    register = {"details": OWN, "run_key": "week"}
    made = registry.register(own_model(1), note="a", threshold=0.6, trained_to=MONDAY, **register)
    same = registry.register(own_model(1), note="a", threshold=0.6, trained_to=MONDAY.astimezone(), **register)
    assert same == made
    assert registry.register(own_model(2), **register).id == 2  # a weekly run registers a model and its refit
    before = site.rows()
    given = {"note": "a", "threshold": 0.6, "trained_to": MONDAY}
    others = [{"note": "b"}, {"threshold": 0.7}, {"threshold": None}, {"trained_to": MONDAY + timedelta(days=1)}]
    for other in others:
        with pytest.raises(
            KeyUsed, match=r"'week' was used already: it registered model 1 \(threshold 0\.6, trained to"
        ):
            registry.register(own_model(1), **{**given, **other}, **register)
    assert site.rows() == before
    site.sql("UPDATE gatekeeper_artifact SET order_digest = NULL")
    for words in (given, {}, {"threshold": 0.6}):  # what isn't given says nothing of a default of then
        assert registry.register(own_model(1), **words, **register).id == made.id
    for other in ({"threshold": 0.7}, {"trained_to": MONDAY + timedelta(days=1)}, {"note": "b"}):
        with pytest.raises(KeyUsed):
            registry.register(own_model(1), **other, **register)


def test_an_evaluation_and_its_promotion_share_the_runs_key(registry, add, judged, promote_judged):
    evaluation = judged(add(1), run_key="run")
    made = registry.promote(
        1, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly", run_key="run", as_of=MONDAY
    )
    again = {"actor": "cleared", "reason": "better", "kind": "weekly", "run_key": "run"}
    assert registry.promote(1, evaluation=evaluation.id, **again) == made
    other = judged(add(2), weeks=1, run_key="run")
    with pytest.raises(
        KeyUsed, match=r"promoted model 1 in generation 1.* \(promote model 2 by evaluation 2: better\)"
    ):
        registry.promote(2, evaluation=other.id, **again)
    assert registry.generation() == 1


def test_a_digest_is_over_what_was_ordered(grown, site):
    """Stored for good: a later Gatekeeper must come to the same, or every key that was used is refused."""
    sha256 = grown.model(1).sha256
    first = {"act": "manual", "model": 1, "sha256": sha256, "evaluation": None, "reason": "first"}
    grown.rollback(actor="ann", reason=" it lost ", run_key="back")
    rollback = {"act": "rollback", "model": None, "sha256": None, "evaluation": None, "reason": "it lost"}
    stored = [row.order_digest for row in reversed(grown.promotions())]
    assert (stored[0], stored[2]) == (digest(**first), digest(**rollback))
    grown.hold(actor="ann", reason="audit", until=FOREVER, run_key="h")
    hold = {"act": "hold", "reason": "audit", "until": "2999-01-01T00:00:00+00:00"}
    assert site.sql("SELECT order_digest FROM gatekeeper_hold") == [(digest(**hold),)]
    made = grown.register(own_model(7), details=OWN, run_key="k", note="n", threshold=0.6, trained_to=MONDAY)
    words = {"note": "n", "threshold": 0.6, "trained_to": "2018-06-04T02:00:00+00:00"}
    told = site.sql("SELECT order_digest FROM gatekeeper_artifact WHERE model_id = ?", made.id)
    assert told == [(digest(act="register", sha256=made.sha256, **words),)]


def test_an_older_row_that_rests_on_another_evaluation_is_another_order(registry, site, add, judged):
    one, two = judged(add(1), run_key="run"), judged(add(2), weeks=1, run_key="run")
    again = {"actor": "weekly", "reason": "better", "kind": "weekly", "run_key": "run"}
    made = registry.promote(1, evaluation=one.id, **again)
    site.sql("UPDATE gatekeeper_promotion SET order_digest = NULL")
    assert registry.promote(1, evaluation=one.id, **again).generation == made.generation
    for model_id, evaluation, kind in ((1, two.id, "weekly"), (1, one.id, "recovery"), (2, two.id, "weekly")):
        with pytest.raises(KeyUsed):
            registry.promote(model_id, **{**again, "evaluation": evaluation, "kind": kind})


def test_every_refusal_of_a_key_is_final(grown):
    """A retry would be refused again: Airflow is told not to."""
    with pytest.raises(GatekeeperError) as refused:
        grown.promote(3, actor="ann", reason="r", run_key="one")
    assert not refused.value.retryable
