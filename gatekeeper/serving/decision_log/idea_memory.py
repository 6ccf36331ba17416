"""Memory of idea ids: the first decision of an id stands, whichever worker of the server is asked again.

One LMDB file in the spool folder, which all workers write. A claim is one transaction, so that of two requests for one
id exactly one is the first, and it outlives every kill of a process. Nothing is synced to the disk: after a power
failure, or if the file is lost or damaged, it is made anew and filled from the spool and the database.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

import lmdb

from gatekeeper.logs import logger
from gatekeeper.registry.decision_log.line_format import Decision
from gatekeeper.serving.decision_log.idea_file import Claim, IdeaFile, remove

log = logger(__name__)

FILE, GUARD = "ideas.lmdb", "ideas.guard"
LOOK_SECONDS = 1.0  # between two looks whether the file is still the one in the folder
FIRST_SECONDS = 1.0  # of the start, for filling a new file
PAUSE = 1.0
LONGEST_PAUSE = 30.0
AT_ONCE = 500  # claims of one transaction, for which the other workers wait
PAGE_PAUSE = 0.005  # between two pages of the database, so that scoring gets its turn
BOOT, FILLED = b"boot", b"filled"

READ_SECONDS = 60.0

_MODE = 0o600
_READ_ALL = """
import os, sys, lmdb
with lmdb.open(os.fsencode(sys.argv[1]), subdir=False, readonly=True, max_dbs=9, map_size=1 << 30) as env:
    names = [name for name, _ in env.begin().cursor()]
    for name in names:
        with env.begin(db=env.open_db(name, create=False)) as work:
            count = sum(1 for _ in work.cursor().iternext(keys=False, values=True))
            assert count == work.stat()["entries"]
