"""Copying a model to another environment with its evidence: verified again there, and a challenger."""

from datetime import UTC, datetime

import pytest
from model_files import foreign_model
from registry_site import MONDAY, OWN, Site, own_model
from sqlalchemy.engine import make_url

from gatekeeper.errors import ConfigError, ModelRefused, PromotionRefused, Quarantined, UnknownModel
from gatekeeper.registry import Details, Registry, upgrade

FACTS = Details(
    trained_from=datetime(2006, 1, 9, tzinfo=UTC),
    trained_to=datetime(2017, 11, 3, tzinfo=UTC),
    cutoff=datetime(2017, 11, 24, 2, tzinfo=UTC),
    estimator="logistic",
    fingerprint="f" * 64,
    code_version="0.1.0",
)
CARRIED = ("sha256", "size", "feature_schema", "threshold", "trained_from", "trained_to", "cutoff", "estimator")
CARRIED += ("fingerprint", "code_version", "recognised", "canary_json", "description")


@pytest.fixture
def production(new_site, tmp_path):
    """Another environment, where other models are already."""
    root = tmp_path / "production"
    root.mkdir()
    site = new_site(root)
    site.upgrade()
    with site.open() as other:
        for number in (101, 102):
            other.register(own_model(number), details=OWN)
        other.promote(2, actor="ann", reason="r")
        yield other
    site.drop()


@pytest.fixture
def model(registry):
    """Model 2 of development: evaluated twice there, against model 1."""
    registry.register(own_model(1), details=OWN)
    registry.promote(1, actor="ann", reason="r")
    return registry.register(own_model(7), note="the good one", run_key="week", threshold=0.6, details=FACTS)


def test_all_that_is_known_of_it_goes_along(registry, production, model, judged):
    first = judged(model, weeks=0, verdict="undecided", report="reports/0.html")
    second = judged(model, weeks=1, document={"verdict": {"answer": "promote"}, "gain": 0.25, "p": None})
    copied = registry.copy_to(production, model.id)
    there = production.model(copied.model.id)
    assert (copied.is_new, there.version, there.is_primary) == (True, "gatekeeper_3", False)
    assert {name: getattr(there, name) for name in CARRIED} == {name: getattr(model, name) for name in CARRIED}
    assert production.named_bytes(there) == production.blob_bytes(there) == own_model(7)
    carried = production.evaluations(there.id)
    assert [(one.verdict, one.as_of, one.at, one.document_json, one.report) for one in carried] == [
        (one.verdict, one.as_of, one.at, one.document_json, one.report) for one in (second, first)
    ]
    assert [one.id for one in carried[::-1]] == list(copied.evaluations)
    assert {(one.champion, one.champion_sha256) for one in carried} == {(None, registry.primary().sha256)}
    assert (production.primary().id, production.generation()) == (2, 1)
    assert production.doctor().well


def test_again_it_is_the_same_row_and_only_new_evidence_comes(registry, production, model, judged):
    judged(model, weeks=0)
    first = registry.copy_to(production, model.id)
    again = registry.copy_to(production, model.id)
    assert (again.is_new, again.model, again.evaluations) == (False, first.model, ())
    judged(model, weeks=1)
    third = registry.copy_to(production, model.id)
    assert (third.model, len(third.evaluations)) == (first.model, 1)
    assert [one.as_of for one in production.evaluations(first.model.id)][-1] == MONDAY
    assert len(production.models()) == 3


def test_evidence_from_elsewhere_promotes_nothing_here(registry, production, model, judged):
    """It was judged at generation 1, and this registry is at generation 1, too."""
    judged(model)
    copied = registry.copy_to(production, model.id)
    (evaluation,) = copied.evaluations
    assert production.evaluation(evaluation).generation == production.generation()
    with pytest.raises(PromotionRefused, match="another environment"):
        production.promote(copied.model.id, actor="w", reason="r", evaluation=evaluation, kind="weekly")
    assert production.promote(copied.model.id, actor="ann", reason="by hand").kind == "manual"


def test_the_champion_is_named_where_its_bytes_are(registry, production, model, judged):
    judged(model)
    champion = registry.copy_to(production, 1).model
    copied = registry.copy_to(production, model.id)
    assert [one.champion for one in production.evaluations(copied.model.id)] == [champion.id]


def test_a_file_of_another_tool_is_tried_again_in_a_child_process(registry, production):
    theirs = registry.register(foreign_model("zipmap"), threshold=0.4)
    copied = registry.copy_to(production, theirs.id).model
    assert (copied.recognised, copied.canary_json) == (theirs.recognised, theirs.canary_json)
    assert production.model_bytes(copied) == foreign_model("zipmap")


def test_it_is_verified_again_there(registry, site, production, model):
    """Canary scores that these bytes don't give there: refused, and nothing is left."""
    site.sql("UPDATE gatekeeper_artifact SET canary = replace(canary, '0.5', '0.7') WHERE model_id = 2")
    before = production.models()
    with pytest.raises(ModelRefused):
        registry.copy_to(production, model.id)
    assert production.models() == before
    assert production.doctor().well


def test_what_may_not_go(registry, site, production, model, tmp_path):
    with pytest.raises(UnknownModel):
        registry.copy_to(production, 99)
    with pytest.raises(ConfigError, match="registry with --to"):
        registry.copy_to(registry, model.id)
    with site.open() as same, pytest.raises(ConfigError):
        registry.copy_to(same, model.id)
    registry.promote(model.id, actor="ann", reason="r")
    registry.rollback(actor="ann", reason="it lost money")
    with pytest.raises(Quarantined, match="release --quarantine 2"):
        registry.copy_to(production, model.id)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_two_registries_never_share_a_folder(registry, site, model, tmp_path):
    """Both would call their first model gatekeeper_1.onnx."""
    other = Site(tmp_path / "other")
    other.root.mkdir()
    other.upgrade()
    with (
        Registry.open(other.url, models=f"{site.models}/../models") as shared,
        pytest.raises(ConfigError, match="collide"),
    ):
        registry.copy_to(shared, model.id)


def test_a_model_whose_bytes_are_gone_stays(registry, site, production, model):
    (site.models / model.file_name).unlink()
    (site.models / ".blobs" / model.sha256).unlink()
    with pytest.raises(ModelRefused, match="does not exist"):
        registry.copy_to(production, model.id)
    assert len(production.models()) == 2


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_desks_that_share_a_database_are_two_registries(site, tmp_path):
    """Each has a schema of its own there, as docs/desks has it."""
    urls = [str(make_url(site.url).update_query_dict({"schema": name})) for name in ("fx", "equities")]
    for place, url in enumerate(urls):
        upgrade(url, models=tmp_path / f"models{place}")
    with (
        Registry.open(urls[0], models=tmp_path / "models0") as one,
        Registry.open(urls[1], models=tmp_path / "models1") as other,
        Registry.open(urls[0], models=tmp_path / "models1") as same,
    ):
        model = one.register(own_model(1), details=OWN)
        assert one.copy_to(other, model.id).model.sha256 == model.sha256
        with pytest.raises(ConfigError, match=r"in the registry .* already"):
            one.copy_to(same, model.id)
