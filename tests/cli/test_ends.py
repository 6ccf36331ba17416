"""How commands end: a full disk, a closed pipe, Ctrl-C, a missing extra; and lists that lose nothing on the way."""

import errno
import os
import pty
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing, suppress
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from command_shell import Shell
from score_server import eventually

from gatekeeper.cli.extras import EXTRAS
from gatekeeper.cli.hints import with_desk

HOUSE = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from gatekeeper.cli import main; main()"]
FULL = "gatekeeper: The output can't be written (No space left on device). Free some space, or send it elsewhere.\n"


@pytest.mark.parametrize("words", ["list", "config", "doctor --json", "--help"])
def test_a_full_disk_is_said(shell: Shell, words: str) -> None:
    """Case 122: `list >/dev/full` asked for a bug report."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*COMMAND, *words.split()], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (1, FULL)


def test_a_reader_that_has_gone_is_no_fault(shell: Shell) -> None:
    """As `| head` does; and with stderr full too, no traceback comes from anywhere."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*COMMAND, "config"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")
    with Path("/dev/full").open("w") as full:
        assert subprocess.run([*COMMAND, "list"], stdout=full, stderr=full).returncode == 1


def interrupted(process: "subprocess.Popen[str]") -> str:
    """What a command and its children write on stderr after Ctrl-C, which goes to all of them."""
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    return err


def started(command: list[str], **around: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        start_new_session=True,
        env={**os.environ, **around},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_is_one_line(shell: Shell) -> None:
    """Case 122: the command waits for a reader at a pipe, as for a slow disk."""
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    process = started([*COMMAND, "verify", str(pipe)])
    writer = eventually(lambda: opened(pipe))  # closed before, it would end the file, and the command with it
    assert interrupted(process) == "\ngatekeeper: Interrupted.\n"
    os.close(writer)


def opened(pipe: Path) -> int | None:
    """The end to write to, once somebody has begun to read."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as fault:
        assert fault.errno == errno.ENXIO
        return None


def test_ctrl_c_before_the_command_line_is_there(tmp_path: Path) -> None:
    """In the imports, where an extension may turn it into an ImportError of its own."""
    words = "import signal, sys; signal.raise_signal(signal.SIGINT)"
    for name in ("click", "numpy"):
        (tmp_path / f"{name}.py").write_text(words)
        around = {"PYTHONPATH": str(tmp_path), "GATEKEEPER_DB": "sqlite:///none.db"}
        ended = subprocess.run(
            [*COMMAND, "score", "1"], env={**os.environ, **around}, cwd=tmp_path, capture_output=True, text=True
        )
        (tmp_path / f"{name}.py").unlink()
        assert (ended.returncode, "Traceback" in ended.stderr) == (130, False), ended.stderr


def test_ctrl_c_ends_the_workers_of_a_rehearsal_in_silence(shell: Shell) -> None:
    process = started([*COMMAND, "rehearse", "--from", "2018-10-01", "--jobs", "2"])
    eventually(lambda: len(children(process.pid)) >= 2)
    assert interrupted(process).endswith("\ngatekeeper: Interrupted.\n")


def children(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


@pytest.mark.slow
def test_ctrl_c_ends_the_demo(tmp_path: Path) -> None:
    """Case 122: with a traceback, and Airflow's output in the log alone."""
    process = started([sys.executable, str(HOUSE / "demo" / "run.py"), str(tmp_path / "demo")])
    eventually((tmp_path / "demo" / "airflow.log").exists)
    assert interrupted(process).endswith("\nInterrupted. `make demo` begins anew.\n")


@pytest.mark.parametrize(
    ("words", "module", "extra", "around"),
    [
        ("run --as-of 2018-11-05", "sklearn", "train", {}),
        ("alarms test", "apprise", "alarms", {"GATEKEEPER_ALARMS": "json://localhost"}),
        ("serve", "starlette", "server", {}),
        ("console", "fastapi", "console", {}),
        ("list", "psycopg", "postgres", {"GATEKEEPER_DB": "postgresql+psycopg://h/d"}),
        ("list", "s3fs", "s3", {"GATEKEEPER_MODELS": "s3://bucket/x"}),
    ],
)
def test_a_missing_extra_is_named(shell: Shell, words: str, module: str, extra: str, around: dict[str, str]) -> None:
    """Case 110: `run` without the extra `train` asked for a bug report."""
    without = f"import sys; sys.modules[{module!r}] = None; from gatekeeper.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", without, *words.split()], env={**os.environ, **around}, capture_output=True, text=True
    )
    assert ended.returncode == 1, ended.stderr
    assert f"Run `pip install 'gatekeeper[{extra}]'`" in ended.stderr
    assert "report it" not in ended.stderr


