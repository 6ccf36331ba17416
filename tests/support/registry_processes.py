"""Runs of `registry/processes.py`, and the invariants of a site after whatever happened there."""

import hashlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from select import select
from typing import Any

import pytest
from registry_site import OWN, Site, check_history, own_model

SCRIPT = Path(__file__).with_name("processes.py")
PATHS = os.pathsep.join([str(SCRIPT.parents[1]), str(SCRIPT.parents[2])])


@cache
def _forking() -> "subprocess.Popen[str]":
    """One process for all acts of a test run, with its imports done. It ends when ours does, and closes its stdin."""
    environment = {**os.environ, "PYTHONPATH": PATHS}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, str(SCRIPT)], env=environment, text=True, **pipes)


def run(act: str, site: Site, /, *, seconds: float = 120, **options: object) -> Any:
    """What the act says of itself. Fails where it, or one of its workers, failed: stderr says why."""
    process = _forking()
    print(json.dumps([act, str(site.root), site.postgres, site.pooler, options]), file=process.stdin, flush=True)
    if not select([process.stdout], [], [], seconds)[0]:
        process.kill()
        _forking.cache_clear()
        pytest.fail(f"{act} has not ended after {seconds} s")
    said = process.stdout.readline()
    assert said.strip(), f"{act} failed"
    return json.loads(said)


def check_primary_opens(site: Site) -> None:
    """As any server sees it, by SQL and `open` alone: one primary, whose path holds its bytes."""
    claims = site.sql(
        'SELECT id, path, sha256 FROM "RLModel" JOIN gatekeeper_artifact ON model_id = id '
        "WHERE substr(version, 1, 18) = 'gatekeeper_primary'"
    )
    ((_, path, sha256),) = claims
    assert hashlib.sha256((site.root / path).read_bytes()).hexdigest() == sha256


HARMLESS = {"orphaned", "temporary"}


def in_order(site: Site) -> None:
    """3 is the primary, after 1; 2 never was."""
    site.upgrade()
    with site.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, actor="ann", reason="r")


def killed(template: Site, act: str, rounds: int) -> list[tuple[str, Site]]:
    """The act in copies of the site, killed at its first step, the second, and so on: (step, copy) for each."""
    done = [one for _ in range(rounds) for one in run("kill", template, seconds=3600, act=act)]
    template.drop()
    return [(one["step"], Site(Path(one["root"]), one["url"])) for one in done]


def check_found(site: Site) -> None:
    """The doctor sees what a killed writer left, and nothing else."""
    with site.open() as registry:
        found = registry.doctor()
        assert {one.kind for one in found.findings} <= HARMLESS
        assert all(one.repairable for one in found.findings)


def check_mended(site: Site) -> None:
    """After a repair a second look finds nothing, and every row opens both ways."""
    with site.open() as registry:
        assert registry.doctor(repair=True).well
        again = registry.doctor(repair=True)
        assert (again.findings, again.repaired) == ((), ())
        check_history(registry)
        for model in registry.models():
            content = own_model(9 if model.run_key else model.id)
            assert registry.named_bytes(model) == registry.blob_bytes(model) == content
    check_primary_opens(site)
