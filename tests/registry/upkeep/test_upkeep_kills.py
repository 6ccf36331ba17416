"""`kill -9` at every step of a clean-up and of a repair: the next one continues where the first was stopped."""

from collections.abc import Callable
from pathlib import Path

import pytest
from registry_processes import check_found, check_mended, check_primary_opens, in_order, killed
from registry_site import Site, own_model

from gatekeeper.registry.store.base import blob_name, sha256_of

rounds = pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])])
# One round of each step on SQLite, and of promoting and registering on both; the rest is for `make stress`.
on_sqlite_at_least = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.stress)], indirect=True
)
STEPS = {
    "gc": {"locked", "removed gatekeeper_3.onnx", "removed .tmp-abc", "noted", "committed"},
    "repair": {"looked", "locked", "mended temporary .tmp-abc", "files mended", "renamed", "promoted", "mended"},
}


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


def killed_in(new_site, folder: Path, make: Callable[[Site], None], act: str, rounds: int) -> list[Site]:
    template = new_site(folder / "template")
    template.root.mkdir()
    make(template)
    done = killed(template, act, rounds)
    assert {step for step, _ in done} >= STEPS[act]
    return [site for _, site in done]


@on_sqlite_at_least
@rounds
def test_a_clean_up_that_was_killed_goes_on(new_site, tmp_path, rounds):
    """Cases 6 and 13: the next one removes what the first didn't, and nothing of a row's."""
    for site in killed_in(new_site, tmp_path, littered, "gc", rounds):
        check_primary_opens(site)
        check_found(site)
        with site.open(grace_seconds=0) as registry:
            registry.gc()
            held = {model.file_name for model in registry.models()}
            blobs = {blob_name(model.sha256) for model in registry.models()}
        assert set(site.files()) == held | blobs
        check_mended(site)
        site.drop()


@on_sqlite_at_least
@rounds
def test_a_repair_that_was_killed_goes_on(new_site, tmp_path, rounds):
    for site in killed_in(new_site, tmp_path, ill, "repair", rounds):
        check_mended(site)
        with site.open() as registry:
            assert registry.primary().id == 3
        site.drop()
