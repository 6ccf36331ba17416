"""What does a model answer that nobody has vouched for yet? It is run where it can do no harm."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO

from gatekeeper.errors import ModelRefused, Unavailable
from gatekeeper.model.canary import Canary
from gatekeeper.model.files import refuse_other_content

# The child's own clock starts after its imports and ends it; this much more means that the machine is stuck.
STUCK_SECONDS = 60.0
TIME_SIGNALS = (signal.SIGPROF, signal.SIGALRM)


def verify_untrusted(content: bytes, *, cap: int, seconds: float = 3.0, memory_mb: int = 1024) -> Canary:
    """Every check of `verify`, and the first canary run, in a child process with `seconds` and `memory_mb` to spend.

    `seconds` of the processor, and one more by the clock; both and the memory count from when the child's imports are
    done (about 0.4 s). Raises ModelRefused: the reasons
    of `verify`, and `time`, `memory` or `crash` where the child had to be ended.
    """
    refuse_other_content(content, cap=cap)
    try:
        with tempfile.TemporaryFile() as file:  # through a pipe, 50 MB take a second
            file.write(content)
            file.seek(0)
            child = _start(file, [str(cap), str(seconds), str(memory_mb)])
    except OSError as fault:
        raise Unavailable(f"no process could be started to check the model in: {fault}") from fault
    with child:
        try:
            answer, _ = child.communicate(timeout=seconds + STUCK_SECONDS)
        except subprocess.TimeoutExpired:
            raise ModelRefused("time", f"the model's check did not end in {seconds + STUCK_SECONDS:g} s") from None
        finally:
            child.kill()
    return _read(answer, child.returncode, seconds, memory_mb)


def _start(content: IO[bytes], limits: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
        [sys.executable, "-P", "-m", "gatekeeper.model.verify_child", *limits],
        stdin=content,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Nothing of the parent's: its environment holds passwords. The path makes the same packages importable.
        env={"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )


def _read(answer: bytes, code: int, seconds: float, memory_mb: int) -> Canary:
    if -code in TIME_SIGNALS:
        raise ModelRefused("time", f"the model was not loaded and run within {seconds:g} s")
    if code == -signal.SIGKILL:
        raise ModelRefused("memory", f"the system ended the model's check: no memory (its limit was {memory_mb} MB)")
    if code != 0:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise ModelRefused("crash", f"the model's check died ({how}); it had {seconds:g} s and {memory_mb} MB")
    try:
        report = json.loads(answer)
    except ValueError:
        raise ModelRefused("crash", "the model's check gave no readable answer") from None
    if "reason" in report:
        raise ModelRefused(str(report["reason"]), str(report["message"]))
    return Canary.from_json(report["canary"])
