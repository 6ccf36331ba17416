"""Processes of `make up` on this machine: start, state and end, by supervisord."""

import hashlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

HOUSE = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MARK = "UP_HOME"  # in the environment of each process of a folder, whatever its parent is by now
LONGEST_SOCKET = 90  # bytes; Linux allows 107, and supervisord appends some while it binds
PARTS = ("api-server", "scheduler", "dag-processor", "serve")


@dataclass(frozen=True, slots=True)
class Machine:
    """One folder and its processes."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The socket of supervisord; in the temporary folder if the folder's path is too long for a socket."""
        own = self.folder / "supervisor.sock"
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"gatekeeper-up-{digest}.sock"
        return own if len(os.fsencode(own)) <= LONGEST_SOCKET else short

    def secret(self) -> str:
        """The JWT secret of Airflow's parts; the one that Airflow generates is short."""
        return self._kept("jwt", secrets.token_urlsafe(64))

    def _kept(self, name: str, new: str) -> str:
        path = self.folder / "airflow" / name
        if not path.exists():
            path.touch(0o600)  # readable only by this account
            path.write_text(new)
        return path.read_text()

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.folder / "logs" / f"{part}.log"

    def tail(self, part: str, lines: int = 15) -> str:
        """The last lines of a part's log, indented below its name."""
        log = self.log(part)
        content = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else ["(nothing)"]
        return "\n".join([f"  {log}:", *(f"    {line[:240]}" for line in content)])

    def processes(self) -> list[psutil.Process]:
        """The processes of this folder."""
        return [process for process in psutil.process_iter() if environment(process).get(MARK) == str(self.folder)]

    def states(self) -> dict[str, str]:
        """The state of each part; empty if supervisord is not running. Raises SystemExit while it stops."""
        try:
            return {part["name"]: part["statename"] for part in self._supervisor().getAllProcessInfo()}
        except OSError:
            return {}
        except Fault:
            raise SystemExit("It is shutting down. Wait for that with `make down`, then run `make up`.") from None

    def process_ids(self) -> dict[str, int]:
        """The process of each part; 0 between two starts, empty if supervisord is not running."""
        try:
            return {part["name"]: part["pid"] for part in self._supervisor().getAllProcessInfo()}
        except (OSError, Fault):
            return {}

    def why_not_started(self, part: str) -> str:
        """Supervisord's reason: a command that can't be run leaves nothing in its log."""
        try:
            reason = self._supervisor().getProcessInfo(part)["spawnerr"]
        except (OSError, Fault):  # supervisord itself is what doesn't start
            reason = ""
        return f"does not start ({reason})" if reason else "does not start"

    def start(self) -> None:
        """Start supervisord; if it is running, start the parts that have given up."""
        if not self.states():
            command = [str(BIN / "supervisord"), "-c", str(HOUSE / "up" / "supervisord.conf")]
            subprocess.run(command, check=True)  # noqa: S603  # a fixed command
        self._supervisor().startAllProcesses(False)

    def end(self, patience: float) -> int:
        """End all processes, and kill those that take longer than `patience` seconds; returns their number."""
        living = self.processes()
        try:
            self._supervisor().shutdown()
        except Fault:  # it is shutting down already
            pass
        except OSError:  # it was killed, so the others can't be ended in order
            patience = 0
        psutil.wait_procs(living, timeout=patience)
        while left := self.processes():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=3)
        return len(living)

    def _supervisor(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return ServerProxy("http://127.0.0.1", transport).supervisor


def environment(process: psutil.Process) -> dict[str, str]:
    """The environment of a process; empty for this process and for those that can't be read."""
    try:
        return {} if process.pid == os.getpid() else process.environ()
    except psutil.Error:
        return {}


def is_free(host: str, port: int) -> bool:
    """Whether a server can bind this port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
