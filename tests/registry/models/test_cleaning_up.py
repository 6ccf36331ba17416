"""`gc`: removes files that no row holds after the grace period, and never one that a row relies on."""

import errno
import hashlib
import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import placeholder_model
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import PromotionRefused, Unavailable

WORDS = {"actor": "ann", "reason": "r"}
LONG_AGO = "2025-01-01 00:00:00.000000"


def blob(content: bytes) -> str:
    return f".blobs/{hashlib.sha256(content).hexdigest()}"


def age(site: Site, name: str) -> None:
    """The file was last written years ago."""
    then = datetime.fromisoformat(LONG_AGO).timestamp()
    os.utime(site.models / name, (then, then))


def names(disposals) -> list[tuple[str, str]]:
    return [(each.name, each.why) for each in disposals]


@pytest.fixture
def used(site, registry, add, promote):
    """3 is the primary, after 1; three names were retired just now."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    promote(registry.model(3))
    return site


RETIRED = [("gatekeeper_3.onnx", "retired"), ("gatekeeper_primary1.onnx", "retired")]


@pytest.mark.parametrize("refused", [name for name, _ in RETIRED])
def test_a_disk_that_refuses_a_removal_is_told_with_what_went_before(used, registry, monkeypatch, refused):
    """After the first removal it may not be said that nothing has changed."""
    unlink, before = Path.unlink, set(used.files())

    def failing(path: Path, missing_ok: bool = False) -> None:
        if path.name == refused:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(path, missing_ok=missing_ok)

    used.sql("UPDATE gatekeeper_retired SET at = ?", LONG_AGO)
    monkeypatch.setattr(Path, "unlink", failing)
    with pytest.raises(Unavailable) as told:
        registry.gc()
    gone = before - set(used.files())
    assert gone == ({"gatekeeper_3.onnx"} if refused == "gatekeeper_primary1.onnx" else set())
    assert ("nothing has changed" in str(told.value)) == (not gone)
    assert f"{len(gone)} file that no model needs had been removed before it" in str(told.value) or not gone
    monkeypatch.undo()
    assert {each.name for each in registry.gc().removed} == {name for name, _ in RETIRED} - gone


def test_retired_names_wait_for_the_grace_by_the_databases_time(used, registry):
    """Issue 3, point 4: age is what the database noted, not what the files say."""
    for name, _ in RETIRED:
        age(used, name)
    before = used.rows(), used.files()
    plan = registry.gc()
    assert (plan.removed, names(plan.waiting)) == ((), RETIRED)
    assert (used.rows(), used.files()) == before
    used.sql("UPDATE gatekeeper_retired SET at = ? WHERE name = 'gatekeeper_3.onnx'", LONG_AGO)
    plan = registry.gc()
    assert (names(plan.removed), names(plan.waiting)) == (RETIRED[:1], RETIRED[1:])
    assert set(before[1]) - set(used.files()) == {"gatekeeper_3.onnx"}
    assert registry.gc().removed == ()


def test_a_dry_run_shows_the_plan_and_changes_nothing(used):
    used.put(blob(own_model(9)), own_model(9))
    used.put(".tmp-abc", b"half")
    used.put("gatekeeper_primary2.onnx", own_model(2))
    before = used.rows(), used.files()
    with used.open(grace_seconds=0) as registry:
        shown = registry.gc(dry_run=True)
        assert (used.rows(), used.files()) == before
        done = registry.gc()
    assert (shown.dry_run, done.dry_run) == (True, False)
    assert names(shown.removed) == names(done.removed)
    assert sorted(names(done.removed)) == sorted(
        [
            *RETIRED,
            (blob(own_model(9)), "orphaned"),
            (".tmp-abc", "temporary"),
            ("gatekeeper_primary2.onnx", "orphaned"),
        ]
    )
    assert set(before[1]) - set(used.files()) == {name for name, _ in names(done.removed)}


def test_what_no_row_knows_waits_for_the_grace_too(used, registry):
    """Case 6: both sides are looked at. A name counts from when it was first seen: someone may just have read it."""
    used.put(blob(own_model(9)), own_model(9))
    used.put(".blobs/.tmp-abc", b"half")
    used.put("gatekeeper_primary2.onnx", own_model(2))
    assert registry.gc().removed == ()
    for name in (blob(own_model(9)), ".blobs/.tmp-abc", "gatekeeper_primary2.onnx"):
        age(used, name)
    assert names(registry.gc().removed) == [(blob(own_model(9)), "orphaned"), (".blobs/.tmp-abc", "temporary")]
    used.sql("UPDATE gatekeeper_retired SET at = ? WHERE name = 'gatekeeper_primary2.onnx'", LONG_AGO)
    assert names(registry.gc().removed) == [("gatekeeper_primary2.onnx", "retired")]


def test_what_somebody_put_over_a_retired_name_is_theirs(used):
    path = used.models / "gatekeeper_3.onnx"
    path.chmod(0o644)
    path.write_bytes(own_model(9))
    with used.open(grace_seconds=0) as registry:
        registry.gc()
        assert path.read_bytes() == own_model(9)
        registry.promote(2, **WORDS)  # and model 3 wants that name again
        assert path.read_bytes() == own_model(3)
        registry.gc()
    assert hashlib.sha256(own_model(9)).hexdigest() in used.files().values()


def test_a_name_that_a_row_holds_again_stays(used):
    """Also where an older writer said so by SQL."""
    used.sql("UPDATE \"RLModel\" SET path = 'models/gatekeeper_3.onnx' WHERE id = 3")
    with used.open(grace_seconds=0) as registry:
        assert "gatekeeper_3.onnx" not in [each.name for each in registry.gc().removed]
        assert registry.named_bytes(registry.primary()) == own_model(3)


def test_the_bytes_of_a_row_that_is_no_model_stay(empty_site):
    """They are the user's, and only the blob has them once the old name is gone."""
    empty_site.put("gatekeeper_v1.onnx", placeholder_model())
    empty_site.old_table((1, "gatekeeper_v1", "models/gatekeeper_v1.onnx", None))
    empty_site.upgrade()
    with empty_site.open(grace_seconds=0) as registry:
        registry.migrate_naming(**WORDS)
        assert names(registry.gc().removed) == [("gatekeeper_v1.onnx", "retired")]
    assert set(empty_site.files()) == {"gatekeeper_1.onnx", blob(placeholder_model())}


