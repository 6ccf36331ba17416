"""The doctor and the clean-up on an object store: the same findings, the same order, the same names."""

import hashlib

import pytest
from registry_site import OWN, own_model

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry, upgrade


def blob(number: int) -> str:
    return f".blobs/{hashlib.sha256(own_model(number)).hexdigest()}"


def test_names_and_blobs_mend_each_other(site, registry, three):
    """Cases 5 and 58."""
    site.delete("gatekeeper_1.onnx")
    site.delete(blob(2))
    site.put("gatekeeper_primary3.onnx", own_model(9))
    site.put(blob(8), own_model(8))
    found = registry.doctor()
    assert [(one.kind, one.model_id, one.name) for one in found.findings] == [
        ("missing", 1, "gatekeeper_1.onnx"),
        ("missing", 2, blob(2)),
        ("changed", 3, "gatekeeper_primary3.onnx"),
        ("orphaned", None, blob(8)),
    ]
    mended = registry.doctor(repair=True)
    assert (mended.well, mended.repaired) == (True, found.findings)
    assert (registry.doctor(repair=True).repaired, registry.doctor().well) == ((), True)
    for model in registry.models():
        assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(model.id)
    assert hashlib.sha256(own_model(9)).hexdigest() in site.files().values()  # what somebody put there


def test_a_clean_up_counts_the_grace_by_the_stores_time_too(site, registry, three):
    """Case 6."""
    site.put(blob(8), own_model(8))
    plan = registry.gc()
    assert (plan.removed, [each.why for each in plan.waiting]) == ((), ["retired", "retired", "orphaned"])
    with site.open(grace_seconds=0) as hasty:
        removed = [each.name for each in hasty.gc().removed]
        assert removed == ["gatekeeper_3.onnx", "gatekeeper_primary1.onnx", blob(8)]
        assert hasty.doctor().well
    assert {*removed} & {*site.files()} == set()


def test_a_bucket_that_cannot_be_reached_is_no_finding(site, registry, three):
    """Case 57's kind."""
    before = site.rows()
    site.delete(".blobs/README")
    for act in (registry.doctor, lambda: registry.doctor(repair=True), registry.gc):
        with pytest.raises(Unavailable):
            act()
    assert site.rows() == before


def test_a_copy_from_a_folder_to_a_bucket(site, registry, tmp_path):
    """Development on one machine, production on S3."""
    url, models = f"sqlite:///{tmp_path / 'development.db'}", tmp_path / "models"
    upgrade(url, models=models)
    with Registry.open(url, models=models) as development:
        mine = development.register(own_model(5), note="the good one", details=OWN)
        copied = development.copy_to(registry, mine.id)
    assert (copied.model.id, copied.model.sha256, copied.model.description) == (1, mine.sha256, "the good one")
    assert site.get("gatekeeper_1.onnx") == own_model(5)