def test_every_package_of_an_extra_is_known() -> None:
    """A new dependency would ask for a bug report otherwise."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    modules: dict[str, set[str]] = {}
    for module, packages in packages_distributions().items():
        for package in packages:
            modules.setdefault(package.lower().replace("_", "-"), set()).add(module)
    known = set().union(*EXTRAS.values())
    assert EXTRAS.keys() == project["optional-dependencies"].keys() - {"demo", "dev", "docs"}  # demo's is of train, too
    for extra in EXTRAS.keys() - {"airflow", "celery"}:  # these are imported by Airflow itself
        for requirement in project["optional-dependencies"][extra]:
            package = re.split(r"[\[<>=; ]", requirement)[0].lower()
            assert known & modules[package], (extra, package)


def rows(shell: Shell, count: int) -> None:
    """A registry of so many models, of which none has a file."""
    with closing(sqlite3.connect(shell.folder / "registry.db")) as database, database:
        named = [
            (number, f"gatekeeper_{number}", f"a note of several words on {number}") for number in range(1, count + 1)
        ]
        database.executemany("INSERT INTO \"RLModel\" (id, version, path, description) VALUES (?, ?, '', ?)", named)


def listed(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"^(\d+) +gatekeeper_", text, re.MULTILINE)]


def test_list_comes_in_pages(shell: Shell) -> None:
    """Case 74: 10,000 rows; the newest first, and the line that leads to the rest."""
    rows(shell, 120)
    _, out, _ = shell("list")
    assert listed(out) == list(range(120, 70, -1))
    assert out.endswith("Older models: `gatekeeper list --before 71`, or all with `--all`.\n")
    _, out, _ = shell("list", "--before", "71", "--limit", "70")
    assert listed(out) == list(range(70, 0, -1))
    assert "Older models" not in out
    assert listed(shell("list", "--all")[1]) == list(range(120, 0, -1))
    assert [len(shell.json("list")), len(shell.json("list", "--limit", "7"))] == [120, 7]
    for words in (("--before", str(10**20)), ("--limit", str(10**20)), ("--limit", str(2**63 - 1))):
        assert len(shell.json("list", *words)) == 120
    for words in (("--before", "0"), ("--before", str(-(10**20)))):
        assert shell("list", *words)[:2] == (0, f"No models before {words[1]}.\n")
    code, _, err = shell("list", "--all", "--limit", "3")
    assert (code, "Give --limit or --all, not both" in err) == (2, True)


@pytest.mark.parametrize("columns", ["20", "60"])
def test_an_id_and_a_name_are_whole_in_any_terminal(shell: Shell, columns: str) -> None:
    """Case 122: at 60 columns `list` showed `gateke…`, the one thing that is needed."""
    rows(shell, 3)
    ours, theirs = pty.openpty()
    subprocess.run(
        [*COMMAND, "list"], env={**os.environ, "COLUMNS": columns, "TERM": "xterm"}, stdout=theirs, check=True
    )
    os.close(theirs)
    out = b""
    with suppress(OSError):  # the terminal has gone
        while chunk := os.read(ours, 4096):
            out += chunk
    os.close(ours)
    text = out.decode().replace("\r\n", "\n")
    assert re.match(r"id +version +created ", text), "in any terminal, no style is shown as an escape"
    assert listed(text) == [3, 2, 1]
    assert "gatekeeper_3 " in text
    assert "…" not in text
    assert {"a", "note", "of", "several", "words", "on"} <= set(text.split())


def test_hints_name_the_chosen_desk(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 110: a hint that is pasted would act on another desk."""
    monkeypatch.setenv("GATEKEEPER_DESK", "")
    (shell.folder / "desks.toml").write_text('[fx]\ndb = "sqlite:///fx.db"\n')
    assert "Run `gatekeeper db upgrade --desk fx`" in shell("list", "--desk", "fx")[2]
    assert shell("db", "upgrade", "--desk", "fx")[0] == 0
    assert "Add one with `gatekeeper register -p FILE --desk fx`" in shell("list", "--desk", "fx")[1]
    assert "Promote a model with `gatekeeper promote -i ID --desk fx`" in shell("active", "--desk", "fx")[2]
    assert "`gatekeeper list --desk fx` shows the ids" in shell("promote", "-i", "9", "--desk", "fx")[2]
    monkeypatch.setenv("GATEKEEPER_DESK", "")
    assert "`gatekeeper list` shows the ids" in shell("promote", "-i", "9")[2]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Run `gatekeeper list` or `gatekeeper gc`.", "Run `gatekeeper list --desk fx` or `gatekeeper gc --desk fx`."),
        ("`gatekeeper list --desk a`", "`gatekeeper list --desk a`"),
        ("next: gatekeeper promote -i 3", "next: gatekeeper promote -i 3 --desk fx"),
        ("next: gatekeeper doctor, which compares", "next: gatekeeper doctor --desk fx, which compares"),
        ("`pip install gatekeeper`", "`pip install gatekeeper`"),
    ],
)
def test_the_desk_of_a_hint(text: str, named: str) -> None:
    assert with_desk(text, "fx") == named
    assert with_desk(text) == text


@pytest.mark.parametrize("name", ["some one's.onnx", "gatekeeper_9.onnx", "gatekeeper_primary9.onnx"])
def test_a_file_of_nobody_leaves_the_doctor_well(shell: Shell, name: str) -> None:
    """Case 120: one unregistered file, and doctor never ended well, whatever was done; it names the one command."""
    stray = shell.file(f"models/{name}", b"anything")
    for words in (("doctor",), ("doctor", "--repair")):
        code, out, _ = shell(*words)
        assert code == 0
        assert out.endswith("All is well.\n")
        assert f"`gatekeeper register -p {shlex.quote(stray)}`" in out
    assert Path(stray).read_bytes() == b"anything"
