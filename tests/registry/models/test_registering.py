"""Registration: from a file to a row, and what is refused."""

import hashlib
from datetime import UTC, datetime

import pytest
from model_files import contract_model, foreign_model, placeholder_model
from registry_site import OWN, own_model

from gatekeeper.config import load
from gatekeeper.errors import ClaimsUnsettled, ConfigError, ModelRefused, Unavailable, UnknownModel
from gatekeeper.registry import Details, Registry


def test_a_registered_model_has_its_row_its_copy_and_its_blob(registry, site):
    content = own_model(1)
    model = registry.register(content, note="first", details=OWN)
    assert (model.id, model.version, model.path, model.description) == (
        1,
        "gatekeeper_1",
        "models/gatekeeper_1.onnx",
        "first",
    )
    assert (model.sha256, model.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (model.threshold, model.trained_to, model.feature_schema) == (0.55, OWN.trained_to, "gatekeeper-7-v1")
    assert model.created_at.tzinfo is UTC
    assert registry.model_bytes(model) == content
    assert site.files() == {f".blobs/{model.sha256}": model.sha256, "gatekeeper_1.onnx": model.sha256}
    assert not model.is_primary
    assert registry.primary() is None


def test_the_copy_and_the_blob_share_nothing_and_are_read_only(registry, site, add):
    """Case 58: a hard link would share the blob's fate."""
    model = add(1)
    copy, blob = site.models / "gatekeeper_1.onnx", site.models / ".blobs" / model.sha256
    assert copy.stat().st_ino != blob.stat().st_ino
    assert [path.stat().st_mode & 0o777 for path in (copy, blob)] == [0o444, 0o444]
    assert [path.stat().st_nlink for path in (copy, blob)] == [1, 1]


def test_the_users_file_is_neither_moved_nor_changed(registry, tmp_path):
    file = tmp_path / "new.onnx"
    file.write_bytes(own_model(1))
    before = file.stat()
    registry.register(str(file), details=OWN)
    after = file.stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_mode) == (after.st_ino, after.st_mtime_ns, after.st_mode)


def test_the_same_run_key_and_bytes_are_the_same_row(registry, site):
    """Cases 7 and 46: a retried or cleared task registers again."""
    first = registry.register(own_model(1), run_key="weekly 2018-06-04", details=OWN)
    before = site.rows(), site.files()
    assert registry.register(own_model(1), run_key="weekly 2018-06-04", details=OWN) == first
    assert (site.rows(), site.files()) == before


def test_a_retry_brings_lost_bytes_back(registry, site):
    """The task that registered is cleared after a disk was restored without its newest files."""
    model = registry.register(own_model(1), run_key="week", details=OWN)
    names = [model.file_name, f".blobs/{model.sha256}"]
    before = site.files()
    for lost in (names[:1], names[1:], names):
        for name in lost:
            (site.models / name).unlink()
        assert registry.register(own_model(1), run_key="week", details=OWN) == model
        assert site.files() == before


def test_a_retry_leaves_what_somebody_put_there(registry, site):
    """Case 58: the blob answers, and `doctor` is asked; a retried task overwrites nobody's file."""
    model = registry.register(own_model(1), run_key="week", details=OWN)
    (site.models / model.file_name).unlink()
    site.put(model.file_name, own_model(2))
    assert registry.register(own_model(1), run_key="week", details=OWN) == model
    assert (site.models / model.file_name).read_bytes() == own_model(2)


def test_other_bytes_or_no_run_key_are_another_row(registry):
    ids = [
        registry.register(own_model(number), run_key=key, details=OWN).id
        for number, key in [(1, "a"), (2, "a"), (1, "b"), (1, None), (1, None)]
    ]
    assert ids == [1, 2, 3, 4, 5]
    assert [model.id for model in registry.models()] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("kind", "recognised"),
    [
        ("input_name", "input 'float_input', score from 'score'"),
        ("probabilities", "input 'float_input', score from 'probabilities' column 1"),
        ("zipmap", "input 'float_input', score from 'output_probability' key 1"),
    ],
)
def test_models_of_other_tools_are_recognised(registry, kind, recognised):
    model = registry.register(foreign_model(kind), threshold=0.6, trained_to=datetime(2020, 1, 1, tzinfo=UTC))
    assert model.recognised == recognised
    assert (model.threshold, model.trained_to) == (0.6, datetime(2020, 1, 1, tzinfo=UTC))
    assert len(model.canary.rows) == len(model.canary.scores) > 0


