"""Approvals: only the newest answer about exactly this promotion counts, and only by somebody else."""

from dataclasses import replace

import pytest
from registry_site import check_history

from gatekeeper.errors import ConfigError, GenerationMoved, Held, PromotionRefused, Unapproved, UnknownModel
from gatekeeper.registry.promotion.approvals import Asker

KEY = "gatekeeper_weekly/2018-06-04T02:00:00Z/0123"


@pytest.fixture
def evaluation(registry, add, promote, judged):
    promote(add(1))
    return judged(add(2), today=True, run_key=KEY)


@pytest.fixture
def ask(registry):
    def asked(evaluation, question="weekly/one", by="bob", **other):
        about = {"run_key": KEY, "model_id": evaluation.challenger, "evaluation_id": evaluation.id, **other}
        return registry.approvals.ask(**about, question=question, asked_by=by)

    return asked


def carry_out(registry, asked, **other):
    order = {"evaluation": asked.id, "kind": "weekly", "run_key": KEY, "needs_approval": True, **other}
    return registry.promote(asked.challenger, actor="airflow", reason="better", **order)


def refused(registry, asked, match, **other):
    before = registry.generation(), registry.primary()
    with pytest.raises(Unapproved, match=match):
        carry_out(registry, asked, **other)
    assert (registry.generation(), registry.primary()) == before


def test_what_was_approved_is_promoted_with_its_approver(registry, evaluation, ask):
    """Case 104: the registry alone says who approved."""
    asked = ask(evaluation)
    assert (asked.generation, asked.sha256, asked.answer) == (1, registry.model(2).sha256, None)
    refused(registry, evaluation, r"^Nobody has answered the question of weekly/one about model 2, or the answer came")
    answered = registry.approvals.answer("weekly/one", answer="approved", by="ann")
    assert replace(answered, answered_by=None, answer=None, at=None) == asked
    assert answered.at >= asked.asked_at
    promotion = carry_out(registry, evaluation)
    assert (promotion.actor, promotion.to_id, promotion.reason) == ("airflow, approved by ann", 2, "better")
    check_history(registry)


def test_without_a_question_nothing_is_promoted(registry, evaluation):
    refused(registry, evaluation, r"^Nobody was asked to approve model 2 by evaluation 1 \(GATEKEEPER_APPROVAL is on\)")


@pytest.mark.parametrize("answer", ["rejected", "expired"])
def test_no_is_no(registry, evaluation, ask, answer):
    ask(evaluation)
    registry.approvals.answer("weekly/one", answer=answer, by="ann" if answer == "rejected" else None)
    said = "Rejected by ann" if answer == "rejected" else "Rejected, since nobody answered in time"
    refused(registry, evaluation, f"^{said}. Clear the task `approve` to ask again")


def test_only_the_newest_question_counts(registry, evaluation, ask):
    """Asked again, an earlier yes is no answer any more; nor is it if the second question is of another run."""
    ask(evaluation)
    registry.approvals.answer("weekly/one", answer="approved", by="ann")
    ask(evaluation, question="weekly/two")
    refused(registry, evaluation, "Nobody has answered the question of weekly/two")
    registry.approvals.answer("weekly/two", answer="rejected", by="cas")
    refused(registry, evaluation, "Rejected by cas")
    ask(evaluation)
    registry.approvals.answer("weekly/one", answer="approved", by="ann")
    assert carry_out(registry, evaluation).actor == "airflow, approved by ann"


def test_an_answer_is_of_one_run_evaluation_model_and_generation(registry, add, evaluation, judged, ask):
    """The approval of another run, model, evaluation or state of the registry is none."""
    third = judged(add(3), today=True, run_key=KEY)
    ask(evaluation)
    registry.approvals.answer("weekly/one", answer="approved", by="ann")
    refused(registry, third, r"was about model 2 by evaluation 1 at generation 1, not about model 3 by evaluation 2")
    refused(registry, evaluation, "Nobody was asked", run_key="another/run")
    refused(registry, evaluation, "Nobody was asked", run_key=None)
    by_hand = {"evaluation": None, "kind": "manual"}
    refused(registry, evaluation, "was about model 2 by evaluation 1 at generation 1, not about model 2", **by_hand)
    registry.promote(3, actor="ann", reason="by hand")
    with pytest.raises(PromotionRefused) as moved:
        carry_out(registry, evaluation)
    assert not isinstance(moved.value, Unapproved)
    refused(registry, evaluation, "was about model 2 by evaluation 1", **by_hand)


