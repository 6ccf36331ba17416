"""Promotion by evaluation: bound to bytes, generation and as-of, and stopped by a hold."""

from datetime import UTC, datetime, timedelta

import pytest
from evaluation_documents import WHOLE, document
from promotion_steps import by_hand_as_of
from registry_site import MONDAY, check_history, own_model

from gatekeeper.errors import (
    ConfigError,
    DataError,
    EvaluationOutdated,
    GenerationMoved,
    Held,
    KeyUsed,
    ModelRefused,
    PromotionRefused,
    UnknownModel,
)


def overwrite(path, content):
    """What `cp` does, as root."""
    path.chmod(0o644)
    path.write_bytes(content)


def test_an_evaluation_promotes_what_it_judged(registry, add, promote, judged, promote_judged):
    promote(add(1))
    evaluation = judged(add(2), today=True)
    assert registry.evaluation(evaluation.id) == evaluation
    assert (evaluation.challenger_sha256, evaluation.champion_sha256) == (
        registry.model(2).sha256,
        registry.model(1).sha256,
    )
    promotion = promote_judged(evaluation)
    assert (promotion.evaluation_id, promotion.as_of, promotion.kind) == (evaluation.id, evaluation.as_of, "weekly")
    check_history(registry)


def test_the_same_run_key_challenger_and_generation_are_one_row(registry, add, promote, judged):
    """Case 46, the evaluation's side."""
    model = add(1)
    first = judged(model)
    assert judged(model) == first
    for other in ({"verdict": "keep"}, {"as_of": MONDAY + timedelta(days=1)}):
        with pytest.raises(KeyUsed, match=r"'week 0' was used already: it judged model 1 as of 2018-06-04 02:00 UTC"):
            judged(model, **other)
    promote(add(2))
    again = judged(model)
    assert again.id != first.id
    assert [row.id for row in registry.evaluations(model.id)] == [again.id, first.id]
    assert registry.evaluations(2) == []


@pytest.mark.parametrize("place", ["name", "blob"])
def test_other_bytes_than_those_judged_are_refused(registry, site, add, judged, promote_judged, place):
    """Case 10: the file, or its blob, is replaced after the evaluation."""
    model = add(1)
    evaluation = judged(model)
    overwrite(site.models / (model.file_name if place == "name" else f".blobs/{model.sha256}"), own_model(2))
    before = site.rows(), site.files()
    with pytest.raises(EvaluationOutdated, match="evaluate again"):
        promote_judged(evaluation)
    assert (site.rows(), site.files()) == before


def test_the_champions_name_is_put_back_from_its_blob_first(registry, site, add, promote, judged, promote_judged):
    """Case 58: the champion was overwritten in place."""
    promote(add(1))
    evaluation = judged(add(2), today=True)
    overwrite(site.models / "gatekeeper_primary1.onnx", own_model(3))
    promote_judged(evaluation)
    assert (site.models / "gatekeeper_primary1.onnx").read_bytes() == own_model(1)
    assert (site.models / "gatekeeper_1.onnx").read_bytes() == own_model(1)


def test_a_champion_whose_bytes_are_lost_was_not_what_was_judged(registry, site, add, promote, judged, promote_judged):
    champion = add(1)
    promote(champion)
    evaluation = judged(add(2), today=True)
    (site.models / ".blobs" / champion.sha256).unlink()
    overwrite(site.models / "gatekeeper_primary1.onnx", own_model(3))
    with pytest.raises(EvaluationOutdated, match="model 1"):
        promote_judged(evaluation)
    assert registry.primary().id == champion.id


def test_an_older_as_of_never_replaces_a_newer_one(registry, site, add, judged, promote_judged):
    """Case 44: backfills promote out of order."""
    older, newer = add(1), add(2)
    late, early, same = judged(newer, weeks=2), judged(older, weeks=1), judged(older, weeks=2, run_key="other")
    promote_judged(late)
    before = site.rows(), site.files()
    for evaluation in (early, same):
        with pytest.raises(EvaluationOutdated, match="older"):
            promote_judged(evaluation)
    assert (site.rows(), site.files()) == before
    assert promote_judged(judged(older, weeks=3)).to_id == older.id


