"""`kill -9` at every step, and the doctor comes: it finds only what is really off, mends it, and finds nothing more."""

from collections.abc import Callable
from pathlib import Path

import pytest
from registry_processes import check_primary_opens, run
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.registry.artifacts import blob_name, sha256_of

rounds = pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])])


def in_order(site: Site) -> None:
    """3 is the primary, after 1; 2 never was."""
    site.upgrade()
    with site.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, actor="ann", reason="r")


def littered(site: Site) -> None:
    """Retired names, and what killed writers leave."""
    in_order(site)
    site.put(blob_name(sha256_of(own_model(9))), own_model(9))
    site.put("gatekeeper_primary2.onnx", own_model(2))
    site.put(".tmp-abc", b"half")


def ill(site: Site) -> None:
    """A bit of everything that needs no guess."""
    littered(site)
    (site.models / "gatekeeper_1.onnx").unlink()
    (site.models / blob_name(sha256_of(own_model(3)))).unlink()
    site.sql("UPDATE \"RLModel\" SET path = '/srv/gatekeeper_2.onnx' WHERE id = 2")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_3', path = 'models/gatekeeper_3.onnx' WHERE id = 3")
    site.sql("DROP INDEX gatekeeper_one_primary")


STEPS = {
    "register": {"placed gatekeeper_4.onnx", "row written", "committed"},
    "promote": {"placed gatekeeper_primary2.onnx", "demoted", "promoted", "committed"},
    "rollback": {"quarantined", "demoted", "promoted", "committed"},
    "gc": {"locked", "removed gatekeeper_3.onnx", "removed .tmp-abc", "noted", "committed"},
    "repair": {"looked", "locked", "mended temporary .tmp-abc", "files mended", "renamed", "promoted", "mended"},
}
HARMLESS = {"orphaned", "temporary"}


def killed(new_site: Callable[[Path], Site], folder: Path, make: Callable[[Site], None], act: str, rounds: int) -> list:
    template = new_site(folder / "template")
    template.root.mkdir()
    make(template)
    done = [one for _ in range(rounds) for one in run("kill", template, seconds=3600, act=act)]
    template.drop()
    assert {one["step"] for one in done} >= STEPS[act]
    return [Site(Path(one["root"]), one["url"]) for one in done]


def check_well(site: Site) -> None:
    """A second look finds nothing, and every row opens both ways."""
    with site.open() as registry:
        assert registry.doctor(repair=True).well
        again = registry.doctor(repair=True)
        assert (again.findings, again.repaired) == ((), ())
        check_history(registry)
        for model in registry.models():
            content = own_model(9 if model.run_key else model.id)
            assert registry.named_bytes(model) == registry.blob_bytes(model) == content
    check_primary_opens(site)


@rounds
@pytest.mark.parametrize(
    ("act", "make"), [("register", in_order), ("promote", in_order), ("rollback", in_order), ("gc", littered)]
)
def test_the_doctor_after_a_kill(new_site, tmp_path, act, make, rounds):
    """Case 13: one primary that opens before any repair; what is left over does no harm, and is mended."""
    for site in killed(new_site, tmp_path, make, act, rounds):
        check_primary_opens(site)
        with site.open() as registry:
            found = registry.doctor()
            assert {one.kind for one in found.findings} <= HARMLESS
            assert all(one.repairable for one in found.findings)
        check_well(site)
        site.drop()


@rounds
def test_a_clean_up_that_was_killed_goes_on(new_site, tmp_path, rounds):
    """Case 6: it removes what the first one didn't, and nothing of a row's."""
    for site in killed(new_site, tmp_path, littered, "gc", rounds):
        with site.open(grace_seconds=0) as registry:
            registry.gc()
            held = {model.file_name for model in registry.models()}
            blobs = {blob_name(model.sha256) for model in registry.models()}
        assert set(site.files()) == held | blobs
        check_well(site)
        site.drop()


@rounds
def test_a_repair_that_was_killed_goes_on(new_site, tmp_path, rounds):
    for site in killed(new_site, tmp_path, ill, "repair", rounds):
        check_well(site)
        with site.open() as registry:
            assert registry.primary().id == 3
        site.drop()
