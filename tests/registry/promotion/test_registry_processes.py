"""Full disks, folders in the way, databases that became something else: nothing half-written, and a clear error."""

import pytest
from registry_processes import run
from registry_site import OWN, own_model

from gatekeeper.errors import StorageFailed, Unavailable

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("dialect", "limit", "acts"),
    [
        ("sqlite", 300, ["register", "promote", "rollback"]),
        ("sqlite", 4096, ["register", "promote", "rollback"]),
        ("postgresql", 300, ["register", "promote"]),  # a rollback within the grace needs no new file
    ],
    indirect=["dialect"],
)
def test_a_full_disk_leaves_everything_as_it_was(site, registry, add, promote, limit, acts):
    """Case 14: at 300 bytes no model file can be written; at 4096 the files can, and SQLite's database can't."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    promote(registry.model(3))
    before = site.rows(), site.files()
    refusals = run("full", site, limit=limit, acts=acts)
    assert ["nothing has changed" in refusal for refusal in refusals] == [True] * len(acts)
    assert (site.rows(), site.files()) == before
    assert registry.rollback(actor="ann", reason="the disk has room again").to_id == 1


def test_a_store_that_cannot_be_written_leaves_everything_as_it_was(site, registry, add, promote):
    """Case 14: here a file lies where the folder of the blobs should be."""
    promote(add(1))
    add(2)
    before = site.rows()
    (site.models / ".blobs").rename(site.root / "kept")
    (site.models / ".blobs").write_text("in the way")
    files = site.files()
    for act in (
        lambda: registry.register(own_model(3), details=OWN),
        lambda: registry.promote(2, actor="ann", reason="r"),
    ):
        with pytest.raises(Unavailable, match="GATEKEEPER_MODELS"):
            act()
    assert (site.rows(), site.files()) == (before, files)
    (site.models / ".blobs").unlink()
    (site.root / "kept").rename(site.models / ".blobs")
    assert registry.promote(2, actor="ann", reason="r").to_id == 2


def test_a_folder_in_the_way_of_a_name_leaves_everything_as_it_was(site, registry, add):
    add(1)
    (site.models / "gatekeeper_primary1.onnx").mkdir()
    before = site.rows(), site.files()
    with pytest.raises(Unavailable, match="nothing has changed"):
        registry.promote(1, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


@SQLITE
def test_a_database_that_became_something_else(site, registry, add):
    """Case 14. Written over in place: a new file might get another inode, and is then told of as another (case 72)."""
    add(1)
    registry.close()
    assert [file.name for file in site.root.glob("registry.db*")] == ["registry.db"]
    site.database.write_text("no database any more, only text, long enough to be read as a page. " * 20)
    files = site.files()
    with pytest.raises(StorageFailed, match="not a SQLite database"):
        registry.register(own_model(2), details=OWN)
    assert site.files() == files
