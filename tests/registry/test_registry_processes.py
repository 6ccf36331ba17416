"""Several hands at once, kills in the middle, full disks: one primary, its bytes at hand, nothing half-written."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import ConfigError, Unavailable

SCRIPT = Path(__file__).parent / "processes.py"
PATHS = os.pathsep.join([str(SCRIPT.parents[1]), str(SCRIPT.parents[2])])


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)],
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check_primary_opens(site: Site) -> None:
    """As any server sees it, by SQL and `open` alone: one primary, whose path holds its bytes."""
    claims = site.sql(
        'SELECT id, path, sha256 FROM "RLModel" JOIN gatekeeper_artifact ON model_id = id '
        "WHERE substr(version, 1, 18) = 'gatekeeper_primary'"
    )
    ((_, path, sha256),) = claims
    assert hashlib.sha256((site.root / path).read_bytes()).hexdigest() == sha256


def test_four_processes_register_and_promote_at_once(site, add, promote):
    """Cases 1, 2, 7 and 12: one primary, an unbroken chain, one row for each run key, no failed read."""
    promote(add(999))
    with (
        subprocess.Popen(
            [sys.executable, str(SCRIPT), "race", str(site.root)], env={**os.environ, "PYTHONPATH": PATHS}
        ) as racers,
        site.open() as reader,
    ):
        reads = 0
        while racers.poll() is None:
            primary = reader.primary()
            assert hashlib.sha256((site.models / primary.file_name).read_bytes()).hexdigest() == primary.sha256
            reads += 1
    assert racers.returncode == 0
    assert reads > 10
    with site.open() as registry:
        check_history(registry)
        models = registry.models()
        assert sorted(model.run_key for model in models if model.run_key) == [f"shared {turn}" for turn in range(6)]
        assert [model.id for model in models] == list(range(1 + 6 + 4 * 6, 0, -1))
        assert registry.generation() > 24
        assert all(hashlib.sha256(registry.model_bytes(model)).hexdigest() == model.sha256 for model in models)
    check_primary_opens(site)


@pytest.mark.parametrize(
    ("act", "arguments", "steps"),
    [
        ("promote", [2], {"verified", "locked", "named", "demoted", "promoted", "audited", "noted", "committed"}),
        ("rollback", [], {"verified", "locked", "quarantined", "demoted", "promoted", "audited", "noted", "committed"}),
    ],
)
def test_killed_at_each_step(tmp_path, act, arguments, steps):
    """Case 13: kill -9; one primary, its path opens before any repair; yesterday's path holds the right bytes."""
    template = Site(tmp_path / "template")
    template.root.mkdir()
    template.upgrade()
    with template.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, actor="ann", reason="r")
    done = run("kill", tmp_path, act, json.dumps(arguments))
    assert done.returncode == 0, done.stderr
    died_at = json.loads(done.stdout)
    assert steps <= set(died_at)
    for number, name in enumerate(died_at):
        site = Site(tmp_path / f"{number:03}")
        check_primary_opens(site)
        if not name.startswith("removed"):
            assert (site.models / "gatekeeper_primary3.onnx").read_bytes() == own_model(3)
        with site.open() as registry:
            check_history(registry)
            after = registry.generation() > 2
            assert after == (name == "committed" or name.startswith("removed"))
            assert (registry.quarantined(registry.model(3).sha256) is not None) == (after and act == "rollback")
            if not after:  # a retry ends as if nothing had happened
                getattr(registry, act)(*arguments, actor="ann", reason="again")
            check_history(registry)
            assert registry.primary().id == (2 if act == "promote" else 1)
        check_primary_opens(site)


@pytest.mark.parametrize("limit", [300, 4096])
def test_a_full_disk_leaves_everything_as_it_was(site, registry, add, promote, limit):
    """Case 14: at 300 bytes no model file can be written; at 4096 the files can, and the database can't."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    promote(registry.model(3))
    before = site.rows(), site.files()
    done = run("full", site.root, limit)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing has changed") == 3
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


def test_a_database_that_became_something_else(site, registry, add):
    """Case 14."""
    add(1)
    registry.close()
    for file in site.root.glob("registry.db*"):
        file.unlink()
    site.database.write_text("no database any more, only text, long enough to be read as a page. " * 20)
    files = site.files()
    with pytest.raises(ConfigError, match="no SQLite database"):
        registry.register(own_model(2), details=OWN)
    assert site.files() == files
