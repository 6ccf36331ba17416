"""Parts of `make up` and `make setup` that need no Airflow: accounts, settings of the caller, a half-made .venv."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from up_machine import HOUSE

OURS = "admin:admin,viewer:viewer"


def ask(words: str, **around: str) -> subprocess.CompletedProcess[str]:
    """What a line of Python prints that knows up/'s modules."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "GATEKEEPER_"))}
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(HOUSE / 'up')!r}); {words}"]
    return subprocess.run(command, env={**own, **around}, cwd=HOUSE, capture_output=True, text=True)


def settled(home: Path, content: str) -> str:
    """airflow.cfg after `make up` has seen it."""
    (home / "airflow.cfg").write_text(content)
    ended = ask(f"import accounts, pathlib; accounts.settle(pathlib.Path({str(home)!r}))")
    assert ended.returncode == 0, ended.stderr
    return (home / "airflow.cfg").read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[core]\nsimple_auth_manager_users = admin:admin\nx = 1\n",
            f"[core]\nsimple_auth_manager_users = {OURS}\nx = 1\n",
        ),
        ("[core]\nsimple_auth_manager_users =\n", f"[core]\nsimple_auth_manager_users = {OURS}\n"),
        ("[core]\nx = %(y)s\n", f"[core]\nsimple_auth_manager_users = {OURS}\nx = %(y)s\n"),
        ("[api]\nx = 1\n", f"[api]\nx = 1\n\n[core]\nsimple_auth_manager_users = {OURS}\n"),
        ("[core]\nsimple_auth_manager_users = ann:admin\n", "[core]\nsimple_auth_manager_users = ann:admin\n"),
        (
            "[core]\nsimple_auth_manager_users=ann:op, ben:viewer\n",
            "[core]\nsimple_auth_manager_users=ann:op, ben:viewer\n",
        ),
    ],
)
def test_accounts_of_airflow_cfg_stay_and_airflows_own_become_ours(tmp_path: Path, before: str, after: str) -> None:
    """Case 108: `make up` set them in the environment, which wins, so a list in airflow.cfg was ignored."""
    assert settled(tmp_path, before) == after
    assert settled(tmp_path, after) == after


def test_where_promotions_need_approval_there_is_a_second_person(tmp_path: Path) -> None:
    """Case 104: who asks can't approve. An account list of one's own stays as it is."""
    words = f"import accounts, pathlib; home = pathlib.Path({str(tmp_path)!r}); accounts.settle(home); "
    words += "print([(one.name, one.role) for one in accounts.accounts(home)])"
    for before, made in (
        ("admin:admin", [("admin", "admin"), ("viewer", "viewer"), ("approver", "op")]),
        (OURS, [("admin", "admin"), ("viewer", "viewer"), ("approver", "op")]),
        ("ann:admin", [("ann", "admin")]),
    ):
        (tmp_path / "airflow.cfg").write_text(f"[core]\nsimple_auth_manager_users = {before}\n")
        assert ask(words, GATEKEEPER_APPROVAL="true").stdout == f"{made}\n"
    (tmp_path / "desks.toml").write_text('[fx]\ndb = "sqlite:///fx.db"\napproval = true\n')
    (tmp_path / "airflow.cfg").write_text("[core]\nsimple_auth_manager_users = admin:admin\n")
    assert "approver" in ask(words, GATEKEEPER_DESKS=str(tmp_path / "desks.toml")).stdout


def test_a_missing_password_is_made_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[core]\nsimple_auth_manager_users = ann:op,ben:viewer\n")
    (tmp_path / "passwords.json").write_text('{"ann": "hers"}')
    words = f"import accounts, pathlib; home = pathlib.Path({str(tmp_path)!r}); accounts.accounts(home); "
    assert ask(words + "print(accounts.administrator(home).name)").stdout == "ann\n"
    made = json.loads((tmp_path / "passwords.json").read_text())
    assert made["ann"] == "hers"
    assert len(made["ben"]) == 16
    ask(words)
    assert json.loads((tmp_path / "passwords.json").read_text()) == made


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("ann:boss", "'ann:boss' in simple_auth_manager_users is not NAME:ROLE"),
        ("ann", "'ann' in simple_auth_manager_users is not NAME:ROLE"),
        ("ann:viewer", "has no account of the role admin or op"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(tmp_path: Path, listed: str, message: str) -> None:
    (tmp_path / "airflow.cfg").write_text(f"[core]\nsimple_auth_manager_users = {listed}\n")
    ended = ask(f"import accounts, pathlib; accounts.administrator(pathlib.Path({str(tmp_path)!r}))")
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_password_file_of_airflow_cfg_is_used(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    (tmp_path / "airflow.cfg").write_text(f"[core]\nsimple_auth_manager_passwords_file = {own}\n")
    ask(f"import accounts, pathlib; accounts.accounts(pathlib.Path({str(tmp_path)!r}))")
    assert sorted(json.loads(own.read_text())) == ["admin", "viewer"]
    assert own.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("around", "lines"),
    [
        ({"GATEKEEPER_DB": "sqlite:////up/registry.db"}, []),
        (
            {"GATEKEEPER_DB": "postgresql://u:s3cret@h/db", "GATEKEEPER_DATA": "candles:/bars/*.csv"},
            [
                "registry        postgresql://u:***@h/db    (GATEKEEPER_DB, from your environment)",
                "market data     candles:/bars/*.csv    (GATEKEEPER_DATA, from your environment)",
            ],
        ),
    ],
)
def test_a_registry_of_the_callers_environment_is_named(around: dict[str, str], lines: list[str]) -> None:
    """An old export is soon forgotten, and would move the registry in silence."""
    words = "import pathlib, run; print('\\n'.join(run.of_the_caller(run.Machine(pathlib.Path('/up')))))"
    ended = ask(words, **around)
    assert ended.stdout.splitlines() == (lines or [""]), ended.stderr


PYTHON = """#!/bin/sh
# Stands for Python: it says its version, and makes an environment whose parts only note what they are told.
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/uv"
fi
echo "$0 $*" >> "$NOTES"
"""


@pytest.mark.parametrize("left", ["no interpreter", "a link to nowhere", "no pip"])
def test_setup_makes_a_half_made_environment_anew(tmp_path: Path, left: str) -> None:
    """As after a set-up that was interrupted, or a Python that was removed."""
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    half = tmp_path / "venv" / "bin"
    half.mkdir(parents=True)
    (half / "left.txt").touch()
    if left == "a link to nowhere":
        (half / "python").symlink_to("/no/such/python")
    if left == "no pip":
        (half / "python").write_text("#!/bin/sh\nexit 1\n")
        (half / "python").chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "VENV"))}
    around = {**own, "PYTHON": str(tmp_path / "python"), "NOTES": str(tmp_path / "notes.txt")}
    for _ in range(2):
        words = ["make", "--silent", "setup", f"VENV={tmp_path / 'venv'}"]
        ended = subprocess.run(words, cwd=HOUSE, env=around, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not (half / "left.txt").exists()
    assert (tmp_path / "venv" / "ready").exists()
    notes = (tmp_path / "notes.txt").read_text()
    assert notes.count("-m venv") == 1  # the second set-up finds it ready
    assert "pip sync" in notes
