"""What is up on this machine, from which folder, and is it well? Starting, watching and ending are supervisord's."""

import hashlib
import json
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
MARK = "UP_HOME"  # in the environment of each process that belongs to a folder, whoever its parent is by now
LONGEST_SOCKET = 90  # Linux takes 107 bytes, and supervisord adds some while it binds
USER = "admin"
PARTS = ("api-server", "scheduler", "dag-processor", "serve")


@dataclass(frozen=True, slots=True)
class Machine:
    """One folder with all that belongs to it."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where supervisord is asked; elsewhere, if the folder's own path is too long for a socket."""
        own = self.folder / "supervisor.sock"
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"gatekeeper-up-{digest}.sock"
        return own if len(os.fsencode(own)) <= LONGEST_SOCKET else short

    def password(self) -> str:
        """Of Airflow's one user; made once, before Airflow makes one and prints it into a log."""
        return str(json.loads(self._kept("passwords.json", json.dumps({USER: secrets.token_urlsafe(12)})))[USER])

    def secret(self) -> str:
        """What Airflow's parts know each other by; the one that Airflow makes up itself is short."""
        return self._kept("jwt", secrets.token_urlsafe(64))

    def _kept(self, name: str, new: str) -> str:
        path = self.folder / "airflow" / name
        if not path.exists():
            path.touch(0o600)  # only this account reads it
            path.write_text(new)
        return path.read_text()

    def log(self, part: str) -> Path:
        """What a part has printed."""
        return self.folder / "logs" / f"{part}.log"

    def tail(self, part: str, lines: int = 15) -> str:
        """The end of its log, indented below its name."""
        log = self.log(part)
        content = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else ["(nothing)"]
        return "\n".join([f"  {log}:", *(f"    {line[:240]}" for line in content)])

    def processes(self) -> list[psutil.Process]:
        """All that belong to this folder."""
        return [process for process in psutil.process_iter() if environment(process).get(MARK) == str(self.folder)]

    def states(self) -> dict[str, str]:
        """Of each part, as supervisord has it; nothing where supervisord isn't there. Raises SystemExit as it goes."""
        try:
            return {part["name"]: part["statename"] for part in self._supervisor().getAllProcessInfo()}
        except OSError:
            return {}
        except Fault:
            raise SystemExit("it is going down; `make up` once it is, or `make down` to wait for that") from None

    def why_not_started(self, part: str) -> str:
        """Supervisord's reason: a command that can't be run leaves nothing in its log."""
        try:
            reason = self._supervisor().getProcessInfo(part)["spawnerr"]
        except (OSError, Fault):  # supervisord itself is what doesn't start
            reason = ""
        return f"does not start ({reason})" if reason else "does not start"

    def start(self) -> None:
        """Supervisord, or with it there, those parts that have given up."""
        if not self.states():
            command = [str(BIN / "supervisord"), "-c", str(HOUSE / "up" / "supervisord.conf")]
            subprocess.run(command, check=True)  # noqa: S603  # our own command
        self._supervisor().startAllProcesses(False)

    def end(self, patience: float) -> int:
        """How many processes there were. None is left: those that don't end in time are killed."""
        living = self.processes()
        try:
            self._supervisor().shutdown()
        except Fault:  # it is going down already
            pass
        except OSError:  # it was killed, and nobody is left who would end the others in order
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
    """That a process was started with; nothing of those that aren't ours to ask, and of this very one."""
    try:
        return {} if process.pid == os.getpid() else process.environ()
    except psutil.Error:
        return {}


def is_free(host: str, port: int) -> bool:
    """May a server bind this port?"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
