"""`kill -9` at every step: one primary, its path opens before any repair, and a retry ends as if nothing had been."""

from collections.abc import Callable
from pathlib import Path

import pytest
from registry_processes import check_primary_opens, run
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.registry import Registry

WORDS = {"actor": "ann", "reason": "again"}
CHANGE = {"verified", "locked", "named", "demoted", "promoted", "audited", "noted", "committed"}
STEPS = {
    "register": {"verified", "locked", "placed gatekeeper_4.onnx", "row written", "described", "committed"},
    "promote": CHANGE | {"written gatekeeper_primary2.onnx", "placed gatekeeper_primary2.onnx"},
    "rollback": CHANGE | {"quarantined"},
    "migrate_naming": {"locked", "taken in", "placed gatekeeper_3.onnx", "renamed", "committed"},
}
rounds = pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])])


def three_models(site: Site) -> None:
    """3 is the primary, after 1; 2 never was."""
    site.upgrade()
    with site.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, actor="ann", reason="r")


def older_names(site: Site) -> None:
    """1 is the primary; 3 and 4 have each other's names; 5 has no file."""
    names = ["gatekeeper_primary_prod", "gatekeeper_v2", "gatekeeper_4", "gatekeeper_3", "gatekeeper_temp"]
    for number, name in enumerate(names[:4], 1):
        site.put(f"{name}.onnx", own_model(number))
    site.old_table(*[(number, name, f"/srv/{name}.onnx", None) for number, name in enumerate(names, 1)])
    site.upgrade()


def killed(new_site: Callable[[Path], Site], folder: Path, make: Callable[[Site], None], act: str, rounds: int) -> list:
    """(step, site) for each kill; every step of the act is among them."""
    template = new_site(folder / "template")
    template.root.mkdir()
    make(template)
    done = [one for _ in range(rounds) for one in run("kill", template, seconds=3600, act=act)]
    template.drop()
    assert {one["step"] for one in done} >= STEPS[act]
    return [(one["step"], Site(Path(one["root"]), one["url"])) for one in done]


def is_after(step: str) -> bool:
    """Had the change been committed?"""
    return step == "committed" or step.startswith("removed")


@rounds
@pytest.mark.parametrize("act", ["promote", "rollback"])
def test_killed_while_the_primary_changes(new_site, tmp_path, act, rounds):
    """Case 13."""
    for step, site in killed(new_site, tmp_path, three_models, act, rounds):
        check_primary_opens(site)
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
    for step, site in killed(new_site, tmp_path, three_models, "register", rounds):
        check_primary_opens(site)
        with site.open() as registry:
            assert len(registry.models()) == 3 + is_after(step)
            model = registry.register(own_model(9), run_key="week 9", details=OWN)
            assert [one.run_key for one in registry.models()] == ["week 9", None, None, None]
            assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(9)
            check_history(registry)
        check_primary_opens(site)
        site.drop()


@rounds
def test_killed_while_names_change(new_site, tmp_path, rounds):
    """Case 61: all rows have their old names or all their new ones, and every model its bytes."""
    new = ["gatekeeper_5", "gatekeeper_4", "gatekeeper_3", "gatekeeper_2", "gatekeeper_primary1"]
    for step, site in killed(new_site, tmp_path, older_names, "migrate_naming", rounds):
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
