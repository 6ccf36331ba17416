"""Fresh clone of the repository, as a newcomer has it after `make setup`, in a folder whose path has spaces.

What `make setup` installs takes a minute and 1.9 GB, so that command itself is left to `.ci/run`, which begins with it
in a clean checkout. Here `.venv` is a virtual environment of its own, with the same commands, that borrows libraries of
the environment in which the tests run; `gatekeeper` is imported from the clone.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HOUSE = Path(__file__).parents[2]
# As pip and uv begin a command whose interpreter's path has spaces, but found from the command's own place.
HEAD = b"#!/bin/sh\n'''exec' \"$(dirname -- \"$0\")/python\" \"$0\" \"$@\"\n' '''\n"


def clone(folder: Path) -> Path:
    """The last commit and what was changed since, with a `.venv` that make takes for ready."""
    git("clone", "--quiet", str(HOUSE), str(folder))
    changed = git("-C", str(HOUSE), "ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
    for name in filter(None, changed.split("\0")):
        (folder / name).unlink(missing_ok=True)
        if (HOUSE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HOUSE / name, folder / name)
    environment(folder / ".venv")
    for room in ("gatekeeper", "up", "demo"):
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder / room)], check=True)
    return folder


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def environment(folder: Path) -> None:
    """A virtual environment that sees the clone first, then the libraries of this one; movable with the clone."""
    venv.EnvBuilder(symlinks=True).create(folder)
    place = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (place / "clone.pth").write_text(f"../../../..\n{sysconfig.get_path('purelib')}\n")
    for command in Path(sysconfig.get_path("scripts")).iterdir():
        if command.is_file() and not command.is_symlink() and not (folder / "bin" / command.name).exists():
            copy(command, folder / "bin" / command.name)
    (folder / "ready").touch()


def copy(command: Path, target: Path) -> None:
    """A command written in Python, with the interpreter beside it; any other by a link."""
    content = command.read_bytes()
    if content.startswith(b"#!/bin/sh\n'''exec'"):
        content = HEAD + content.split(b"\n' '''\n", 1)[1]
    elif content.startswith(b"#!") and b"python" in content.split(b"\n", 1)[0]:
        content = HEAD + content.split(b"\n", 1)[1]
    else:
        target.symlink_to(command)
        return
    target.write_bytes(content)
    target.chmod(0o755)
