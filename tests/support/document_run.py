"""Runner of one page: its commands in one shell, its Python blocks, and what they print held against what it shows.

Usage: document_run.py PAGE CLONE [MENDED]      (in a network of its own: see tests/docs/test_documents.py)

MENDED is a file for the page with what it really prints, to be read before it is taken.

In a network of its own a page has the very ports that it names, and reaches nothing else.
"""

import doctest
import fcntl
import http.client
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from document_pages import Block, Command, Exempt, blocks, commands, exceptions

SERVER = re.compile(r"gatekeeper (?:--?\S+ )*(serve|console)\b")
ASKED = {"serve": "/readyz", "console": "/"}
LISTENING = re.compile(r"http://([\w.:\[\]]+)")
CHECKOUT = "/srv/gatekeeper"  # as the pages call it
MASKS = (  # what differs from run to run, on both sides; days before 2025 are the demo's, and are compared
    (r"20(2[5-9]|[3-9]\d)-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?( ?UTC|Z|\+00:00)?", "TIME"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
    (r"\b[0-9a-f]{12,128}\b", "DIGEST"),
    (r"password \S+", "PASSWORD"),
    (r"\b\d+(\.\d+)? ?(ms|s|seconds?|minutes?)\b", "DURATION"),
    (r"/tmp/[^\s'\"]+", "TEMPORARY"),
    ("─+", "─"),  # as long as the terminal is wide
)


@dataclass(frozen=True)
class Difference:
    """What isn't as the page says; of an output, what the page shows, and what was printed."""

    told: str
    shown: str = ""
    printed: str = ""


class Failed(Exception):
    """What the page says can't be done, or doesn't end as it says."""


class Shell:
    """Bash in the clone, with nothing of the caller's around it; what one command exports, the next one has."""

    def __init__(self, clone: Path, folder: Path) -> None:
        self.folder, self.commands = folder, 0
        self.servers: dict[str, tuple[int, TextIO]] = {}
        (folder / "home").mkdir()
        paths = [path for path in os.environ["PATH"].split(os.pathsep) if not shutil.which("gatekeeper", path=path)]
        around = {"HOME": str(folder / "home"), "PATH": os.pathsep.join(paths), "LANG": "C.UTF-8", "COLUMNS": "120"}
        around |= dict.fromkeys(("USER", "LOGNAME"), "ann")
        reading, self.writing = os.pipe()
        self.status = os.fdopen(reading)
        self.bash = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, text=True, cwd=clone, env=around, pass_fds=(self.writing,)
        )
        os.close(self.writing)  # bash alone has it, so that its end is seen

    def run(self, text: str) -> tuple[int, str]:
        """Its status, and all that it printed."""
        output = self._next("output")
        return self._ask(text, output, "; echo $?"), output.read_text(errors="replace")

    def serve(self, command: Command, kind: str) -> str:
        """Start a server, in place of the same one before, wait until it listens, and ask it; what it has printed."""
        self.end(command.name)
        os.mkfifo(output := self._next("server"))
        pid = self._ask(f"exec env {command.text}", output, "& echo $!")
        printed, reader = "", output.open()
        self.servers[command.name] = (pid, reader)  # the reader stays open: it is the server's terminal
        for line in reader:
            printed += line
            if listening := LISTENING.search(line):
                ask(listening[1], ASKED[kind])
                return printed
        raise Failed(f"it ended before it listened:\n{printed}")

    def end(self, name: str) -> None:
        """A server, as its supervisor would, if it is there."""
        pid, reader = self.servers.pop(name, (None, None))
        if pid and (status := self._ask(f"kill {pid}; wait {pid}", Path(os.devnull), "; echo $?")):
            raise Failed(f"`{name}` ended with status {status} after SIGTERM:\n{reader.read() if reader else ''}")

    def _next(self, name: str) -> Path:
        self.commands += 1
        return self.folder / f"{name}-{self.commands}"

    def _ask(self, text: str, output: Path, then: str) -> int:
        command = self._next("command")
        command.write_text(text + "\n")
        assert self.bash.stdin is not None
        quoted = shlex.quote(str(command)), shlex.quote(str(output))
        words = ". {} </dev/null >{} 2>&1 {status}>&- {then} >&{status}\n"
        self.bash.stdin.write(words.format(*quoted, status=self.writing, then=then))
        self.bash.stdin.flush()
        if status := self.status.readline():
            return int(status)
        raise Failed(f"the shell ended: {output.read_text()}")


