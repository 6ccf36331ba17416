"""The registry on object storage: everything as in a folder, and the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest
from bucket_site import BucketSite, check_primary_opens
from model_files import constant_model
from postgres_server import new_database
from registry_site import OWN, check_history, own_model

from gatekeeper.errors import ConfigError, EvaluationOutdated, ModelRefused
from gatekeeper.registry import Registry
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.serving import Gatekeeper

IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]


def sha256(number: int) -> str:
    return sha256_of(own_model(number))


def test_the_same_names_in_the_same_order_and_nothing_removed(site, registry):
    """Case 13, the reader's side: whoever has a path from before still gets its bytes."""
    steps: list[str] = []
    with site.open(step=steps.append) as opened:
        opened.register(own_model(1), details=OWN)
        opened.promote(1, actor="ann", reason="r")
        steps.clear()
        opened.register(own_model(2), details=OWN)
        opened.promote(2, actor="ann", reason="r")
    writes = ("placed", "row written", "demoted", "promoted", "committed")
    assert [step for step in steps if step.startswith(writes)] == [
        f"placed .blobs/{sha256(2)}",
        "placed gatekeeper_2.onnx",
        "row written",
        "committed",
        "placed gatekeeper_primary2.onnx",
        "demoted",
        "promoted",
        "committed",
    ]
    names = {
        "gatekeeper_1.onnx": 1,
        "gatekeeper_primary1.onnx": 1,
        "gatekeeper_2.onnx": 2,
        "gatekeeper_primary2.onnx": 2,
    }
    files = site.files()
    files.pop(".blobs/README")
    assert files == {
        **{name: sha256(number) for name, number in names.items()},
        **{f".blobs/{sha256(number)}": sha256(number) for number in (1, 2)},
    }
    assert [model.path for model in registry.models()] == [
        "models/gatekeeper_primary2.onnx",
        "models/gatekeeper_1.onnx",
    ]
    check_history(registry)


def test_retired_names_go_past_the_grace(site, three):
    with site.open(grace_seconds=0) as registry:
        registry.promote(2, actor="ann", reason="r")
    assert {name for name in site.files() if not name.startswith(".")} == {
        "gatekeeper_1.onnx",
        "gatekeeper_primary2.onnx",
        "gatekeeper_3.onnx",
    }


def test_a_weekly_promotion_and_a_rollback(site, registry, three, judged, promote_judged):
    evaluation = judged(three[1], today=True)
    assert promote_judged(evaluation).to_id == 2
    assert registry.rollback(actor="ann", reason="r").to_id == 3
    assert registry.quarantined(sha256(2)) is not None
    check_history(registry)
    check_primary_opens(site)


def test_on_postgresql_too(s3, postgres, tmp_path):
    site = BucketSite(tmp_path, new_database(postgres), s3)
    site.upgrade()
    with site.open() as registry:
        for number in (1, 2):
            registry.register(own_model(number), details=OWN)
            registry.promote(number, actor="ann", reason="r")
        assert registry.rollback(actor="ann", reason="r").to_id == 1
        check_history(registry)
    check_primary_opens(site)
    site.drop()


@pytest.mark.parametrize("place", ["gatekeeper_2.onnx", f".blobs/{sha256(2)}"])
def test_other_bytes_than_those_judged_are_refused(site, three, judged, promote_judged, place):
    """Case 10."""
    evaluation = judged(three[1], today=True)
    site.put(place, own_model(5))
    before = site.state()
    with pytest.raises(EvaluationOutdated, match="evaluate again"):
        promote_judged(evaluation)
    assert site.state() == before


def test_an_object_overwritten_in_place(site, registry):
    """Case 58: `aws s3 cp new.onnx ...`; the blob answers, and the name comes back."""
    model = registry.register(constant_model(0.25))
    registry.promote(model.id, actor="ann", reason="r")
    other = registry.register(own_model(2), details=OWN)
    primary, gatekeeper = registry.primary(), Gatekeeper(registry)
    for name in (primary.file_name, other.file_name):
        site.put(name, own_model(5))
    assert registry.model_bytes(primary) == constant_model(0.25)
    scores = gatekeeper.score(IDEA)
    assert scores.values[0] == pytest.approx(0.25, abs=1e-6)
    assert not scores.degraded
    assert "sha256" in scores.reason
    with pytest.raises(ModelRefused, match="gatekeeper register") as refused:
        registry.promote(other.id, actor="ann", reason="r")
    assert refused.value.reason == "sha256"
    assert registry.restore_name(primary)
    assert site.get(primary.file_name) == constant_model(0.25)


