"""Project moved to another folder or restored from a backup: everything loads, or is repaired, or is named."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import new_database
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import ModelRefused, Unavailable
from gatekeeper.registry import Registry, upgrade
from gatekeeper.serving import Gatekeeper, load

WORDS = {"actor": "ann", "reason": "r"}


def check_loads(registry: Registry, *numbers: int) -> None:
    """Each model opens by its name and by its blob, and nothing is off."""
    assert registry.doctor().well
    check_history(registry)
    for number in numbers:
        model = registry.model(number)
        assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(number)


@pytest.fixture
def lived_in(site, registry, add, promote):
    """3 is the primary, after 1."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    promote(registry.model(3))
    registry.close()
    return site


def test_the_whole_project_moves(lived_in, tmp_path):
    """Case 3: nothing in database or folder knows where it lies."""
    moved = lived_in.clone(tmp_path / "another" / "place")
    shutil.rmtree(lived_in.models)
    with moved.open() as registry:
        check_loads(registry, 1, 2, 3)
        assert Gatekeeper(registry).score([[50, 20, 0, 0.1, 0, 0, 1]]).version == "gatekeeper_primary3"
        assert registry.promote(2, **WORDS).from_id == 3
        check_loads(registry, 1, 2, 3)
    moved.drop()


def test_a_container_sees_the_folder_under_another_path(lived_in, tmp_path):
    (tmp_path / "mnt").mkdir()
    mounted = tmp_path / "mnt" / "m"
    mounted.symlink_to(lived_in.models)
    with Registry.open(lived_in.url, models=mounted) as registry:
        check_loads(registry, 1, 2, 3)
        registry.register(own_model(4), details=OWN)
    with lived_in.open() as registry:
        check_loads(registry, 1, 2, 3, 4)


def backup_of_database(site: Site, root: Path) -> Site:
    """Taken while a registry may be open: the SQLite file by its own backup, a PostgreSQL as a whole."""
    root.mkdir(parents=True, exist_ok=True)
    if site.postgres:
        return Site(root, new_database(site.postgres, site.postgres))
    copy = Site(root)
    with closing(sqlite3.connect(site.database)) as live, closing(sqlite3.connect(copy.database)) as backup:
        live.backup(backup)
    return copy


def test_the_database_first_and_the_blobs_later_is_mended_whole(lived_in, tmp_path):
    """The order that docs/how-to/operate.md says: what a row relies on is never removed, so all of it is there."""
    restored = backup_of_database(lived_in, tmp_path / "restored")
    with lived_in.open(grace_seconds=0) as registry:
        registry.register(own_model(4), details=OWN)
        registry.promote(4, **WORDS)
        registry.promote(2, **WORDS)
        registry.gc()
    shutil.copytree(lived_in.models / ".blobs", restored.models / ".blobs")  # the named files aren't in the backup
    with restored.open() as registry:
        found = registry.doctor(repair=True)
        assert found.well
        newer = f".blobs/{hashlib.sha256(own_model(4)).hexdigest()}"
        assert [(one.kind, one.name) for one in found.repaired] == [
            ("missing", "gatekeeper_1.onnx"),
            ("missing", "gatekeeper_2.onnx"),
            ("missing", "gatekeeper_primary3.onnx"),
            ("orphaned", newer),
        ]
        check_loads(registry, 1, 2, 3)
        assert registry.primary().id == 3
        registry.register(restored.models / newer, details=OWN)  # the model of after the backup is taken in again
        registry.promote(4, **WORDS)
        check_loads(registry, 1, 2, 3, 4)
        assert restored.open(grace_seconds=0).gc().removed != ()
        check_loads(registry, 1, 2, 3, 4)
    restored.drop()


def test_the_blobs_first_and_the_database_later_is_named(lived_in, tmp_path):
    """What was made between the two is lost: said row by row, answered by a fallback, and mended by the same file."""
    shutil.copytree(lived_in.models, tmp_path / "restored" / "models")
    with lived_in.open() as registry:
        registry.register(own_model(4), details=OWN)
        registry.promote(4, **WORDS)
    restored = backup_of_database(lived_in, tmp_path / "restored")
    with restored.open() as registry:
        found = registry.doctor(repair=True)
        assert [(one.kind, one.model_id, one.repairable) for one in found.findings] == [("missing", 4, False)] * 2
        loaded = load(registry)
        assert (loaded.model.id, loaded.degraded) == (3, True)
        with pytest.raises(ModelRefused, match="does not exist"):
            registry.model_bytes(registry.model(4))
        registry.register(own_model(4), note="the same file, from elsewhere", details=OWN)
        assert registry.doctor(repair=True).well
        assert registry.primary().id == 4
        assert registry.named_bytes(registry.primary()) == own_model(4)
        assert not load(registry).degraded
    restored.drop()


def test_a_backup_without_its_blobs(lived_in):
    """Named files alone: until somebody says that this is the store, it may as well be a volume that isn't mounted."""
    shutil.rmtree(lived_in.models / ".blobs")
    with lived_in.open() as registry:
        with pytest.raises(Unavailable, match="db upgrade"):
            registry.doctor(repair=True)
        upgrade(lived_in.url, models=lived_in.models)
        found = registry.doctor(repair=True)
        assert found.well
        assert {one.kind for one in found.repaired} == {"missing"}
        check_loads(registry, 1, 2, 3)
