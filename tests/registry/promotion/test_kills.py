"""`kill -9` at every step of a promotion: one primary, its path opens before any repair, and a retry ends as usual.

And the doctor, where it comes first, finds only what is really off, and mends it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from registry_processes import check_found, check_mended, check_primary_opens, in_order, killed
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.registry import Registry

WORDS = {"actor": "ann", "reason": "again"}
CHANGE = {"verified", "locked", "named", "demoted", "promoted", "audited", "noted", "committed"}
STEPS = {
    "register": {"verified", "locked", "placed gatekeeper_4.onnx", "row written", "described", "committed"},
    "promote": CHANGE | {"written gatekeeper_primary2.onnx", "placed gatekeeper_primary2.onnx"},
    "rollback": CHANGE | {"quarantined"},
    "migrate_naming": {"locked", "taken in", "renamed", "committed"},
}
rounds = pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])])
# One round of each step on SQLite, and of promoting and registering on both; the rest is for `make stress`.
on_sqlite_at_least = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.stress)], indirect=True
)


def older_names(site: Site) -> None:
    """1 is the primary; 3 and 4 have each other's names; 5 has no file."""
    names = ["gatekeeper_primary_prod", "gatekeeper_v2", "gatekeeper_4", "gatekeeper_3", "gatekeeper_temp"]
    for number, name in enumerate(names[:4], 1):
        site.put(f"{name}.onnx", own_model(number))
    site.old_table(*[(number, name, f"/srv/{name}.onnx", None) for number, name in enumerate(names, 1)])
    site.upgrade()


def anothers_name(site: Site) -> None:
    """The primary's file, of row 1, has the name that row 2 is to get."""
    site.put("gatekeeper_2.onnx", own_model(1))
    site.put("gatekeeper_v2.onnx", own_model(2))
    site.old_table(
        (1, "gatekeeper_primary_prod", "/srv/gatekeeper_2.onnx", None), (2, "gatekeeper_v2", "gatekeeper_v2.onnx", None)
    )
    site.upgrade()


def killed_in(new_site, folder: Path, make: Callable[[Site], None], act: str, rounds: int) -> list[tuple[str, Site]]:
    """(step, site) for each kill in a site that `make` made; every step of the act is among them."""
    template = new_site(folder / "template")
    template.root.mkdir()
    make(template)
    done = killed(template, act, rounds)
    assert {step for step, _ in done} >= STEPS[act]
    return done


def check_doctor(site: Site) -> None:
    """What it finds is only what is off, and it mends that; in a copy, so that the retry is shown without it."""
    check_found(site)
    copy = site.clone(site.root.with_name(f"{site.root.name}_mended"))
    check_mended(copy)
    copy.drop()


def is_after(step: str) -> bool:
    """Had the change been committed?"""
    return step == "committed" or step.startswith("removed")


@rounds
@pytest.mark.parametrize("act", ["promote", "rollback"])
def test_killed_while_the_primary_changes(new_site, tmp_path, act, rounds):
    """Case 13."""
    for step, site in killed_in(new_site, tmp_path, in_order, act, rounds):
        check_primary_opens(site)
        check_doctor(site)
        if not step.startswith("removed"):  # yesterday's path, within the grace
            assert (site.models / "gatekeeper_primary3.onnx").read_bytes() == own_model(3)
        with site.open() as registry:
            check_history(registry)
            assert (registry.generation() > 2) == is_after(step)
            quarantined = registry.quarantined(registry.model(3).sha256) is not None
            assert quarantined == (is_after(step) and act == "rollback")
            if not is_after(step):
                getattr(registry, act)(*([2] if act == "promote" else []), **WORDS)
            check_end(site, registry, 2 if act == "promote" else 1)
        site.drop()


def check_end(site: Site, registry: Registry, primary: int) -> None:
    check_history(registry)
    check_primary_opens(site)
    assert (registry.primary().id, registry.generation()) == (primary, 3)
    for number in (1, 2, 3):
        assert registry.named_bytes(registry.model(number)) == own_model(number)


@rounds
def test_killed_while_registering(new_site, tmp_path, rounds):
    """Cases 7 and 13: the retried task's row is the only one, with its bytes."""
    for step, site in killed_in(new_site, tmp_path, in_order, "register", rounds):
        check_primary_opens(site)
        check_doctor(site)
        with site.open() as registry:
            assert len(registry.models()) == 3 + is_after(step)
            model = registry.register(own_model(9), run_key="week 9", details=OWN)
            assert [one.run_key for one in registry.models()] == ["week 9", None, None, None]
            assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(9)
            check_history(registry)
        check_primary_opens(site)
        site.drop()


@on_sqlite_at_least
@rounds
def test_killed_while_names_change(new_site, tmp_path, rounds):
    """Case 61: all rows have their old names or all their new ones, and every model its bytes."""
    new = ["gatekeeper_5", "gatekeeper_4", "gatekeeper_3", "gatekeeper_2", "gatekeeper_primary1"]
    steps = killed_in(new_site, tmp_path, older_names, "migrate_naming", rounds)
    assert "placed gatekeeper_3.onnx" in {step for step, _ in steps}
    for step, site in steps:
        with site.open() as registry:
            assert ([model.version for model in registry.models()] == new) == is_after(step)
            assert registry.primary().id == 1
            for number in (1, 2, 3, 4):
                assert registry.model_bytes(registry.model(number)) == own_model(number)
            assert registry.named_bytes(registry.primary()) == own_model(1)
            registry.migrate_naming(**WORDS)
            assert [model.version for model in registry.models()] == new
            assert not registry.migrate_naming(**WORDS).changes
            for number in (1, 2, 3, 4):
                assert registry.named_bytes(registry.model(number)) == own_model(number)
            check_history(registry)
        check_primary_opens(site)
        site.drop()


@on_sqlite_at_least
@rounds
def test_killed_while_another_row_gets_the_name_of_the_primarys_file(new_site, tmp_path, rounds):
    """Its path opens its own bytes, before the commit and after it; the other row's are never lost."""
    steps = killed_in(new_site, tmp_path, anothers_name, "migrate_naming", rounds)
    assert {"placed gatekeeper_2.onnx", "given back"} <= {step for step, _ in steps}
    for _, site in steps:
        with site.open() as registry:
            assert registry.named_bytes(registry.primary()) == registry.blob_bytes(registry.model(1)) == own_model(1)
            assert registry.model_bytes(registry.model(2)) == own_model(2)
            registry.migrate_naming(**WORDS)
            assert registry.doctor(repair=True).well
            for number in (1, 2):
                assert registry.named_bytes(registry.model(number)) == own_model(number)
        check_primary_opens(site)
        site.drop()
