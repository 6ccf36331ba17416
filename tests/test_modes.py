"""Modes of files: whatever is written follows the umask, so that who may not read stays out.

All that a weekly run and a server write is looked at in end_to_end/test_nothing_leaves.py.
"""

import os
import subprocess
from pathlib import Path

import pytest

from gatekeeper.files import replace, write_whole

HOUSE = Path(__file__).parents[1]
IGNORED = [
    *(".env", ".env.production", "receipt_3.json", "report_1.html", "reports/a.html", "spool/1.log", "registry.db"),
    *("registry.db-wal", "registry.db-journal", "x.sqlite3", "work/a/b", "signing.pem", "models/gatekeeper_1.onnx"),
]


@pytest.mark.parametrize(("umask", "left"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_follows_the_umask(tmp_path: Path, umask: int, left: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a" / "report.html", b"x")
        replace(tmp_path / "model", b"x", mode=0o444)
        replace(tmp_path / "state", b"x", mode=0o600)
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a/report.html", "model", "state")]
    assert modes == [left, 0o444 & ~umask, 0o600]


@pytest.mark.parametrize("name", IGNORED)
def test_git_ignores_secrets_and_data(name: str) -> None:
    """Case 116."""
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=HOUSE).returncode == 0


def test_nothing_that_is_kept_is_ignored() -> None:
    kept = subprocess.run(["git", "ls-files", "-ci", "--exclude-standard"], cwd=HOUSE, capture_output=True, text=True)
    assert kept.stdout == ""


def test_the_image_is_built_from_what_it_needs() -> None:
    """.dockerignore lets in what the Dockerfile copies, and nothing else."""
    let_in = {line[1:] for line in (HOUSE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in (HOUSE / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    }
    assert copied == let_in
    assert "*" in (HOUSE / ".dockerignore").read_text().splitlines()