def test_what_a_foreign_file_says_of_itself_is_kept(registry):
    content = contract_model(
        [0.1] * 7, trained_to="2020-05-01T00:00:00Z", trained_from="long ago", estimator="logistic"
    )
    model = registry.register(content)
    assert (model.trained_to, model.trained_from) == (datetime(2020, 5, 1, tzinfo=UTC), None)
    assert model.estimator == "logistic"


def test_our_own_exports_must_be_exact(registry):
    with pytest.raises(ModelRefused):
        registry.register(foreign_model("probabilities"), details=Details())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (placeholder_model(), "input"),
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "lfs"),
        (b"<!DOCTYPE html><html></html>", "html"),
        (contract_model([0.1] * 7)[:200], None),
    ],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(registry, site, content, reason):
    """Case 25, and case 5: register verifies."""
    before = site.rows(), site.files()
    with pytest.raises(ModelRefused) as refused:
        registry.register(content)
    assert reason in (None, refused.value.reason)
    assert (site.rows(), site.files()) == before


def test_a_file_that_is_not_there_is_refused(registry, site, tmp_path):
    """Case 11: nothing is invented for what is missing."""
    with pytest.raises(ModelRefused, match="does not exist"):
        registry.register(tmp_path / "missing.onnx")
    with pytest.raises(ModelRefused, match="directory"):
        registry.register(site.models)
    assert registry.models() == []


def test_every_version_has_its_own_bytes_whatever_its_file_is_called(registry, site, tmp_path):
    """Case 11: no shared mutable file, no version out of a file's name or metadata."""
    file = tmp_path / "gatekeeper_primary7.onnx"
    for number in (1, 2):
        file.write_bytes(contract_model([number / 10] * 7, version="gatekeeper_primary9"))
        registry.register(file, details=OWN)
    assert [model.version for model in registry.models()] == ["gatekeeper_2", "gatekeeper_1"]
    assert len({model.sha256 for model in registry.models()}) == 2
    assert len({digest for name, digest in site.files().items() if not name.startswith(".blobs")}) == 2


def test_a_file_over_the_cap_is_refused(site):
    with site.open(size_cap=100) as registry, pytest.raises(ModelRefused, match="MODEL_SIZE_CAP"):
        registry.register(own_model(1), details=OWN)


def test_a_name_that_another_row_has_is_a_clear_error(registry, site):
    """Case 61: a model named for another row's id."""
    site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (1, 'gatekeeper_2', 'models/gatekeeper_2.onnx')")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match=r"gatekeeper_2 .*model 1.*migrate-naming"):
        registry.register(own_model(1), details=OWN)
    assert (site.rows(), site.files()) == before


def test_a_file_that_another_row_has_is_a_clear_error(registry, site):
    """Case 61, the file's side: a reader of row 1 must not be given the bytes of row 2."""
    site.put("gatekeeper_2.onnx", own_model(9))
    site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (1, 'gatekeeper_v1', '/srv/old/gatekeeper_2.onnx')")
    with pytest.raises(ClaimsUnsettled, match="migrate-naming"):
        registry.register(own_model(1), details=OWN)
    assert (site.models / "gatekeeper_2.onnx").read_bytes() == own_model(9)


def test_a_stray_file_under_the_new_name_is_kept_as_a_blob(registry, site, add):
    site.put("gatekeeper_1.onnx", b"somebody's notes")
    model = add(1)
    assert registry.model_bytes(model) == own_model(1)
    assert hashlib.sha256(b"somebody's notes").hexdigest() in site.files().values()


