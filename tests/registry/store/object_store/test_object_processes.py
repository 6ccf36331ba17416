"""Several processes at once on one object store, forked, and killed in the middle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bucket_site import check_primary_opens
from registry_site import OWN, check_history, own_model

from gatekeeper.registry.store.base import sha256_of

SCRIPT = Path(__file__).parents[3] / "support" / "store_processes.py"
PATHS = os.pathsep.join([str(SCRIPT.parents[1]), str(SCRIPT.parents[2])])
PACE = 0.05  # seconds


def ended(racers: "subprocess.Popen[bytes]") -> int | None:
    """The exit code, waited for between two looks: a reader without a pause takes the processor from those who race."""
    try:
        return racers.wait(PACE)
    except subprocess.TimeoutExpired:
        return None


def test_a_forked_process_reads_and_writes(site, registry, three):
    """Airflow and web servers fork after the registry was opened and used."""
    child = os.fork()
    if not child:
        try:
            registry.promote(2, actor="child", reason="r")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert registry.primary().id == 2
    assert registry.model_bytes(registry.primary()) == own_model(2)


def test_four_processes_register_and_promote_at_once(site, registry):
    """Cases 1, 2, 7 and 12."""
    registry.promote(registry.register(own_model(9), details=OWN).id, actor="ann", reason="r")
    environment = {**os.environ, "PYTHONPATH": PATHS}
    with subprocess.Popen([sys.executable, str(SCRIPT), "race", str(site.root)], env=environment) as racers:
        reads = 0
        while ended(racers) is None:
            primary = registry.primary()
            assert sha256_of(site.get(primary.file_name)) == primary.sha256
            reads += 1
    assert racers.returncode == 0
    assert reads > 10
    check_history(registry)
    models = registry.models()
    assert sorted(model.run_key for model in models if model.run_key) == [f"shared {turn}" for turn in range(3)]
    assert [model.id for model in models] == list(range(1 + 3 + 4 * 3, 0, -1))
    assert all(sha256_of(site.get(model.file_name)) == model.sha256 for model in models)
    assert {model.sha256 for model in models} <= site.files().keys() | {name[7:] for name in site.files()}


@pytest.mark.stress
def test_killed_at_each_step_of_a_promotion(site, registry, three, tmp_path):
    """Case 13: one primary, its object opens before any repair; a retry ends as if nothing had happened."""
    registry.close()
    sites = tmp_path / "sites"
    sites.mkdir()
    steps: list[str] = []
    with site.copy(tmp_path / f"{site.prefix}_whole").open(step=steps.append, grace_seconds=0) as opened:
        opened.promote(2, actor="ann", reason="r")
    assert {"verified", "locked", "named", "demoted", "promoted", "audited", "noted", "committed"} <= set(steps)
    killed = [site.copy(sites / f"{site.prefix}_{number:03}") for number in range(len(steps))]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "promote", str(sites)],
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for one, name in zip(killed, steps, strict=True):
        assert (one.root / "died_at").read_text() == name
        check_primary_opens(one)
        if not name.startswith("removed"):
            assert one.get("gatekeeper_primary3.onnx") == own_model(3)
        with one.open() as opened:
            check_history(opened)
            assert (opened.generation() > 2) == (name == "committed" or name.startswith("removed"))
            assert opened.promote(2, actor="ann", reason="again").to_id == 2
            check_history(opened)
        check_primary_opens(one)