def test_a_manual_promotion_counts_with_the_as_of_of_its_moment(registry, add, judged, promote_judged):
    promote_judged(judged(add(1), weeks=2))
    with by_hand_as_of(MONDAY + timedelta(weeks=4)):
        registry.promote(add(2).id, actor="ann", reason="r")
    with pytest.raises(EvaluationOutdated):
        promote_judged(judged(registry.model(1), weeks=3))
    assert promote_judged(judged(registry.model(1), weeks=5)).generation == 3


def test_a_generation_that_moved_is_judged_again(registry, add, judged, promote_judged):
    evaluation = judged(add(1), today=True)
    with by_hand_as_of(MONDAY):
        registry.promote(add(2).id, actor="ann", reason="r")
    with pytest.raises(GenerationMoved, match="generation 0, but the registry is at 1"):
        promote_judged(evaluation)
    assert promote_judged(judged(registry.model(1), today=True)).to_id == 1


def test_only_a_verdict_of_promote_promotes_and_only_its_challenger(registry, add, judged, promote_judged):
    first, second = add(1), add(2)
    for verdict in ("keep", "undecided"):
        with pytest.raises(PromotionRefused, match=verdict):
            promote_judged(judged(first, verdict=verdict, run_key=verdict))
    evaluation = judged(first)
    with pytest.raises(PromotionRefused, match="judged model 1, not model 2"):
        registry.promote(second.id, actor="a", reason="r", evaluation=evaluation.id, kind="weekly")
    with pytest.raises(UnknownModel, match="evaluation 99"):
        registry.promote(first.id, actor="a", reason="r", evaluation=99, kind="weekly")
    with pytest.raises(ConfigError, match="weekly or bootstrap or recovery"):
        registry.promote(first.id, actor="a", reason="r", evaluation=evaluation.id)
    with pytest.raises(ConfigError, match="has the as-of"):
        registry.promote(
            first.id, actor="a", reason="r", evaluation=evaluation.id, kind="weekly", as_of=MONDAY + timedelta(1)
        )
    assert registry.generation() == 0


def test_a_hold_stops_evaluations_and_not_people(registry, site, add, judged, promote_judged):
    hold = registry.hold(actor="ann", reason="release week")
    assert registry.holds() == [hold]
    evaluation = judged(add(1))
    before = site.rows(), site.files()
    with pytest.raises(Held, match=r"release week.*gatekeeper release"):
        promote_judged(evaluation)
    assert (site.rows(), site.files()) == before
    with by_hand_as_of(MONDAY):
        assert registry.promote(add(2).id, actor="ann", reason="by hand").to_id == 2
    assert registry.release(actor="ann")
    assert registry.holds() == []
    assert not registry.release(actor="ann")
    assert promote_judged(judged(registry.model(1), weeks=1)).to_id == 1


def test_a_hold_ends_by_itself(registry, site):
    registry.hold(actor="ann", reason="r", until=datetime(2999, 1, 1, tzinfo=UTC))
    assert registry.holds()[0].until == datetime(2999, 1, 1, tzinfo=UTC)
    site.sql("UPDATE gatekeeper_hold SET until = '2020-01-01 00:00:00.000000'")
    assert registry.holds() == []
    with pytest.raises(ConfigError, match="lies in the past"):
        registry.hold(actor="ann", reason="r", until=datetime(2020, 1, 1, tzinfo=UTC))


