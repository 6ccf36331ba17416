"""Order of trust: which model `load` gives, from where, with which threshold, and what it tells of the ones before it.

Real registry, real ONNX files. The ladder's own view is asked here; test_loader.py asks the scores.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import constant_model
from registry_site import OWN, Site
from serving_load import add, files, judged, spoil

from gatekeeper.errors import ModelRefused, NoModel, Unavailable
from gatekeeper.registry import Model, Registry
from gatekeeper.serving import checked, fallbacks, load

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


class Away(Registry):
    """The registry while the store is out of reach: what an NFS server that is down gives."""

    def named_bytes(self, model: Model) -> bytes:
        raise Unavailable(f"{model.file_name}: stale file handle")

    blob_bytes = model_bytes = named_bytes


@pytest.fixture
def away(site: Site) -> Callable[[], Registry]:
    return lambda: Away.open(site.url, models=site.models)


def lose(site: Site, registry: Registry, model_id: int) -> None:
    for file in files(site, registry, model_id):
        file.unlink()


def test_the_primary_from_its_own_file_has_nothing_to_excuse(registry: Registry) -> None:
    told: list[Exception] = []
    primary = add(registry, 0.4, promoted=0)
    found = load(registry, report=told.append)
    assert (found.model.id, found.fallback, found.degraded, found.reason) == (primary, "primary", False, None)
    assert told == []


def test_each_fault_on_the_way_down_is_told_with_its_reason_and_cause(site: Site, registry: Registry) -> None:
    """The primary's file is another model's, its blob is gone; an earlier primary answers, and says why."""
    earlier, primary = add(registry, 0.2, promoted=0), add(registry, 0.4, promoted=1)
    named, blob = files(site, registry, primary)
    spoil(named)
    blob.unlink()
    told: list[ModelRefused | Unavailable] = []
    found = load(registry, report=told.append)
    assert (found.model.id, found.fallback, found.degraded) == (earlier, "earlier_primary", True)
    assert [(type(fault), getattr(fault, "reason", None)) for fault in told] == [
        (ModelRefused, "sha256"),
        (ModelRefused, "missing"),
    ]
    for fault in told:
        assert isinstance(fault.__cause__, ModelRefused)
        assert str(fault) == f"gatekeeper_primary2: {fault.__cause__}"
        assert str(fault) in str(found.reason)


def test_a_store_that_is_away_is_told_with_its_cause(registry: Registry, away: Callable[[], Registry]) -> None:
    add(registry, 0.4, promoted=0)
    told: list[ModelRefused | Unavailable] = []
    with away() as closed, pytest.raises(Unavailable, match=r"gatekeeper_primary1.*stale file handle"):
        load(closed, report=told.append)
    assert [type(fault) for fault in told] == [Unavailable, Unavailable]
    assert [type(fault.__cause__) for fault in told] == [Unavailable, Unavailable]


def test_without_a_store_who_serves_goes_on_unless_what_he_serves_is_quarantined(
    registry: Registry, away: Callable[[], Registry]
) -> None:
    """Nobody knows while the store is away, so the caller keeps what it has; but never a quarantined model."""
    add(registry, 0.2, promoted=0)
    add(registry, 0.4, promoted=1)
    last = load(registry)
    with away() as closed:
        with pytest.raises(Unavailable):
            load(closed, last)
        registry.rollback(actor="ann", reason="it lost money")
        assert registry.quarantined(last.scorer.sha256) is not None
        with pytest.raises(NoModel, match="stale file handle"):
            load(closed, last)


def test_what_was_served_last_comes_after_the_primarys_own_files(site: Site, registry: Registry) -> None:
    add(registry, 0.2, promoted=0)
    second = add(registry, 0.4, promoted=1)
    last = load(registry)
    lose(site, registry, add(registry, 0.6, promoted=2))
    found = load(registry, last)
    assert (found.model.id, found.fallback, found.degraded) == (second, "last_served", True)
    assert (found.origin.version, found.origin.sha256) == ("gatekeeper_primary2", last.scorer.sha256)
    assert found.scorer is last.scorer
    assert "gatekeeper_primary3" in str(found.reason)


def test_a_model_is_read_with_its_own_threshold(registry: Registry) -> None:
    """Whatever its caller is set to: the threshold is bound into the evaluation that promoted it."""
    model = registry.register(constant_model(0.4), threshold=0.65, details=OWN)
    registry.promote(model.id, actor="ann", reason="r")
    assert load(registry, threshold=0.7).origin.threshold == 0.65


def test_bytes_that_two_rows_have_are_one_fallback(registry: Registry) -> None:
    """Primaries 1, 2 and 1 again, then 4; model 3 has the bytes of 2, and passed: each file is tried once."""
    one, two = add(registry, 0.2, promoted=0), add(registry, 0.4, promoted=1)
    again = add(registry, 0.4)
    assert registry.model(again).sha256 == registry.model(two).sha256
    registry.promote(one, actor="ann", reason="back")
    four = add(registry, 0.6, promoted=2)
    judged(registry, again, four)
    assert [model.id for model in fallbacks(registry, registry.primary())] == [one, two]


def test_an_earlier_primary_whose_row_another_tool_deleted_is_passed_over(site: Site, registry: Registry) -> None:
    one, two = add(registry, 0.2, promoted=0), add(registry, 0.4, promoted=1)
    add(registry, 0.6, promoted=2)
    site.sql('DELETE FROM "RLModel" WHERE id = ?', two)
    assert [model.id for model in fallbacks(registry, registry.primary())] == [one]


def test_only_the_bytes_that_passed_an_evaluation_are_trusted(site: Site, registry: Registry) -> None:
    """Case 113: model 2 passed; then its row is given the bytes of model 3, which nobody judged."""
    primary = add(registry, 0.2, promoted=0)
    passed, never_judged = add(registry, 0.4), add(registry, 0.6)
    judged(registry, passed, primary)
    assert [model.id for model in fallbacks(registry, registry.primary())] == [passed]
    others = registry.model(never_judged)
    site.sql(
        "UPDATE gatekeeper_artifact SET sha256 = ?, canary = ? WHERE model_id = ?",
        others.sha256, others.canary_json, passed,
    )  # fmt: skip
    lose(site, registry, primary)
    assert list(fallbacks(registry, registry.primary())) == []
    with pytest.raises(NoModel, match="gatekeeper_primary1"):
        load(registry)


def test_a_row_without_an_artifact_is_told_as_unregistered(site: Site, registry: Registry) -> None:
    site.put("gatekeeper_primary7.onnx", constant_model(0.7))
    values = "VALUES (7, 'gatekeeper_primary7', 'models/gatekeeper_primary7.onnx')"
    site.sql(f'INSERT INTO "RLModel" (id, version, path) {values}')
    told: list[ModelRefused | Unavailable] = []
    with pytest.raises(NoModel):
        load(registry, report=told.append)
    assert {getattr(fault, "reason", None) for fault in told} == {"unregistered"}


@pytest.mark.parametrize("fault", ["sha256", "canary"])
def test_other_bytes_and_other_scores_than_the_registered_are_refused(
    site: Site, registry: Registry, fault: str, tmp_path: Path
) -> None:
    """A good model, but not the one of this row: by its bytes, or by the scores that it gave at registration."""
    model = registry.model(add(registry, 0.4, promoted=0))
    content = constant_model(0.4 if fault == "canary" else 0.6)
    assert checked(registry, model, constant_model(0.4)).sha256 == model.sha256
    if fault == "canary":
        other = registry.register(constant_model(0.6), details=OWN)
        site.sql("UPDATE gatekeeper_artifact SET canary = ? WHERE model_id = ?", other.canary_json, model.id)
        model = registry.model(model.id)
    with pytest.raises(ModelRefused) as refused:
        checked(registry, model, content)
    assert refused.value.reason == fault
