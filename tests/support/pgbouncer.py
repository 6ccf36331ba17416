"""PgBouncer in front of the tests' PostgreSQL server: transaction mode, as Debian packages it, and not as root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from postgres_server import connect
from sqlalchemy.engine import make_url

SOCKET = ".s.PGSQL.5432"
SECONDS = 20
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
NOT_THERE = "PgBouncer is not installed: apt-get install pgbouncer"
CONFIG = """
[databases]
* = host={server} port=5432
[pgbouncer]
pool_mode = transaction
ignore_startup_parameters = options
unix_socket_dir = {folder}
listen_port = 5432
auth_type = trust
auth_user = postgres
auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1
admin_users = postgres
default_pool_size = {pool_size}
max_client_conn = 1000
server_idle_timeout = 5
server_login_retry = 1
{more}
"""


@contextmanager
def pooling(server: str, *, pool_size: int = 20, more: str = "") -> Iterator[str]:
    """The URL of `server` through a pooler of its own. Skips where PgBouncer is missing."""
    if PROGRAM is None:
        pytest.skip(NOT_THERE)
    parsed = make_url(server)
    folder = Path(tempfile.mkdtemp(prefix="gkpb"))
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(server=parsed.query["host"], folder=folder, pool_size=pool_size, more=more))
    owner = _owner(Path(str(parsed.query["host"])))
    if owner is not None:
        for path in (folder, config):
            shutil.chown(path, owner)
    process = subprocess.Popen(
        [PROGRAM, "-q", str(config)], user=owner, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # Whatever ends this process, the pooler ends with it: its end closes the pipe.
    words = ["sh", "-c", 'cat; kill -KILL "$1" && rm -rf "$2"', "watch", str(process.pid), str(folder)]
    watch = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
    try:
        _await(process, folder / SOCKET)
        yield parsed.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
    finally:
        watch.kill()
        watch.communicate()
        process.kill()  # at once, whoever is connected, and whatever signals the caller ignores
        process.communicate()
        shutil.rmtree(folder)


def console(url: str, command: str) -> list[tuple]:
    """What PgBouncer's own console says to a command."""
    place = make_url(url).set(database="pgbouncer").render_as_string(hide_password=False)
    with connect(place, autocommit=True, prepare_threshold=None) as connection:
        done = connection.execute(command)
        return done.fetchall() if done.description else []


def _owner(folder: Path) -> str | None:
    """The user that the server runs as, where root runs the tests: PgBouncer refuses to run as root."""
    return pwd.getpwuid(folder.stat().st_uid).pw_name if os.geteuid() == 0 else None


def _await(process: "subprocess.Popen[str]", place: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            return
        time.sleep(0.01)
    process.kill()
    pytest.fail(f"PgBouncer does not answer: {process.communicate()[1]}")