def test_holds_stack(registry, site, add, judged, promote_judged):
    """Case 68: the second neither replaces nor shortens the first; promotion is open when none stands."""
    evaluation = judged(add(1))
    first = registry.hold(actor="ann", reason="audit")
    second = registry.hold(actor="bob", reason="holidays", until=datetime(2999, 1, 1, tzinfo=UTC))
    assert registry.holds() == [first, second]
    with pytest.raises(Held, match=r"2 holds are in force: hold 1 by ann \(audit\); hold 2 by bob \(holidays\), until"):
        promote_judged(evaluation)
    before = site.rows()
    with pytest.raises(PromotionRefused, match=r"2 holds .*hold 1 by ann .*hold 2 by bob .*gatekeeper release HOLD_ID"):
        registry.release(actor="cem")
    with pytest.raises(PromotionRefused, match=r"There is no hold 9\. In force: hold 1 by ann"):
        registry.release(9, actor="cem")
    assert site.rows() == before
    assert registry.release(second.id, actor="cem", reason="back") == [second]
    assert registry.holds() == [first]
    assert registry.release(second.id, actor="cem") == []
    with pytest.raises(Held, match=r"A hold by ann is in force \(audit\)\. Release it with `gatekeeper release 1`"):
        promote_judged(evaluation)
    assert registry.release(actor="cem") == [first]
    assert promote_judged(evaluation).to_id == 1


def test_all_holds_are_released_at_once_with_a_reason(registry):
    placed = [registry.hold(actor="ann", reason=reason) for reason in ("a", "b", "c")]
    with pytest.raises(ConfigError, match="reason is blank"):
        registry.release(every=True, actor="bob", reason=" ")
    with pytest.raises(ConfigError, match="Hold 1 and all holds"):
        registry.release(1, every=True, actor="bob", reason="r")
    assert registry.release(every=True, actor="bob", reason="done") == placed
    assert registry.holds() == registry.release(every=True, actor="bob", reason="done") == []
    assert {(each.released_by, each.release_reason) for each in registry.pages.holds()} == {("bob", "done")}


def test_a_hold_that_ends_leaves_the_others(registry, site):
    registry.hold(actor="ann", reason="short", until=datetime(2999, 1, 1, tzinfo=UTC))
    lasting = registry.hold(actor="bob", reason="long")
    site.sql("UPDATE gatekeeper_hold SET until = '2020-01-01 00:00:00.000000' WHERE id = 1")
    assert registry.holds() == [lasting]
    assert registry.release(actor="cem") == [lasting]


def test_documents_hold_what_json_can(registry, add, judged):
    with pytest.raises(DataError, match="JSON"):
        judged(add(1), document={"sharpe": float("nan")})
    assert judged(registry.model(1), document={"sharpe": None}).document_json == '{"sharpe": null}'


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdict": "promote"}, "verdict promote is not that of its document, keep"),
        ({"kind": "bootstrap"}, "kind bootstrap is not that of its document, weekly"),
        ({"weeks": 1}, r"as_of 2018-06-11 02:00:00\+00:00 is not that of its document, 2018-06-04 02:00:00\+00:00"),
    ],
)
def test_a_row_says_what_its_document_says(registry, site, add, judged, changed, said):
    """Else a promotion would rest on a document that says keep, or that knew the data of another week."""
    kept = document(window=WHOLE["window"] | {"as_of": MONDAY.isoformat()})
    challenger = add(1)
    before = site.rows()
    with pytest.raises(DataError, match=rf"^The evaluation's {said}, so nothing was recorded"):
        judged(challenger, **{"verdict": "keep", "document": kept, **changed})
    assert site.rows() == before
    assert judged(challenger, verdict="keep", document=kept).verdict == "keep"


def test_evaluations_need_registered_models(registry, site, add, judged):
    model = add(1)
    with pytest.raises(UnknownModel):
        judged(model, champion=9)
    site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (9, 'gatekeeper_9', 'models/gatekeeper_9.onnx')")
    with pytest.raises(ModelRefused, match="db upgrade"):
        judged(model, champion=9)
    assert registry.evaluations() == []
