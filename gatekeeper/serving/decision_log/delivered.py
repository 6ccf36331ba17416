"""Delivered lines: copies of what went into the database, kept for a day, in case the database is lost.

A SQLite file that is replaced by a backup loses what was delivered since: `gatekeeper doctor --decisions FILE
--redeliver` brings it back.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from gatekeeper.logs import logger

log = logger(__name__)

FOLDER, ENDING = "delivered", ".lines"
KEPT_SECONDS = 24 * 3600
KEPT_BYTES = 1_000_000_000  # of all processes of a server
FILE_SECONDS = 3600.0
FILE_BYTES = 16 * 1024 * 1024
_MODE = 0o600


class DeliveredLines:
    """The copies that one process keeps, in a folder inside the spool's. Any thread may call it.

    A copy is a convenience: if it can't be written, that is logged, and delivery goes on.
    """

    def __init__(self, spool: Path, *, most_bytes: int = KEPT_BYTES, now: Callable[[], float] = time.time) -> None:
        self._folder = spool / FOLDER
        self._most_bytes = most_bytes
        self._now = now
        self._lock = Lock()
        self._path: Path | None = None
        self._began = 0.0
        self._size = 0
        self._failed = False

    def keep(self, content: bytes) -> None:
        """Keep whole lines."""
        if not content:
            return
        with self._lock:
            try:
                self._write(content)
            except OSError as fault:
                if not self._failed:
                    log.warning("Delivered decisions can't be kept in %s: %s", self._folder, fault)
                self._failed = True
                self._path = None  # its folder may be gone: the next one is begun anew
            else:
                self._failed = False

    def _write(self, content: bytes) -> None:
        now = self._now()
        if self._path is None or now - self._began >= FILE_SECONDS or self._size + len(content) > FILE_BYTES:
            self._folder.mkdir(exist_ok=True)
            _prune(self._folder, now - KEPT_SECONDS, max(0, self._most_bytes - FILE_BYTES))
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
            self._path = self._folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
            self._began, self._size = now, 0
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            while content:
                written = os.write(descriptor, content)
                self._size += written
                content = content[written:]
            os.utime(descriptor, (now, now))
        finally:
            os.close(descriptor)


def files(spool: Path) -> list[Path]:
    """The kept files of a spool folder, oldest first."""
    return sorted((spool / FOLDER).glob(f"*{ENDING}"))


def _prune(folder: Path, oldest: float, most_bytes: int) -> None:
    """Remove files that were last written to before `oldest`, and then the oldest until the rest fits."""
    there = list(_sizes(folder))
    total = sum(size for _, _, size in there)
    for written, path, size in sorted(there):
        if written >= oldest and total <= most_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size


def _sizes(folder: Path) -> Iterator[tuple[float, Path, int]]:
    for path in folder.glob(f"*{ENDING}"):
        with suppress(FileNotFoundError):
            status = path.stat()
            yield status.st_mtime, path, status.st_size
