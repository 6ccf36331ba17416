"""A models folder: what leads out of it, what is too large, what forbids to write."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_processes import run
from registry_site import OWN, own_model

from gatekeeper.errors import ConfigError, ModelRefused, Unavailable
from gatekeeper.registry.context import store_at
from gatekeeper.registry.store.base import Store, blob_name, sha256_of

LEADING_OUT = [
    "..",
    ".",
    "../x",
    "/etc/hostname",
    "a/b",
    ".blobs/../x",
    ".blobs/a/b",
    "..\\x",
    "C:\\x",
    ".blobs/",
    "a/",
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = store_at(tmp_path / "models", cap=1000)
    made.make()
    return made


@pytest.mark.parametrize("name", LEADING_OUT)
@pytest.mark.parametrize("models", ["models", "s3://bucket/models"])
def test_names_that_lead_out_are_refused(name, models):
    """Case 24, for reading and for writing alike; asked before the store is."""
    store = store_at(models, cap=1000)
    for act in (
        store.read,
        store.remove,
        lambda name: store.place(name, b"x"),
        lambda name: store.may_hold(name, b"x"),
    ):
        with pytest.raises(ModelRefused) as refused:
            act(name)
        assert refused.value.reason == "outside"


@given(st.text(max_size=300))
def test_no_name_reaches_another_folder(tmp_path_factory, name):
    """The law: whatever a row's path ends in, it is refused, or is no file of the root."""
    root = tmp_path_factory.getbasetemp() / "law"
    (root / "models" / ".blobs").mkdir(parents=True, exist_ok=True)
    (root / "secret").write_bytes(b"secret")
    with pytest.raises(ModelRefused):
        store_at(root / "models", cap=1000).read(name)


@pytest.mark.parametrize("name", ["", "a" * 256, "a\0b", "\ud800"])
def test_what_no_file_is_called_is_missing(store, name):
    with pytest.raises(ModelRefused) as refused:
        store.read(name)
    assert refused.value.reason == "missing"


def test_links_that_lead_out_are_refused(store, tmp_path):
    """Case 24: for reading; a write replaces the link, never what it leads to."""
    outside = tmp_path / "outside.onnx"
    outside.write_bytes(b"mine")
    link = tmp_path / "models" / "gatekeeper_1.onnx"
    link.symlink_to(outside)
    with pytest.raises(ModelRefused) as refused:
        store.read("gatekeeper_1.onnx")
    assert refused.value.reason == "outside"
    undo = store.place("gatekeeper_1.onnx", b"model")
    assert (outside.read_bytes(), store.read("gatekeeper_1.onnx")) == (b"mine", b"model")
    undo()
    assert link.readlink() == outside


def test_a_folder_of_blobs_that_leads_out_is_refused(store, tmp_path):
    blobs = tmp_path / "models" / ".blobs"
    blobs.rmdir()
    (tmp_path / "elsewhere").mkdir()
    blobs.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="elsewhere"):
        store.put_blob(b"model")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("size", [1001, 3 * 2**40])
def test_a_file_over_the_cap_is_never_read(store, tmp_path, size):
    """A sparse file of 3 TB would fill the memory, were it read to be compared."""
    stray = tmp_path / "models" / "gatekeeper_1.onnx"
    with stray.open("wb") as file:
        file.truncate(size)
    with pytest.raises(ModelRefused, match=f"{size:,}"):
        store.read(stray.name)
    with pytest.raises(Unavailable, match="Move it away"):
        store.place(stray.name, b"model")
    assert not store.may_hold(stray.name, b"model")
    assert stray.stat().st_size == size


def test_what_is_listed(store, tmp_path):
    store.put_blob(b"model")
    store.place("gatekeeper_1.onnx", b"model")
    for name in (".gitkeep", ".tmp-1", ".blobs/.tmp-2", ".blobs/notes", "stray.txt"):
        (tmp_path / "models" / name).write_text("x")
    (tmp_path / "models" / "folder").mkdir()
    assert store.names() == ["gatekeeper_1.onnx", "stray.txt"]
    assert store.blobs() == [sha256_of(b"model")]
    assert sorted(store.leftovers()) == [".blobs/.tmp-2", ".tmp-1"]
    written = store.written_at("stray.txt")
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=1)
    assert store.written_at("nothing") is None


def test_undo_brings_everything_back(store, tmp_path):
    root = tmp_path / "models"
    (root / "gatekeeper_1.onnx").write_bytes(b"before")
    undone = [store.put_blob(b"model"), store.place("gatekeeper_1.onnx", b"model"), store.place("new.onnx", b"model")]
    for undo in reversed(undone):
        undo()
    assert (root / "gatekeeper_1.onnx").read_bytes() == b"before"
    assert not (root / "new.onnx").exists()
    assert not (root / blob_name(sha256_of(b"model"))).exists()


@pytest.mark.parametrize("folder", ["models", "models/.blobs"])
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_folder_that_may_only_be_read_leaves_everything_as_it_was(site, registry, add, promote, folder):
    """Case 14."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    promote(registry.model(3))
    for kept in (
        "gatekeeper_primary1.onnx",
        f".blobs/{registry.model(2).sha256}",
        f".blobs/{registry.model(1).sha256}",
    ):
        (site.models / kept).unlink()  # so that each act has something to write in either folder
    before = site.rows(), site.files()
    (site.root / folder).chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        refusals = run("readonly", site, acts=["register", "promote", "rollback"])
    finally:
        (site.root / folder).chmod(0o755)
    assert ["nothing has changed. Check that GATEKEEPER_MODELS is a writable folder" in one for one in refusals] == [
        True
    ] * 3
    assert (site.rows(), site.files()) == before
    assert registry.promote(2, actor="ann", reason="again").to_id == 2
    assert registry.register(own_model(9), details=OWN).id == 4
