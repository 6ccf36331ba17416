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


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def watch_of(run: "subprocess.Popen[str]") -> int:
    """The process that cleans up after `run`."""
    return next(child for child in children(run.pid) if b"\0watch\0" in Path(f"/proc/{child}/cmdline").read_bytes())


def ended(handle: int) -> None:
    """Waits for the end of a process."""
    assert select.select([handle], [], [], 60) == ([handle], [], [])
    os.close(handle)


def test_a_killed_run_leaves_nothing() -> None:
    with owner() as (run, folder):
        assert (folder / "data" / "postmaster.pid").exists()
        watch = os.pidfd_open(watch_of(run))
        run.kill()
        ended(watch)
    assert not folder.exists()


def test_what_was_left_is_removed_by_the_next_run_and_nothing_else() -> None:
    """Killed together with what cleans up, as a container's end does it."""
    with owner() as (run, folder):
        server = os.pidfd_open(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        postgres_server.remove_orphans()
        assert folder.exists()  # its owner lives
        cleaner = watch_of(run)
        watch = os.pidfd_open(cleaner)
        waiting = os.pidfd_open(children(cleaner)[0])  # its `cat`, which has the lock as well
        signal.pidfd_send_signal(watch, signal.SIGKILL)
        run.kill()
        run.wait()
        ended(watch)
        ended(waiting)
        signal.pidfd_send_signal(server, signal.SIGKILL)
        ended(server)
        assert folder.exists()
        postgres_server.remove_orphans()
    assert not folder.exists()
