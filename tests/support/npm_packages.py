"""Locked packages from npm, installed once for all test runs of this clone, their install scripts left out."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "build"


def installed(locked: Path, name: str) -> Path:
    """The folder with `node_modules`, of the lock in `locked`; skips the test if npm is missing or can't install."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing: Debian's packages nodejs and npm bring it")
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of a test run share the folder
        _install(locked, folder)
    return folder


def _install(locked: Path, folder: Path) -> None:
    wanted = (locked / "package-lock.json").read_bytes()
    mark = folder / "installed-lock.json"
    if mark.exists() and mark.read_bytes() == wanted:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(locked / name, folder / name)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm can't install the packages of {locked.name}: {done.stderr[-300:]}")
    mark.write_bytes(wanted)