def test_a_store_that_is_not_there(used, registry):
    used.models.rename(used.root / "elsewhere")
    before = used.rows()
    for dry_run in (True, False):
        with pytest.raises(Unavailable):
            registry.gc(dry_run=dry_run)
    assert used.rows() == before


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(["register", "promote", "rollback", "gc"]), max_size=12), data=st.data())
def test_whatever_happens_every_row_keeps_its_bytes(upgraded, tmp_path_factory, acts, data):
    """Case 6, a law: the primary, its predecessors, the ladder and all other rows open after any clean-up."""
    site = upgraded.clone(tmp_path_factory.mktemp("law") / "site")
    with site.open(grace_seconds=0) as registry:
        count = 1
        registry.register(own_model(1), details=OWN)
        for act in [*acts, "gc"]:
            if act == "register":
                count += 1
                registry.register(own_model(count), details=OWN)
            elif act == "gc":
                registry.gc()
                for model in registry.models():
                    assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(model.id)
            else:
                try:
                    if act == "promote":
                        registry.promote(data.draw(st.integers(1, count)), **WORDS)
                    else:
                        registry.rollback(**WORDS)
                except PromotionRefused:
                    assert registry.generation() == len(registry.promotions())
        held = {model.file_name for model in registry.models()}
        assert {name for name in site.files() if not name.startswith(".blobs/")} == held
        if registry.generation():
            check_history(registry)
        assert registry.doctor().well


def test_a_users_file_that_was_never_registered_is_no_litter(used, registry):
    """It has a name such as ours, and a registration that was killed left its bytes in a blob that no row relies on."""
    theirs = own_model(9)
    for name in ("gatekeeper_9.onnx", blob(theirs)):
        used.put(name, theirs)
        age(used, name)
    with used.open(grace_seconds=0) as later:
        assert blob(theirs) in [each.name for each in later.gc().removed]
        assert later.gc().removed == ()
    assert (used.models / "gatekeeper_9.onnx").read_bytes() == theirs
