"""The tests' own PostgreSQL: what an ended test run leaves behind, and what it needs on the path (case 112)."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import postgres_server

SUPPORT = str(Path(postgres_server.__file__).parent)
OWNER = """
import signal, postgres_server
with postgres_server.running() as url:
    print(url.partition("host=")[2], flush=True)
    signal.pause()
"""


@contextmanager
def owner() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A test run with a server of its own, and the folder of that server. Without /usr/sbin, where `useradd` is."""
    words = [sys.executable, "-c", OWNER]
    environment = {"PYTHONPATH": SUPPORT, "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            yield run, Path(unquote(run.stdout.readline().strip())).parent
        finally:
            run.kill()


def watch_of(run: "subprocess.Popen[str]") -> int:
    """A handle of the process that cleans up after `run`."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    found = next(int(child) for child in children if b"\0watch\0" in Path(f"/proc/{child}/cmdline").read_bytes())
    return os.pidfd_open(found)


def ended(handle: int) -> None:
    """Waits for the end of a process."""
    assert select.select([handle], [], [], 60) == ([handle], [], [])
    os.close(handle)


def test_a_killed_run_leaves_nothing() -> None:
    with owner() as (run, folder):
        assert (folder / "data" / "postmaster.pid").exists()
        watch = watch_of(run)
        run.kill()
        ended(watch)
    assert not folder.exists()


def test_what_was_left_is_removed_by_the_next_run_and_nothing_else() -> None:
    """Killed together with what cleans up, as a container's end does it."""
    with owner() as (run, folder):
        server = os.pidfd_open(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        postgres_server.remove_orphans()
        assert folder.exists()  # its owner lives
        watch = watch_of(run)
        signal.pidfd_send_signal(watch, signal.SIGKILL)
        run.kill()
        run.wait()
        ended(watch)
        signal.pidfd_send_signal(server, signal.SIGKILL)
        ended(server)
        assert folder.exists()
        postgres_server.remove_orphans()
    assert not folder.exists()
