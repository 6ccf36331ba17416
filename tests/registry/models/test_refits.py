"""Refits and their judged models: bound, promoted, rolled back, copied and proved together."""

import json

import pytest
from msgspec import structs
from registry_site import OWN, check_history, own_model

from gatekeeper.documents.evaluation import Refit, Twins
from gatekeeper.errors import ConfigError, EvaluationOutdated, PromotionRefused, Quarantined, UnknownModel
from gatekeeper.registry.views import proof

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture
def refit(registry, add):
    """Model 3 is the refit of model 2; model 1 is the primary."""
    registry.promote(add(1).id, actor="ann", reason="r")
    twin = add(2)
    return registry.register(own_model(3), note="refit", run_key="week", details=OWN, judged_model=twin.id)


def compared(model, **others):
    """A document of an evaluation that compared its challenger with this refit."""
    refit = Refit(model.version, model.sha256, 0.55, model.trained_to, model.id, limit=0.1)
    return {"twins": Twins(structs.replace(refit, **others)), "verdict": {"answer": "promote"}}


@pytest.fixture
def evaluation(registry, refit, judged):
    return judged(registry.judged_model(refit.id), today=True, document=compared(refit))


def by(registry, evaluation, model_id):
    return registry.promote(model_id, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly")


def test_the_refit_goes_live_by_its_twins_evaluation(registry, refit, evaluation):
    assert (registry.judged_model(refit.id).id, registry.judged_model(2)) == (2, None)
    assert (evaluation.challenger, evaluation.deploys_id, evaluation.deploys) == (2, 3, refit.sha256)
    promotion = by(registry, evaluation, refit.id)
    assert (promotion.to_id, promotion.sha256, promotion.evaluation_id) == (3, refit.sha256, evaluation.id)
    assert registry.evaluation(promotion.evaluation_id).challenger_sha256 == registry.model(2).sha256
    assert registry.primary().id == refit.id
    assert registry.evaluations(refit.id) == registry.evaluations(2) == [evaluation]
    check_history(registry)
    assert registry.doctor().well


@SQLITE
def test_it_promotes_nothing_else(registry, refit, add, judged, evaluation):
    stranger = add(5)
    other = registry.register(own_model(6), details=OWN, judged_model=2)  # of the same twin, and not what was compared
    for model_id, error in ((2, PromotionRefused), (stranger.id, PromotionRefused), (other.id, EvaluationOutdated)):
        with pytest.raises(error, match=f"Evaluation {evaluation.id}"):
            by(registry, evaluation, model_id)
    alone = judged(registry.model(2), today=True, run_key="later")
    with pytest.raises(PromotionRefused, match="judged model 2, not model 3"):
        by(registry, alone, refit.id)
    assert registry.evaluations(other.id) == []
    assert registry.primary().id == 1
    assert by(registry, alone, 2).to_id == 2  # judged for itself, the twin goes in


@SQLITE
@pytest.mark.parametrize("whose", [2, 3])
@pytest.mark.parametrize("place", ["name", "blob"])
def test_other_bytes_of_either_are_refused(registry, site, refit, evaluation, whose, place):
    """Case 10, of both: what was judged, and what goes live."""
    model = registry.model(whose)
    file = site.models / (model.file_name if place == "name" else f".blobs/{model.sha256}")
    file.chmod(0o644)
    file.write_bytes(own_model(9))
    before = site.rows(), site.files()
    with pytest.raises((EvaluationOutdated, ConfigError), match=r"(?i)evaluate again"):
        by(registry, evaluation, refit.id)
    assert (site.rows(), site.files()) == before


def test_a_rollback_quarantines_both_and_a_release_lifts_both(registry, refit, judged, evaluation):
    by(registry, evaluation, refit.id)
    assert registry.rollback(actor="ann", reason="bad fills").to_id == 1
    standing = {quarantine.id: quarantine for quarantine in registry.pages.quarantines()}
    assert set(standing) == {2, 3}
    assert standing[2].reason == "judged model of the refit 3: bad fills"
    for model_id in (2, 3):
        with pytest.raises(Quarantined):
            registry.promote(model_id, actor="ann", reason="again")
    # Another refit of these judged bytes goes in by hand alone: what was judged is what was left.
    later = registry.register(own_model(6), details=OWN, judged_model=2)
    with pytest.raises(Quarantined, match="release --quarantine 2"):
        by(registry, judged(registry.model(2), today=True, run_key="later", document=compared(later)), later.id)
    assert registry.release_quarantine(3, actor="ann", reason="it was the feed")
    assert registry.pages.quarantines() == []
    assert registry.promote(3, actor="ann", reason="again").generation == 4
    check_history(registry)


@SQLITE
def test_a_twin_that_was_live_itself_stays_free(registry, refit):
    """The way back from the refit leads to its twin: those bytes are what comes back."""
    registry.promote(2, actor="ann", reason="the judged one first")
    registry.promote(3, actor="ann", reason="then the fresh one")
    assert registry.rollback(actor="ann", reason="r").to_id == 2
    assert [quarantine.id for quarantine in registry.pages.quarantines()] == [3]
    assert registry.rollback(actor="ann", reason="r").to_id == 1
    assert registry.release_quarantine(3, actor="ann", reason="r")
    assert [quarantine.id for quarantine in registry.pages.quarantines()] == [2]  # its own, which nobody lifted


@SQLITE
def test_registering_again_changes_nothing(registry, site, refit):
    before = site.rows(), site.files()
    again = registry.register(own_model(3), note="refit", run_key="week", details=OWN, judged_model=2)
    assert (again.id, site.rows(), site.files()) == (refit.id, *before)
    # The same bytes as its twin, which is what no new idea in a year leads to: a model that stands for itself.
    alone = registry.register(own_model(7), run_key="week", details=OWN)
    assert registry.register(own_model(7), run_key="week", details=OWN, judged_model=alone.id) == alone
    assert registry.judged_model(alone.id) is None


@SQLITE
def test_what_can_not_be_bound_is_refused(registry, site, refit, add):
    other = add(4)
    before = site.rows()
    register = {"run_key": "week", "details": OWN}
    with pytest.raises(ConfigError, match="Model 3 is a refit of model 2 already, so it can't be a refit of model 4"):
        registry.register(own_model(3), note="refit", judged_model=other.id, **register)
    with pytest.raises(ConfigError, match="a refit of a refit is not allowed"):
        registry.register(own_model(8), judged_model=refit.id, **register)
    with pytest.raises(UnknownModel):
        registry.register(own_model(8), judged_model=99, **register)
    assert site.rows() == before


@SQLITE
def test_one_that_is_copied_takes_its_twin_along(registry, refit, evaluation, new_site, tmp_path):
    (tmp_path / "production").mkdir()
    production = new_site(tmp_path / "production")
    production.upgrade()
    with production.open() as there:
        copied = registry.copy_to(there, refit.id)
        twin = there.judged_model(copied.model.id)
        assert (copied.model.sha256, twin.sha256) == (refit.sha256, registry.model(2).sha256)
        (carried,) = there.evaluations(copied.model.id)
        assert (carried.challenger, carried.kind, copied.evaluations) == (twin.id, "copied", (carried.id,))
        with pytest.raises(PromotionRefused, match="made in another environment"):
            by(there, carried, copied.model.id)
    production.drop()


@SQLITE
def test_the_pages_show_it_as_its_twin_was_judged(registry, refit, evaluation):
    lines = {line.model.id: line.newest and line.newest.id for line in registry.pages.models().lines}
    assert lines == {1: None, 2: evaluation.id, 3: evaluation.id}
    assert [line.id for line in registry.pages.verdicts(challenger=3).lines] == [evaluation.id]
    assert (registry.pages.family(3).judged_model, registry.pages.family(2).refits) == (2, (3,))


@SQLITE
def test_doctor_tells_of_a_twin_that_is_gone(registry, site, refit):
    site.sql("PRAGMA foreign_keys = off")
    site.sql('DELETE FROM "RLModel" WHERE id = 2')
    told = [finding.text for finding in registry.doctor().findings if finding.kind == "broken"]
    assert any("has lost row 2" in text for text in told)


@SQLITE
def test_a_killed_registration_leaves_no_refit_without_its_twin(site, registry, add):
    twin = add(2)

    class Killed(BaseException):
        pass

    def step(name):
        if name == "described":
            raise Killed

    with site.open(step=step) as mine, pytest.raises(Killed):
        mine.register(own_model(3), note="refit", run_key="week", details=OWN, judged_model=twin.id)
    assert [model.id for model in registry.models()] == [twin.id]
    bound = registry.register(own_model(3), note="refit", run_key="week", details=OWN, judged_model=twin.id)
    assert registry.judged_model(bound.id).id == twin.id
    assert site.sql("SELECT model_id, twin_id FROM gatekeeper_twin") == [(bound.id, twin.id)]


@SQLITE
def test_its_receipt_names_both(registry, refit):
    """Without an evaluation; with one, on real weeks: tests/pipeline/weekly/test_refit.py."""
    content = registry.receipt(refit.id)
    read = json.loads(content)
    assert read["twin"] == {"model_id": 2, "sha256": registry.model(2).sha256}
    assert (read["model"]["sha256"], proof.faults(content)) == (refit.sha256, [])
    assert "twin" not in json.loads(registry.receipt(2))
