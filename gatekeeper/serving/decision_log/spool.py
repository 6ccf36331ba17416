"""Spool: a folder of segment files that keeps lines until they are in the database, through kills and outages.

All processes of a server share it. Each appends to a segment file of its own and locks it while it lives; a live
process takes over the segments of dead ones. A line may be delivered twice, so delivery must be idempotent: only the
removal of its segment proves that a line is in the database. If the folder or a file is taken away under the process,
it writes the file anew from what it still holds open.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
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


@dataclass(slots=True, eq=False)
class Segment:
    """A file of lines, locked by this process. The writer counts `end` and `lines`, delivery `done` and `delivered`."""

    path: Path
    descriptor: int
    end: int = 0  # the offset of the next line
    lines: int = 0
    done: int = 0  # all lines before this offset are delivered
    delivered: int = 0
    doubtful: bool = False  # a sync failed: what the disk has may differ from what is read here

    @property
    def waiting(self) -> int:
        """The number of undelivered lines."""
        return self.lines - self.delivered

    def read(self, most: int = READ_BYTES) -> tuple[list[bytes], int]:
        """The next lines, without newlines, and the offset after them; ([], done) if there are none."""
        end = self.end
        while True:
            wanted = min(most, end - self.done)
            content = os.pread(self.descriptor, wanted, self.done)
            whole = content.rfind(b"\n") + 1
            if whole or self.done + wanted >= end or len(content) < wanted:  # shorter: somebody has cut the file
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
        self._unsynced: list[Segment] = []
        self.dropped = 0

    def open(self) -> None:
        """Begin a segment if there is none. Raises Unavailable if the folder can't be written."""
        if self._active is None:
            try:
                os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103  # all of the spool's file operations are os's
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
        return self._append(content, lines, self._cap) is not None

    def move(self, content: bytes, lines: int) -> Segment | None:
        """Append lines of a segment that is to be removed, however full the spool is; returns their new segment."""
        return self._append(content, lines, None)

    def _append(self, content: bytes, lines: int, cap: int | None) -> Segment | None:
        size = len(content)
        with self._lock:
            active = self._active
            if active is None or (cap is not None and self._full + self._others + size > cap):
                return None
            if not self._still_there(active):
                return None
            if not _written(active.descriptor, content):
                self._take_back(active)
                return None
            active.end += size
            active.lines += lines
            self._full += size
            if active not in self._unsynced:
                self._unsynced.append(active)
            return active

    def _still_there(self, active: Segment) -> bool:
        """Whether the file has a name; if not, it is written anew at once, so that no line goes to nowhere."""
        try:
            if not os.fstat(active.descriptor).st_nlink:
                self._write_anew(active)
        except OSError:
            return False
        return True

    def mend(self) -> int:
        """Write each segment anew whose file was taken away or failed to sync; returns their number. Raises OSError."""
        mended = 0
        for segment in self.segments():
            with self._lock:
                if self._holds(segment) and (segment.doubtful or not _named(segment)):
                    self._write_anew(segment)
                    mended += 1
        return mended

    def _holds(self, segment: Segment) -> bool:
        return segment is self._active or segment in self._closed

    def _write_anew(self, segment: Segment) -> None:
        """Copy the segment to a new file behind the same descriptor. The caller has the lock. Raises OSError."""
        os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103
        fresh = self._begin()
        try:
            at = 0
            while part := os.pread(segment.descriptor, min(SEGMENT_BYTES, segment.end - at), at):
                if os.write(fresh.descriptor, part) != len(part):
                    raise OSError(f"{fresh.path} took only a part of its lines")
                at += len(part)
            os.fsync(fresh.descriptor)
            os.dup2(fresh.descriptor, segment.descriptor, inheritable=False)  # atomic: nobody reads a half file
        except OSError:
            with suppress(OSError):
                os.unlink(fresh.path)  # noqa: PTH108
            _closed(fresh.descriptor)
            raise
        _closed(fresh.descriptor)
        if segment.doubtful:
            with suppress(OSError):
                os.unlink(segment.path)  # noqa: PTH108
        segment.path, segment.doubtful = fresh.path, False

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
            due, self._unsynced = self._unsynced, []
        faults = []
        for segment in due:
            try:
                os.fsync(segment.descriptor)
            except OSError as fault:
                with self._lock:
                    if self._holds(segment):  # else it was delivered and removed meanwhile
                        segment.doubtful = True
                        faults.append(fault)
        if faults:
            raise faults[0]

    def rotate(self, at_least: int = SEGMENT_BYTES) -> None:
        """Close the active segment once it has `at_least` bytes, and begin another. Raises OSError."""
        active = self._active
        if active is not None and active.end >= at_least:
            fresh = self._begin()
            with self._lock:
                if self._active is active:
                    self._active = fresh
                    self._closed.append(active)
                    return
            _closed(fresh.descriptor)  # another thread was quicker; `adopt` clears the file away

    def measure(self) -> None:
        """Measure the other processes' part of the folder. Raises OSError."""
        ours = {segment.path.name for segment in self.segments()}
        size = 0
        for name in self._names(ENDING):
            if name not in ours:
                with suppress(OSError):  # delivered meanwhile
                    size += os.stat(self.folder / name).st_size  # noqa: PTH116
        self._others = size

    def _names(self, ending: str) -> list[str]:
        with os.scandir(self.folder) as entries:
            return [entry.name for entry in entries if entry.name.endswith(ending)]

    def segments(self) -> list[Segment]:
        """This process's segments, oldest first; the last may be the active one."""
        active = self._active
        return [*self._closed, *([] if active is None else [active])]

    def is_active(self, segment: Segment) -> bool:
        """Whether lines are being appended to this segment."""
        return segment is self._active

    def adopt(self) -> int:
        """Take over the segments of dead processes; returns their number. Raises OSError."""
        ours = {segment.path.name for segment in self.segments()}
        found = 0
        for segment in self._locked(name for name in self._names(ENDING) if name not in ours):
            with self._lock:
                self._closed.insert(found, segment)
                self._full += segment.end
            found += 1
        for segment in self._locked(self._names(NEW)):  # killed before it began
            with suppress(OSError):
                os.unlink(segment.path)  # noqa: PTH108
            _closed(segment.descriptor)
        return found

    def _locked(self, names: Iterable[str]) -> Iterator[Segment]:
        for name in names:
            if (segment := _locked(self.folder / name)) is not None:
                yield segment

    def remove(self, segment: Segment) -> None:
        """Remove a segment whose lines are all in the database or in another segment."""
        with self._lock:
            with suppress(FileNotFoundError):
                os.unlink(segment.path)  # noqa: PTH108
            _closed(segment.descriptor)
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
            if os.stat(path).st_size > REJECTED_BYTES:  # noqa: PTH116
                os.replace(path, path.with_suffix(".old.jsonl"))  # noqa: PTH105
        content = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError(f"{path} took only a part of the lines")
            os.fsync(descriptor)
        finally:
            _closed(descriptor)

    def close(self) -> None:
        """Unlock all segments, so that another process may take them over."""
        with self._lock:
            segments, self._active = self.segments(), None
            self._closed.clear()
        for segment in segments:
            if segment.done == segment.end:
                with suppress(OSError):  # the next process removes it
                    os.unlink(segment.path)  # noqa: PTH108
            _closed(segment.descriptor)

    def _begin(self) -> Segment:
        """A new segment, locked before another process can take it for a dead one's. Raises OSError."""
        path = self.folder / f"{os.getpid()}-{secrets.token_hex(6)}{ENDING}"
        new = path.with_suffix(NEW)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(new, path)  # noqa: PTH104
            sync_folder(self.folder)
        except OSError:
            for each in (new, path):
                with suppress(OSError):
                    os.unlink(each)  # noqa: PTH108
            _closed(descriptor)
            raise
        return Segment(path, descriptor)


def _closed(descriptor: int) -> None:
    with suppress(OSError):  # Linux has closed it all the same
        os.close(descriptor)


def _named(segment: Segment) -> bool:
    """Whether the segment's path still leads to its file. Raises OSError."""
    try:
        named = os.stat(segment.path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False
    return os.path.samestat(named, os.fstat(segment.descriptor))


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
        if not status.st_nlink:  # taken over, delivered and removed in between
            _closed(descriptor)
            return None
        segment = Segment(path, descriptor, status.st_size)
        segment.lines = sum(
            os.pread(descriptor, SEGMENT_BYTES, start).count(b"\n") for start in range(0, segment.end, SEGMENT_BYTES)
        )
    except OSError:
        _closed(descriptor)
        return None
    return segment