def test_ids_are_never_used_twice(registry, site, add):
    add(1)
    add(2)
    site.sql("DELETE FROM gatekeeper_artifact WHERE model_id = 2")
    site.sql('DELETE FROM "RLModel" WHERE id = 2')
    assert add(3).id == 3


@pytest.mark.parametrize("threshold", [0, 1, -0.1, float("nan")])
def test_a_threshold_is_a_probability(registry, threshold):
    with pytest.raises(ConfigError, match="threshold"):
        registry.register(own_model(1), threshold=threshold, details=OWN)


def test_a_registry_has_a_threshold_for_files_that_say_none(site):
    """GATEKEEPER_THRESHOLD holds for the Python interface too, where a registry is opened by the settings."""
    site.put("old.onnx", own_model(7))
    settings = load({"db": site.url, "models": str(site.models), "threshold": 0.7})
    with Registry.configured(settings) as registry:
        assert registry.register(own_model(1), details=OWN).threshold == 0.7
        assert registry.register(own_model(2), details=OWN, threshold=0.6).threshold == 0.6
        site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (9, 'gatekeeper_v1', 'models/old.onnx')")
        registry.migrate_naming(actor="ann", reason="r")
        assert registry.model(9).threshold == 0.7
    with site.open() as registry:
        assert registry.register(own_model(3), details=OWN).threshold == 0.55
    with pytest.raises(ConfigError, match=r"1\.5"):
        site.open(threshold=1.5)


def test_what_no_database_stores_is_refused(registry):
    with pytest.raises(ConfigError, match="note"):
        registry.register(own_model(1), note="a\ud800b", details=OWN)
    with pytest.raises(ConfigError, match="offset"):
        registry.register(own_model(1), trained_to=datetime(2020, 1, 1), details=OWN)  # noqa: DTZ001  # that is the point
    with pytest.raises(ConfigError, match="run key"):
        registry.register(own_model(1), run_key=" ", details=OWN)


@pytest.mark.parametrize("model_id", [0, -1, 99, 2**70])
def test_an_unknown_id(registry, model_id):
    with pytest.raises(UnknownModel, match="gatekeeper list"):
        registry.model(model_id)


def test_a_changed_file_is_never_taken_for_the_model(registry, site, add):
    """Case 58: overwritten in place; the blob answers."""
    model = add(1)
    file = site.models / model.file_name
    file.unlink()
    file.write_bytes(own_model(2))
    assert registry.model_bytes(model) == own_model(1)
    assert registry.restore_name(model)
    assert file.read_bytes() == own_model(1)


def test_bytes_that_are_lost_are_a_refusal_and_a_store_that_is_gone_is_not(registry, site, add):
    """Case 57: unreachable is a failure that retries, never `missing`."""
    from shutil import move

    from gatekeeper.errors import Unavailable

    model = add(1)
    move(site.models, site.root / "unmounted")
    with pytest.raises(Unavailable, match="does not exist"):
        registry.model_bytes(model)
    site.models.mkdir()  # an empty mount point
    with pytest.raises(Unavailable, match="Mount the models folder"):
        registry.model_bytes(model)
    (site.models / ".blobs").mkdir()
    with pytest.raises(ModelRefused) as refused:
        registry.model_bytes(model)
    assert refused.value.reason == "missing"
    assert not registry.restore_name(model)


def test_an_empty_mount_point_takes_nothing_in(registry, site, add):
    """Case 57's kin: bytes that are written where the volume isn't are gone when it is back."""
    add(1)
    away = site.models.with_name("away")
    site.models.rename(away)
    site.models.mkdir()
    with pytest.raises(Unavailable, match="Mount the models folder"):
        registry.register(own_model(2), run_key="week", details=OWN)
    assert list(site.models.iterdir()) == []
    assert [model.id for model in registry.models()] == [1]
    site.models.rmdir()
    away.rename(site.models)
    model = registry.register(own_model(2), run_key="week", details=OWN)
    assert registry.model_bytes(model) == own_model(2)
