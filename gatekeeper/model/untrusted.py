"""Untrusted models: the first run in a child process with limits on time and memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO

from gatekeeper import TELEMETRY_OFF
from gatekeeper.errors import ModelRefused, Unavailable
from gatekeeper.model.canary import Canary
from gatekeeper.model.files import refuse_other_content

# The child's own limits start after its imports; this much longer means that the machine hangs.
STUCK_SECONDS = 60.0
TIME_SIGNALS = (signal.SIGPROF, signal.SIGALRM)


def verify_untrusted(content: bytes, *, cap: int, seconds: float = 3.0, memory_mb: int = 1024) -> Canary:
    """Run every check of `verify` and the first canary run in a child process; returns the canary.

    The limits count from the end of the child's imports (about 0.4 s): `seconds` of processor time, thirty more
    of wall time, and `memory_mb` of memory. Raises ModelRefused with the reasons of `verify`, or `time`, `memory` or
    `crash` if the child had to be ended; Unavailable if it can't be started.
    """
    refuse_other_content(content, cap=cap)
    try:
        with tempfile.TemporaryFile() as file:  # through a pipe, 50 MB take a second
            file.write(content)
            file.seek(0)
            child = _start(file, [str(cap), str(seconds), str(memory_mb)])
    except OSError as fault:
        raise Unavailable(f"Can't start a child process to check the model: {fault}.") from fault
    with child:
        try:
            answer, _ = child.communicate(timeout=seconds + STUCK_SECONDS)
        except subprocess.TimeoutExpired:
            raise ModelRefused(
                "time", f"The check of the model did not end in {seconds + STUCK_SECONDS:g} s."
            ) from None
        finally:
            child.kill()
    return _read(answer, child.returncode, seconds, memory_mb)


def _start(content: IO[bytes], limits: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  # the same interpreter and a module of this package, no shell
        [sys.executable, "-P", "-m", "gatekeeper.model.verify_child", *limits],
        stdin=content,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Not the parent's environment, which holds passwords; the path makes the same packages importable.
        env={"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        | TELEMETRY_OFF,
        start_new_session=True,
    )


def _read(answer: bytes, code: int, seconds: float, memory_mb: int) -> Canary:
    if -code in TIME_SIGNALS:
        raise ModelRefused("time", f"The model could not be loaded and run within {seconds:g} s.")
    if code == -signal.SIGKILL:
        raise ModelRefused("memory", f"The check of the model was killed: out of memory (its limit is {memory_mb} MB).")
    if code != 0:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise ModelRefused(
            "crash", f"The check of the model crashed ({how}). Its limits are {seconds:g} s and {memory_mb} MB."
        )
    try:
        report = json.loads(answer)
    except ValueError:
        raise ModelRefused("crash", "The check of the model gave no readable result.") from None
    if "reason" in report:
        raise ModelRefused(str(report["reason"]), str(report["message"]))
    return Canary.from_json(report["canary"])