"""
_AGAIN = "Until then, an idea that was decided before may be decided anew."

# Errors of a file that is damaged or full: it is made anew. After all others (a full disk) the same file may do.
_DAMAGED = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.PageFullError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
    lmdb.MapFullError,
    lmdb.MapResizedError,  # all processes have the same map, so its head is damaged
    lmdb.BadValsizeError,
)

Pages = Callable[[], Iterator[Sequence[Decision]]]


@dataclass(frozen=True, slots=True)
class MemoryState:
    """State of the memory. age: seconds since the oldest id came; None without one. fault: None if all is well."""

    ids: int
    age: float | None
    fault: str | None


class IdeaMemory:
    """The memory as one process sees it. Any thread may call it, and no method raises.

    folder: that of the spool, which makes it. most: ids of a generation, so that at least the last `most` are
    remembered. waiting: the decisions on the spool, by pages. logged: those in the database, newest first; it may
    raise GatekeeperError. boot: names the run of the operating system; a file of an earlier one may have been damaged
    by a power failure.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most: int,
        waiting: Pages,
        logged: Pages,
        boot: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._most = most
        self._waiting = waiting
        self._logged = logged
        self._boot = (_boot() if boot is None else boot).encode()
        self._now = now
        self._lock = Lock()  # of `_file`: to close it under another thread would end the process
        self._file: IdeaFile | None = None
        self._next_look = 0.0
        self._fault: str | None = None
        self._unfilled: str | None = None
        self._stop = Event()
        self._filler: Thread | None = None
        self._tried = Event()
        self._lost = False

    def start(self) -> None:
        """Open the file; a new one is filled for a second, and then in the background.

        What can't be opened is logged, and tried again each second.
        """
        self._stop.clear()
        if self.state().fault is not None:
            self._tried.wait(FIRST_SECONDS)

    def stop(self, timeout: float = 10.0) -> None:
        """Close the file; a filling that hangs is abandoned after `timeout` seconds."""
        self._stop.set()
        if self._filler is not None:
            self._filler.join(timeout)
        with self._lock:
            self._close()

    def claim(self, decisions: Sequence[Decision], reason: str | None) -> list[Claim]:
        """What stands for each idea: this decision if its id is new, else the first one. The ids must differ.

        Without the file each decision stands, and `state().fault` says why.
        """
        if len(decisions) <= AT_ONCE:
            return self._claim(decisions, reason)
        parts = (decisions[start : start + AT_ONCE] for start in range(0, len(decisions), AT_ONCE))
        return [claim for part in parts for claim in self._claim(part, reason)]

    def _claim(self, decisions: Sequence[Decision], reason: str | None) -> list[Claim]:
        with self._lock:
            for _ in range(2):  # a second time on a new file, if this one is damaged
                if (file := self._looked()) is None:
                    break
                try:
                    claims = file.claim(decisions, reason, self._most)
                except (lmdb.Error, OSError) as fault:
                    self._failed(fault)
                else:
                    self._fault = None
                    return claims
        return [Claim(one, False, reason) for one in decisions]

    def recall(self, decisions: Sequence[Decision]) -> list[Claim] | None:
        """What stands for each idea; None if one of them is new. Only ids, symbols and features are looked at."""
        with self._lock:
            if (file := self._looked()) is not None:
                try:
                    return file.recall(decisions)
                except (lmdb.Error, OSError) as fault:
                    self._failed(fault)
        return None

    def state(self) -> MemoryState:
        """The state, for metrics."""
        ids, oldest = 0, None
        with self._lock:
            if (file := self._looked()) is not None:
                try:
                    ids, oldest = file.extent()
                except (lmdb.Error, OSError) as error:
                    self._failed(error)
            fault = self._fault or self._unfilled
        return MemoryState(ids, None if oldest is None else max(0.0, self._now() - oldest), fault)

    # The file

    def _failed(self, fault: Exception) -> None:
        """Note a fault of the file; a damaged one is given up."""
        self._note(f"The memory of idea ids {self._path} can't be used ({fault}). {_AGAIN}")
        file = self._file
        if isinstance(fault, _DAMAGED) and file is not None:
            self._close()
            self._next_look = 0.0
            with suppress(OSError), self._alone():
                if _identity(self._path) == file.identity:  # no other process has made it anew
                    remove(self._path)
        elif isinstance(fault, lmdb.PanicError | lmdb.BadDbiError | lmdb.BadTxnError):
            self._close()

    def _note(self, fault: str) -> None:
        if self._fault is None:
            log.error("%s", fault)
        self._fault = fault

    def _looked(self) -> IdeaFile | None:
        """The open file: another one, if it isn't the one in the folder any more. None if none can be opened."""
        if time.monotonic() < self._next_look or self._stop.is_set():
            return self._file
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            if self._file is not None and _identity(self._path) != self._file.identity:
                log.warning("The memory of idea ids %s was removed, so it is made anew", self._path)
                self._close()
            if self._file is None:
                with self._alone():
                    self._file = self._opened()
                self._fault = None
                if self._lost:  # what this process claimed in the other file meanwhile is on the spool or logged
                    self._file.note(FILLED, b"")
                self._begin_filling(self._file)
            else:
                self._file.lengthen()
        except (lmdb.Error, OSError) as fault:
            if self._file is not None and isinstance(fault, _DAMAGED):
                self._failed(fault)
                return self._looked()
            self._note(f"The memory of idea ids {self._path} can't be opened ({fault}). {_AGAIN}")
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._lost = True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time opens or removes the file."""
        guard = os.open(self._folder / GUARD, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
        finally:
            os.close(guard)

    def _opened(self) -> IdeaFile:
        if _identity(self._path) is not None:
            try:
                file = IdeaFile(self._path)
            except _DAMAGED as fault:
                log.warning("The memory of idea ids %s is damaged (%s), so it is made anew", self._path, fault)
            else:
                if file.noted(BOOT) == self._boot:
                    return file
                file.close()
        remove(self._path)
        file = IdeaFile(self._path)
        file.note(BOOT, self._boot)
        return file

    # Filling

    def _begin_filling(self, file: IdeaFile) -> None:
        if file.noted(FILLED):
            self._unfilled = None
            return
        self._unfilled = f"The memory of idea ids is being filled from the spool and the database. {_AGAIN}"
        if self._filler is None or not self._filler.is_alive():
            self._filler = Thread(target=self._keep_filling, daemon=True, name="gatekeeper ideas")
            self._filler.start()

    def _keep_filling(self) -> None:
        pause = PAUSE
        while self._unfilled is not None and not self._stop.is_set():
            try:
                if (file := self._file) is None:
                    self._stop.wait(LOOK_SECONDS)
                else:
                    self._fill(file)
                    if self._unfilled is not None:  # another process fills it
                        self._stop.wait(PAUSE)
            except Exception as fault:  # noqa: BLE001  # whatever it is: it is told, and tried again
                if str(fault) not in self._unfilled:
                    log.warning("The memory of idea ids can't be filled yet: %s", fault)
                self._unfilled = f"The memory of idea ids can't be filled yet ({fault}). {_AGAIN}"
                pause = min(LONGEST_PAUSE, 2 * pause)
                self._tried.set()
                self._stop.wait(pause)

    def _fill(self, file: IdeaFile) -> None:
        """Fill this file, unless another process does; then only wait."""
        self._remember(file, self._waiting(), 0.0)
        with self._path.open("rb") as taken:
            try:
                fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self._remember(file, self._logged(), PAGE_PAUSE)
                with self._lock:
                    if self._file is file and not self._stop.is_set():
                        file.note(FILLED, b"1")
        with self._lock:
            if self._file is file and file.noted(FILLED):
                self._unfilled = None
                self._tried.set()

    def _remember(self, file: IdeaFile, pages: Iterator[Sequence[Decision]], pause: float) -> None:
        """Take in logged decisions, newest page first, up to one generation of them."""
        taken = 0
        for page in pages:
            with self._lock:
                if self._file is not file:
                    raise OSError("the file was made anew meanwhile")
                file.remember(page)
            taken += len(page)
            if taken >= self._most or self._stop.wait(pause):
                return


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def discard_damaged(folder: Path) -> None:
    """Remove a file that can't be read to its end: a damaged one may end the process that reads it, so a child tries.

    Call it before a server starts. Never raises.
    """
    path = folder / FILE
    try:
        if not path.is_file():
            return
        command = [sys.executable, "-I", "-c", _READ_ALL, str(path)]
        tried = subprocess.run(command, capture_output=True, timeout=READ_SECONDS)  # noqa: S603  # no word of a caller
        if tried.returncode:
            log.warning("The memory of idea ids %s is damaged, so it is made anew", path)
            remove(path)
    except (OSError, subprocess.SubprocessError) as fault:
        log.warning("The memory of idea ids %s can't be checked: %s", path, fault)


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"