def test_by_hand_the_generation_is_that_of_the_question(registry, add, promote, ask):
    promote(add(1))
    add(2)
    registry.approvals.ask(run_key="hand", model_id=2, evaluation_id=None, question="hand", asked_by="bob")
    registry.approvals.answer("hand", answer="approved", by="ann")
    promote(add(3))
    order = {"actor": "bob", "reason": "r", "run_key": "hand", "needs_approval": True}
    with pytest.raises(Unapproved, match="about model 2 at generation 1, not about model 2"):
        registry.promote(2, **order)
    with pytest.raises(GenerationMoved):
        registry.promote(2, **order, expected_generation=1)


def test_an_approval_opens_no_hold(registry, evaluation, ask):
    ask(evaluation)
    registry.approvals.answer("weekly/one", answer="approved", by="ann")
    registry.hold(actor="ann", reason="wait")
    with pytest.raises(Held):
        carry_out(registry, evaluation)


def test_who_asked_never_counts_as_approver(registry, site, evaluation, ask):
    """Not even if a row says so that another tool wrote."""
    ask(evaluation)
    site.sql("UPDATE gatekeeper_approval SET answer = 'approved', answered_by = 'BOB', at = asked_at")
    refused(registry, evaluation, "Approved by BOB")


def test_a_question_has_one_answer(registry, evaluation, ask):
    ask(evaluation)
    first = registry.approvals.answer("weekly/one", answer="rejected", by="ann")
    assert registry.approvals.answer("weekly/one", answer="rejected", by="ann") == first
    for answer, by in (("approved", "ann"), ("rejected", "cas"), ("expired", None)):
        with pytest.raises(PromotionRefused, match="was answered already: rejected by ann"):
            registry.approvals.answer("weekly/one", answer=answer, by=by)
    with pytest.raises(PromotionRefused, match=r"knows of no question of weekly/two\. Clear the task"):
        registry.approvals.answer("weekly/two", answer="approved", by="ann")
    assert [(one.answer, one.answered_by) for one in registry.approvals.newest()] == [("rejected", "ann")]


def test_a_run_asks_about_one_thing(registry, add, evaluation, judged, ask):
    """Airflow 3.3 shows a run's first question again, whatever the cleared task would ask."""
    third = judged(add(3), today=True, run_key=KEY)
    ask(evaluation)
    assert ask(evaluation).id == 2
    with pytest.raises(PromotionRefused, match=r"asked about model 2 by evaluation 1 at generation 1 before.*model 3"):
        ask(third)
    assert ask(third, question="weekly/two").id == 3
    for wrong in ({"model_id": 99}, {"evaluation_id": 99}):
        with pytest.raises(UnknownModel):
            ask(third, question="weekly/three", **wrong)


@pytest.mark.parametrize(
    ("asker", "by", "approvers", "fault"),
    [
        (Asker("bob", known=True), "ann", (), None),
        (Asker("bob", known=True), "bob", (), "^bob started the run that asks, and can't answer for it"),
        (Asker("bob", known=True), "Bob", (), "^Bob started the run"),
        (Asker("bob", known=True), "bob", ("bob",), "^bob started the run"),
        (Asker("bob", known=True), "ann", ("cas",), "^ann may not answer, since GATEKEEPER_APPROVERS names cas alone"),
        (Asker("bob", known=True), "cas", ("ann", "cas"), None),
        (Asker(None, known=True), "ann", (), None),
        (Asker(None, known=True), "ann", ("cas",), "^ann may not answer"),
        (Asker(None, known=False), "ann", (), "can't be known .* and that is empty. Set it"),
        (Asker(None, known=False), "ann", ("ann",), None),
        (Asker(None, known=False), "cas", ("ann",), "^cas may not answer"),
        (Asker("bob", known=False), "bob", ("bob",), "^bob started the run"),
    ],
)
def test_who_may_answer(asker, by, approvers, fault):
    if fault is None:
        asker.refuse(by, approvers)
        return
    with pytest.raises(PromotionRefused, match=fault):
        asker.refuse(by, approvers)


@pytest.mark.parametrize("by", ["bob", "BOB", " bob", "bob\t", "\N{FULLWIDTH LATIN SMALL LETTER B}ob"])
def test_the_asker_in_another_spelling_is_the_asker(registry, evaluation, ask, by):
    """Case 104: four eyes aren't two in another spelling."""
    ask(evaluation)
    with pytest.raises(PromotionRefused, match="can't answer for it"):
        Asker("bob", known=True).refuse(by, [])
    registry.approvals.answer("weekly/one", answer="approved", by=by)  # as a row that somebody forged
    refused(registry, evaluation, "^Approved by")


@pytest.mark.parametrize(("answer", "by"), [("approved", ""), ("approved", " "), ("approved", None), ("yes", "ann")])
def test_an_answer_that_is_none_is_not_recorded(registry, evaluation, ask, answer, by):
    ask(evaluation)
    with pytest.raises(ConfigError):
        registry.approvals.answer("weekly/one", answer=answer, by=by)
    refused(registry, evaluation, "^Nobody has answered")