def test_a_missing_object_is_restored_from_its_blob(site, registry, three):
    """Case 5; without the blob it is missing, and said to be."""
    site.delete("gatekeeper_2.onnx")
    assert registry.model_bytes(three[1]) == own_model(2)
    assert registry.restore_name(three[1])
    assert site.get("gatekeeper_2.onnx") == own_model(2)
    site.delete("gatekeeper_2.onnx")
    site.delete(f".blobs/{sha256(2)}")
    with pytest.raises(ModelRefused) as refused:
        registry.model_bytes(three[1])
    assert refused.value.reason == "missing"
    assert not registry.restore_name(three[1])


def test_an_object_over_the_cap_is_never_fetched(site, s3, three):
    site.put("gatekeeper_2.onnx", bytes(4_000_000))
    with site.open(size_cap=100_000) as registry:
        before = s3.wire.answered
        with pytest.raises(ModelRefused, match="4,000,000 bytes; the limit is 100,000") as refused:
            registry.named_bytes(three[1])
        assert refused.value.reason == "size"
        assert s3.wire.answered - before < 10_000
        assert registry.model_bytes(three[1]) == own_model(2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"version https://git-lfs.github.com/spec/v1\n", "lfs"), (b"<!DOCTYPE html>", "html")],
)
def test_an_object_that_is_no_model(site, registry, three, content, reason):
    """Case 24."""
    site.put("gatekeeper_2.onnx", content)
    with pytest.raises(ModelRefused) as refused:
        registry.named_bytes(three[1])
    assert refused.value.reason == reason


def test_a_table_that_another_tool_made_is_adopted(empty_site):
    """Paths of the table's own machine, objects of the same names in the bucket."""
    empty_site.old_table(
        (1, "gatekeeper_v1", "/srv/models/gatekeeper_v1.onnx", 1_500_000_000_000), (2, "x", "a/b.onnx", None)
    )
    empty_site.put("gatekeeper_v1.onnx", own_model(1))
    report = empty_site.upgrade()
    assert (report.adopted, [(mark.model_id, mark.reason) for mark in report.marked]) == ((1,), [(2, "missing")])
    assert empty_site.files()[f".blobs/{sha256(1)}"] == sha256(1)
    with empty_site.open() as registry:
        registry.migrate_naming(primary=1, actor="ann", reason="r")
        assert registry.primary().path == "models/gatekeeper_primary1.onnx"
    check_primary_opens(empty_site)


def test_a_project_that_moved_to_another_prefix_still_works(site, registry, three, tmp_path):
    """Case 3."""
    registry.close()
    moved = site.copy(tmp_path / f"{site.prefix}_moved")
    for name in site.files():
        site.delete(name)
    with moved.open() as opened:
        assert opened.model_bytes(opened.primary()) == own_model(3)
        assert opened.promote(2, actor="ann", reason="r").to_id == 2
    check_primary_opens(moved)


_WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from gatekeeper.errors import ConfigError
from gatekeeper.registry import Registry
try:
    Registry.open("sqlite:///nowhere.db", models="s3://bucket/models")
except ConfigError as refused:
    print(refused)
"""


@pytest.mark.parametrize("package", ["fsspec", "s3fs"])
def test_a_missing_extra_is_named(package):
    ended = subprocess.run([sys.executable, "-c", _WITHOUT, package], capture_output=True, text=True, check=True)
    assert package in ended.stdout
    assert "pip install 'gatekeeper[s3]'" in ended.stdout


@pytest.mark.parametrize(
    "models",
    [
        "s3://",
        "s3://bucket/../other",
        "s3://bucket//models",
        "simplecache::s3://bucket/models",
        Path("s3://bucket/models"),
    ],
)
def test_a_url_that_names_no_store(site, models):
    with pytest.raises(ConfigError, match=r"s3://bucket/prefix"):
        Registry.open(site.url, models=models)


@pytest.mark.parametrize("models", ["nope://bucket/models", "gs://bucket/models"])
def test_a_kind_of_store_that_is_not_installed(site, registry, three, models):
    with Registry.open(site.url, models=models) as opened, pytest.raises(ConfigError, match=models):
        opened.model_bytes(three[0])
