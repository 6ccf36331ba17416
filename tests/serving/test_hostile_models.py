"""Hostile files in the primary's place (case 24): the reason of each refusal, and the model that answers instead."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile_files import BOMBS, ODD_FILES, contents

pytestmark = pytest.mark.xdist_group("hostile")  # what its tests share is made once

CAP = 1 << 20
SCRIPT = Path(__file__).parents[1] / "support" / "under_a_cap.py"
BY_THEMSELVES = {name: reason for name, (_, reason) in contents(CAP).items()}
ODD = {name: reason for name, (_, reason) in ODD_FILES.items()}
# Refused before anybody asks whose bytes they are; all others by the sha256, where the registry knows another one.
PLAINLY_NO_MODEL = {"empty", "lfs", "html", "size"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the process under its cap says."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path_factory.mktemp("hostile"))],
        env={"PYTHONPATH": str(SCRIPT.parents[1]), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", [*BY_THEMSELVES, *ODD])
def test_each_is_refused_for_its_own_reason(told: dict[str, Any], name: str) -> None:
    """Cases 21, 24 and 25: as the primary's file, and as file and blob of a primary whose sha256 is the file's."""
    found, own = told["found"][name], {**BY_THEMSELVES, **ODD}[name]
    in_place = own if name in ODD or own in PLAINLY_NO_MODEL else "sha256"
    reason, fallback, degraded = found["in place"]
    assert (reason, fallback, degraded) == (in_place, "blob", False)  # its blob answers
    reason, fallback, degraded = found["registered"]
    assert (reason, fallback, degraded) == (own, "last_served", True)  # what answered before goes on


@pytest.mark.parametrize("name", BOMBS)
def test_what_only_a_run_would_show_is_never_run_here(told: dict[str, Any], name: str) -> None:
    """In the place of another model its sha256 speaks against it."""
    reason, fallback, degraded = told["found"][name]["in place"]
    assert (reason, fallback, degraded) == ("sha256", "blob", False)


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "hours of work"])
def test_and_can_not_be_registered(told: dict[str, Any], name: str) -> None:
    """Nor can hours of work: tests/model/test_hostile_files.py waits for that child process."""
    assert told["found"][name]["registered"][0] in BOMBS[name][1]


def test_the_old_model_answered_all_the_while(told: dict[str, Any]) -> None:
    """512 MB more than the process had at its start were enough for all of it."""
    assert told["wrong"] == []
    assert told["answers"] > 10 * len(told["found"])
