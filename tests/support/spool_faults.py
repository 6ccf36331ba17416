"""A decision log by hand: its turns are taken one by one, its database is a dictionary, and its disk may refuse."""

import errno
import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper import files
from gatekeeper.registry.decision_log.line_format import Outcome
from gatekeeper.registry.decision_log.log import Logged, OutcomeResult
from gatekeeper.serving.decision_log import spool
from gatekeeper.serving.decision_log.log import DecisionLog

ERRORS = (errno.EMFILE, errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EACCES)
OPERATIONS = frozenset({"open", "write", "pread", "fsync", "ftruncate", "close", "fstat", "stat", "scandir"}) | {
    "unlink",
    "rename",
    "replace",
    "makedirs",
    "dup2",
}


class Always:
    """That of a database that nobody replaces."""

    def look(self) -> int:
        return 0

    def refuse_replaced(self) -> None:
        pass


class Table:
    """The database: each idea and each outcome once."""

    def __init__(self) -> None:
        self.ideas: set[str] = set()
        self.outcomes: dict[str, float] = {}
        self.continuity = Always()

    def log_decisions(self, ideas: Sequence[Sequence[Any]]) -> Logged:
        new = {one[1] for one in ideas} - self.ideas
        self.ideas |= new
        return Logged(len(new), 0)

    def close_decisions(self, outcomes: Sequence[Outcome], *, all_or_none: bool) -> list[OutcomeResult]:  # noqa: ARG002  # as it is asked
        results = []
        for one in outcomes:
            if one.idea_id in self.ideas:
                self.outcomes[one.idea_id] = one.outcome
            results.append(OutcomeResult("recorded" if one.idea_id in self.ideas else "unknown"))
        return results


class Disk:
    """All file operations of the spool, counted. Those whose numbers are in `refused` fail with `error`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused: Sequence[int] | range = range(0)
        self.error = errno.EIO
        self.done: list[str] = []
        double = SimpleNamespace(**{name: getattr(os, name) for name in dir(os)})
        for name in OPERATIONS:
            setattr(double, name, self._counted(name, getattr(os, name)))
        double.fsync = self._counted("fsync", lambda _: None)  # what is asked here is what comes after
        locks = SimpleNamespace(LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB, flock=self._counted("flock", fcntl.flock))
        monkeypatch.setattr(spool, "os", double)
        monkeypatch.setattr(spool, "fcntl", locks)
        monkeypatch.setattr(files, "os", double)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*given: Any, **options: Any) -> Any:
            number = len(self.done)
            self.done.append(name)
            if number in self.refused:
                if name == "close":
                    real(*given)  # Linux closes it, whatever it says
                raise OSError(self.error, os.strerror(self.error))
            return real(*given, **options)

        return operation


class ByHand:
    """A decision log without threads. `acknowledged`: the ideas of which it said that they are logged."""

    def __init__(self, folder: Path, clock: Callable[[], datetime], cap: int = 10**7) -> None:
        self.folder = folder
        self.table = Table()
        self.log = DecisionLog(self.table, folder, cap_bytes=cap, clock=clock)  # type: ignore[arg-type]  # as much as it asks
        self.acknowledged: set[str] = set()
        self.closed: set[str] = set()

    @property
    def spool(self) -> spool.Spool:
        return self.log._spool

    def disk_turn(self) -> None:
        self.log._disk.once()

    def delivery_turn(self) -> None:
        self.log._next_adoption = self.log._delivery._next_retry = 0.0
        self.log._deliverer.once()

    def left(self) -> list[Path]:
        return sorted(self.folder.glob("*.spool")) + sorted(self.folder.glob("*.new"))


def open_files(folder: Path) -> list[str]:
    """The files of this folder that this process has open, removed ones included."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found.append(str(descriptor.readlink()))
    return [path for path in found if path.startswith(str(folder))]
