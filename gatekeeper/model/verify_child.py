"""Child process of `verify_untrusted`: reads model bytes from stdin, writes canaries or a refusal as JSON to stdout."""

import json
import resource
import signal
import sys
from pathlib import Path

import numpy as np

from gatekeeper.errors import ModelRefused
from gatekeeper.model.verify import canary_of, canary_rows, verify

# As many rows as in a backtest of a busy year, so that memory growing with the rows shows here, not in production.
TRIAL_ROWS = 1000
# A model only computes, so its processor time is what it costs; wall time, which runs ahead on a busy machine, ends a
# child that waits for something that never comes.
WAITING_SECONDS = 30.0


def main(cap: int, seconds: float, memory_mb: int) -> None:
    """Check the model on stdin within the limits and print the result."""
    _limit(seconds, memory_mb)
    try:
        report = {"canary": _first_run(sys.stdin.buffer.read(), cap)}
    except ModelRefused as refusal:
        report = {"reason": refusal.reason, "message": str(refusal)}
    except MemoryError:
        report = {"reason": "memory", "message": f"The model needs more than {memory_mb} MB."}
    sys.stdout.write(json.dumps(report))


def _first_run(content: bytes, cap: int) -> str:
    scorer = verify(content, cap=cap)
    scorer.score(np.resize(canary_rows(), (TRIAL_ROWS, canary_rows().shape[1])))
    return canary_of(scorer, canary_rows()).to_json()


def _limit(seconds: float, memory_mb: int) -> None:
    """Limit time and additional memory from here on, and forbid files and core dumps."""
    # Unhandled, these two signals end the process, whatever it does.
    for ending in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(ending, signal.SIG_DFL)  # a child inherits ignored and blocked signals
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF, signal.SIGALRM))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds + WAITING_SECONDS)
    memory = _address_space() + memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _address_space() -> int:
    """The bytes that this process has mapped so far; a gigabyte if the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 1024**3
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