def ask(place: str, path: str) -> None:
    """Raise Failed, if a server doesn't answer that it is well."""
    with closing(http.client.HTTPConnection(place, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            raise Failed(f"{path} answers {answer.status}: {answer.read().decode(errors='replace')}")


def walk(page: str, clone: Path, shell: Shell) -> Iterator[Difference]:
    """What isn't as the page says, with its place; after a command that fails the rest of the page means nothing."""
    listed = exceptions(clone)
    for block in blocks(clone, page):
        for command in steps(block, shell.folder):
            own = next((entry for entry in listed if entry.means(page, command.name)), Exempt("", "", status=0))
            if own.status is None:
                continue
            try:
                status, printed = done(command, shell)
            except Failed as failure:
                yield Difference(f"{page}:{command.line}: `{command.name}`: {failure}")
                return
            if status != own.status:
                yield Difference(f"{page}:{command.line}: `{command.name}` ended with status {status}:\n{printed}")
                return
            printed = at_checkout(printed, clone)
            if difference := compare(command.shown, printed):
                yield Difference(f"{page}:{command.line}: `{command.name}`\n{difference}", command.shown, printed)
    for name in list(shell.servers):
        shell.end(name)


def steps(block: Block, folder: Path) -> Iterator[Command]:
    """The commands of a console block; of a Python block the one that runs it."""
    if block.language == "console":
        yield from commands(block)
    elif block.language == "python":
        script = folder / f"line_{block.line}.py"
        script.write_text(block.text)
        yield Command(block.page, block.line, block.text, "", f".venv/bin/python {shlex.quote(str(script))}")


def done(command: Command, shell: Shell) -> tuple[int, str]:
    if server := SERVER.match(command.text):
        return 0, shell.serve(command, server[1])
    return shell.run(command.run or command.text)


def compare(shown: str, printed: str) -> str:
    """How they differ; spaces and line ends don't count, and `...` on the page stands for anything."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    checker = doctest.OutputChecker()
    shown, printed = masked(shown), masked(printed)
    if not shown.strip() or checker.check_output(shown, printed, options):
        return ""
    return checker.output_difference(doctest.Example("", shown), printed, options)


def masked(text: str) -> str:
    if text.lstrip().startswith(("{", "[")):  # JSON, which a page may break into lines
        text = "".join(text.split())
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return text + "\n"


def at_checkout(text: str, clone: Path) -> str:
    """With the clone's place as the pages write it: that has no spaces, and needs no quotes."""
    quoted = re.escape(shlex.quote(str(clone))[1:-1])
    return re.sub(rf"'(\w+:)?{quoted}([^']*)'", rf"\g<1>{CHECKOUT}\2", text).replace(str(clone), CHECKOUT)


def up(interface: str) -> None:
    """Bring a network interface up: `ip link set lo up`, where there may be no `ip`."""
    get, put, is_up = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14s", interface.encode(), 0, b"")
        name, flags, rest = struct.unpack("16sH14s", fcntl.ioctl(probe, get, request))
        fcntl.ioctl(probe, put, struct.pack("16sH14s", name, flags | is_up, rest))


def main(page: str, clone: Path, mended: Path | None = None) -> None:
    up("lo")
    text = (clone / page).read_text()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = list(walk(page, clone, Shell(clone, Path(folder))))
    for difference in found:
        text = text.replace(difference.shown, difference.printed.rstrip("\n"), 1) if difference.shown else text
    if mended:
        mended.write_text(text)
    if found:
        sys.exit("\n\n".join(difference.told for difference in found))


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
