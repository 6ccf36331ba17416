"""Damaged databases and full disks on the command line (Case 73): their own words, the way back, and no retry."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_shell import Shell
from model_files import constant_model
from sqlalchemy.exc import OperationalError

from gatekeeper.errors import ConfigError, GatekeeperError, RegistryReplaced, StorageFailed, Unavailable
from gatekeeper.registry.db.postgres import Postgres
from gatekeeper.registry.db.sqlite import translated

READS = [
    ["list"],
    ["active"],
    ["history"],
    ["doctor"],
    ["doctor", "--repair"],
    ["db", "upgrade"],
    ["db", "backup", "b"],
]
WRITES = [["promote", "-i", "1", "--reason", "r"], ["hold", "--reason", "r"], ["register", "-p", "new.onnx"]]


@pytest.fixture
def grown(bare: Shell) -> Shell:
    """A registry whose tables fill more pages than one."""
    assert bare("db", "upgrade")[0] == 0
    file = bare.file("new.onnx", constant_model(0.5))
    for _ in range(3):
        assert bare("register", "-p", file, "--promote")[0] == 0
    with sqlite3.connect(bare.folder / "registry.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return bare


def noise_in_the_tables(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def cut_in_the_middle(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 * 3])


def noise_in_the_first_page(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xa5" * 3996 + content[4096:])


def another_kind_of_file(file: Path) -> None:
    file.write_text("<html>404</html>" * 4096)


@pytest.mark.parametrize(
    "spoil", [noise_in_the_tables, cut_in_the_middle, noise_in_the_first_page, another_kind_of_file]
)
def test_a_damaged_registry_is_told_with_the_way_back(grown: Shell, spoil: Callable[[Path], None]) -> None:
    """It said "Unexpected DatabaseError, please report it", or to try again later."""
    assert grown("db", "backup", str(grown.folder / "backup.db"))[0] == 0
    registry = grown.folder / "registry.db"
    spoil(registry)
    for words in READS + WRITES:
        code, _, err = grown(*words)
        assert code == 1, (words, err)
        assert "damaged" in err, (words, err)
        assert "gatekeeper db restore BACKUP" in err or "Use another backup" in err, (words, err)
        assert "again later" not in err
    for path in grown.folder.glob("registry.db*"):  # as it says
        path.unlink()
    assert grown("db", "restore", str(grown.folder / "backup.db"))[0] == 0
    assert grown.json("active")["id"] == 3


SMALL = """
import shutil, subprocess, sys
from pathlib import Path
from gatekeeper.cli import main
folder, act = Path(sys.argv[1]), sys.argv[2:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder / "disk"], check=True)
if (folder / "registry.db").exists():
    shutil.copy(folder / "registry.db", folder / "disk")
else:
    (folder / "disk" / "registry.db").touch()
free = shutil.disk_usage(folder / "disk").free
(folder / "disk" / "filler").write_bytes(bytes(max(0, free - 8192)))
main(act)
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0, reason="may not mount a small disk"
)
@pytest.mark.parametrize("words", [["db", "upgrade"], *WRITES, ["doctor", "--repair"]])
def test_a_full_disk_is_told(grown: Shell, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one, of 1 MB."""
    (grown.folder / "disk").mkdir()
    if words == ["db", "upgrade"]:
        (grown.folder / "registry.db").unlink()
    monkeypatch.setenv("GATEKEEPER_DB", f"sqlite:///{grown.folder}/disk/registry.db")
    monkeypatch.setenv("GATEKEEPER_MODELS", str(grown.folder / "models"))
    monkeypatch.chdir(grown.folder)
    command = ["unshare", "-m", sys.executable, "-c", SMALL, str(grown.folder), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("gatekeeper: The disk of the registry"), done.stderr
    assert f"Free some space on {grown.folder}/disk, then repeat it." in done.stderr
    assert "again later" not in done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SQLITE_CORRUPT", "is damaged"),
        ("SQLITE_CORRUPT_INDEX", "is damaged"),
        ("SQLITE_NOTADB", "not a SQLite database, or its first page is damaged"),
        ("SQLITE_FULL", "is full"),
        ("SQLITE_READONLY", "can't be written by this user"),
        ("SQLITE_READONLY_DIRECTORY", "can't be written by this user"),
        ("SQLITE_PERM", "can't be written by this user"),
        ("SQLITE_CANTOPEN", "can't be opened"),
        ("SQLITE_CANTOPEN_ISDIR", "can't be opened"),
        ("SQLITE_IOERR", "can't be read or written"),
        ("SQLITE_IOERR_FSYNC", "can't be read or written"),
        ("SQLITE_BUSY", None),
        ("SQLITE_LOCKED", None),
    ],
)
def test_each_result_code_of_sqlite(tmp_path: Path, name: str, says: str | None) -> None:
    """Only a database in use passes by itself."""
    error = sqlite3.OperationalError("as the driver says")
    error.sqlite_errorcode = getattr(sqlite3, name)
    fault = translated(error, str(tmp_path / "registry.db"))
    assert fault.retryable == (says is None)
    assert type(fault) is (Unavailable if says is None else StorageFailed)
    assert (says or "Try again later") in str(fault)
    assert "as the driver says" in str(fault) or name == "SQLITE_NOTADB"


def test_without_room_for_the_index_of_the_log_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite tells that as an input or output error."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 100, 100))
    assert "is full" in str(translated(error, str(tmp_path / "registry.db")))


@pytest.mark.parametrize(
    ("state", "says", "kind"),
    [
        ("53100", "is full", StorageFailed),
        ("58030", "can't be read or written", StorageFailed),
        ("58P01", "can't be read or written", StorageFailed),
        ("XX001", "is damaged", StorageFailed),
        ("XX002", "is damaged", StorageFailed),
        ("25006", "is read-only", Unavailable),
        ("53300", "can't be used now", Unavailable),
        ("57P03", "can't be used now", Unavailable),
        ("XX000", "can't be used now", Unavailable),
        ("0A000", "refuses this", ConfigError),
    ],
)
def test_each_state_of_postgresql(state: str, says: str, kind: type[GatekeeperError]) -> None:
    class Told(Exception):
        sqlstate = state

    fault = Postgres().fault(OperationalError("SELECT 1", (), Told("as the server says")), "postgresql://h/d")
    assert (type(fault), says in str(fault), "as the server says" in str(fault)) == (kind, True, True)
    assert fault.retryable == (kind is Unavailable)


def test_who_retries() -> None:
    """Airflow retries what is retryable, and nothing else: plugins/gatekeeper_airflow/faults.py."""
    assert (StorageFailed.retryable, RegistryReplaced.retryable) == (False, True)
