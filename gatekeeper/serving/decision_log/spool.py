"""Spool: a folder of segment files that keeps lines until they are in the database, through kills and outages.

All processes of a server share it. Each appends to a segment file of its own and locks it while it lives; a live
process takes over the segments of dead ones. A line may be delivered twice, so delivery must be idempotent: only the
removal of its segment proves that a line is in the database.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from gatekeeper.errors import Unavailable
from gatekeeper.files import sync_folder

SEGMENT_BYTES = 4 * 1024 * 1024  # a longer segment is closed, so that delivered lines free the disk
READ_BYTES = 256 * 1024  # a batch: a smaller one costs twice as much per line, a larger one would delay scoring
REJECTED = "rejected.jsonl"
REJECTED_BYTES = 16 * 1024 * 1024
ENDING, NEW = ".spool", ".new"
_MODE = 0o600


@dataclass(slots=True)
class Segment:
    """A file of lines, locked by this process. The writer counts `end` and `lines`, delivery `done` and `delivered`."""

    path: Path
    descriptor: int
    end: int = 0  # the offset of the next line
    lines: int = 0
    done: int = 0  # all lines before this offset are delivered
    delivered: int = 0

    @property
    def waiting(self) -> int:
        """The number of undelivered lines."""
        return self.lines - self.delivered

    def read(self, most: int = READ_BYTES) -> tuple[list[bytes], int]:
        """The next lines, without newlines, and the offset after them; ([], done) if there are none."""
        end = self.end
        while True:
            content = os.pread(self.descriptor, min(most, end - self.done), self.done)
            whole = content.rfind(b"\n") + 1
            if whole or self.done + len(content) >= end:
                return content[:whole].split(b"\n")[:-1], self.done + whole
            most *= 2

    def torn(self) -> bytes:
        """The bytes after the last newline: a line whose writer was killed."""
        return os.pread(self.descriptor, self.end - self.done, self.done)


class Spool:
    """One process's part of the folder. Any thread may call `append`; all else is for the log's two threads.

    cap_bytes: the size limit of the folder, of all processes together; the others' part is measured once a second.
    """

    def __init__(self, folder: Path, *, cap_bytes: int) -> None:
        self.folder = folder
        self._cap = cap_bytes
        self._lock = Lock()
        self._active: Segment | None = None
        self._closed: list[Segment] = []  # of this process, or taken over from dead ones; oldest first
        self._full = 0  # bytes in all segments of this process
        self._others = 0
        self._unsynced = False
        self.dropped = 0

    def open(self) -> None:
        """Begin a segment if there is none. Raises Unavailable if the folder can't be written."""
        if self._active is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                segment = self._begin()
            except OSError as fault:
                raise Unavailable(
                    f"Can't write to the spool {self.folder} ({fault.strerror or fault}). "
                    "Check its permissions and free space, or name another folder in GATEKEEPER_SPOOL."
                ) from fault
            with self._lock:
                self._active = segment

    def append(self, content: bytes, lines: int) -> bool:
        """Append whole lines in one write. Returns False, and keeps none, if the spool is full or the write fails."""
        size = len(content)
        with self._lock:
            active = self._active
            if active is None or self._full + self._others + size > self._cap:
                return False
            if not _written(active.descriptor, content):
                self._take_back(active)
                return False
            active.end += size
            active.lines += lines
            self._full += size
            self._unsynced = True
            return True

    def drop(self, lines: int) -> None:
        """Count dropped lines."""
        with self._lock:
            self.dropped += lines

    def _take_back(self, active: Segment) -> None:
        """Truncate the segment after an incomplete write, so that the next line begins a new one."""
        try:
            os.ftruncate(active.descriptor, active.end)
        except OSError:
            self._active = None  # `open` begins another
            self._closed.append(active)

    def sync(self) -> None:
        """Sync everything written so far to disk. Raises OSError."""
        with self._lock:
            active, due = self._active, self._unsynced
            self._unsynced = False
        if due and active is not None:
            try:
                os.fsync(active.descriptor)
            except OSError:
                self._unsynced = True
                raise

    def rotate(self, at_least: int = SEGMENT_BYTES) -> None:
        """Close the active segment once it has `at_least` bytes, and begin another. Raises OSError."""
        active = self._active
        if active is not None and active.end >= at_least:
            fresh = self._begin()
            with self._lock:
                self._active = fresh
                self._closed.append(active)
            os.fsync(active.descriptor)

    def measure(self) -> None:
        """Measure the other processes' part of the folder."""
        ours = {segment.path.name for segment in self.segments()}
        size = 0
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(ENDING) and entry.name not in ours:
                    with suppress(OSError):
                        size += entry.stat().st_size
        self._others = size

    def segments(self) -> list[Segment]:
        """This process's segments, oldest first; the last may be the active one."""
        active = self._active
        return [*self._closed, *([] if active is None else [active])]

    def is_active(self, segment: Segment) -> bool:
        """Whether lines are being appended to this segment."""
        return segment is self._active

    def adopt(self) -> int:
        """Take over the segments of dead processes; returns their number."""
        ours = {segment.path for segment in self.segments()}
        there = [path for path in self.folder.glob(f"*{ENDING}") if path not in ours]
        found = [segment for path in there if (segment := _locked(path)) is not None]
        for path in self.folder.glob(f"*{NEW}"):  # killed before it began
            if (segment := _locked(path)) is not None:
                path.unlink(missing_ok=True)
                os.close(segment.descriptor)
        with self._lock:
            self._closed[:0] = found
            self._full += sum(segment.end for segment in found)
        return len(found)

    def remove(self, segment: Segment) -> None:
        """Remove a segment whose lines are all in the database or in another segment."""
        segment.path.unlink(missing_ok=True)
        os.close(segment.descriptor)
        with self._lock:
            self._closed.remove(segment)
            self._full -= segment.end

    def empty(self, segment: Segment) -> None:
        """Truncate the active segment if all its lines are delivered."""
        with self._lock:
            if segment is self._active and segment.done == segment.end > 0:
                with suppress(OSError):
                    os.ftruncate(segment.descriptor, 0)
                    self._full -= segment.end
                    segment.end = segment.done = 0

    def reject(self, entries: Sequence[dict[str, str]]) -> None:
        """Append entries to rejected.jsonl, for a person to read. Raises OSError."""
        path = self.folder / REJECTED
        with suppress(FileNotFoundError):
            if path.stat().st_size > REJECTED_BYTES:
                path.replace(path.with_suffix(".old.jsonl"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            os.write(descriptor, "".join(json.dumps(entry) + "\n" for entry in entries).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Unlock all segments, so that another process may take them over."""
        with self._lock:
            segments, self._active = self.segments(), None
            self._closed.clear()
        for segment in segments:
            if segment.done == segment.end:
                segment.path.unlink(missing_ok=True)
            os.close(segment.descriptor)

    def _begin(self) -> Segment:
        """A new segment, locked before another process can take it for a dead one's. Raises OSError."""
        path = self.folder / f"{os.getpid()}-{secrets.token_hex(6)}{ENDING}"
        new = path.with_suffix(NEW)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(path)
            sync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        return Segment(path, descriptor)


def _written(descriptor: int, content: bytes) -> bool:
    try:
        return os.write(descriptor, content) == len(content)
    except OSError:
        return False


def _locked(path: Path) -> Segment | None:
    """The segment, locked; None if its process lives or another process has taken it over."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
    except OSError:
        os.close(descriptor)
        return None
    if not status.st_nlink:  # taken over, delivered and removed in between
        os.close(descriptor)
        return None
    segment = Segment(path, descriptor, status.st_size)
    segment.lines = sum(
        os.pread(descriptor, SEGMENT_BYTES, start).count(b"\n") for start in range(0, segment.end, SEGMENT_BYTES)
    )
    return segment
