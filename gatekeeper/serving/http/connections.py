"""Connections of one process: how many there are, for what each waits, and which one has to go.

A connection waits for its client (the next request, the rest of a head or body, the reading of an answer), or the
client for us. Only one that waits for its client is ever closed for lack of room, the longest waiting one first.
"""

import resource
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from gatekeeper.logs import logger
from gatekeeper.serving.http.counters import Counters
from gatekeeper.serving.supervised import OutageLog

log = logger(__name__)

RESERVED_FILES = 256  # for the database, the model store, the spool and the interpreter
HELD_BYTES = 256 * 1024 * 1024  # of requests that aren't complete, over all connections
MOST = 1_000_000  # connections where the system sets no limit

IDLE_SECONDS = 75.0  # between two requests; longer than a bot's loop of a minute
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
UNREAD_SECONDS = 30.0
LINGER_SECONDS = 2.0  # after a refusal, for the client to read it

SECONDS = {
    "idle": IDLE_SECONDS,
    "head": HEAD_SECONDS,
    "body": BODY_SECONDS,
    "unread": UNREAD_SECONDS,
    "linger": LINGER_SECONDS,
}


class Waiter(Protocol):
    """A connection, as this module sees it."""

    @property
    def answering(self) -> bool:
        """Whether the client waits for us now."""

    def expire(self, wait: str) -> None:
        """End it: it has waited too long."""

    def evict(self) -> None:
        """End it at once: there is no room."""


def raise_file_limit() -> int:
    """Raise this process's limit of open files as far as it may; returns the number of connections it leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # some systems promise more than they give
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return MOST
    return max(soft - RESERVED_FILES, soft // 4)


class Connections:
    """The connections of one event loop. `most`: their limit; `held`: bytes of requests that aren't complete."""

    def __init__(self, most: int, counters: Counters, clock: Callable[[], float]) -> None:
        self.most = most
        self.counters = counters
        self.count = 0
        self.held = 0
        self._clock = clock
        self._waiting: dict[str, dict[Waiter, float]] = {wait: {} for wait in SECONDS}  # each by the time of entry
        self._crowded = OutageLog(log)

    def opened(self) -> None:
        """Count one more; closes the longest waiting one if that is too many."""
        self.count += 1
        if self.count > self.most and self._evict("connections"):
            self._crowded.begin(
                f"The limit of {self.most} connections is reached; those that have waited longest for their client are "
                "closed. Raise the limit of open files (ulimit -n) if they are yours."
            )

    def closed(self) -> None:
        """Count one less."""
        self.count -= 1

    def enter(self, one: Waiter, wait: str | None, before: str | None) -> None:
        """Note that `one`, which waited for `before`, waits for its client from now on; None: it has ended.

        One that we are answering stays where it was: it is left alone for as long as it says so.
        """
        if before is not None:
            self._waiting[before].pop(one, None)
        if wait is not None:
            self._waiting[wait][one] = self._clock()

    def hold(self, size: int) -> None:
        """Count bytes that are kept until their request is complete; may close the longest waiting connections."""
        self.held += size
        while size > 0 and self.held > HELD_BYTES and self._evict("memory"):
            pass

    def sweep(self) -> float:
        """End the connections that have waited too long; returns the seconds until the next sweep."""
        now = self._clock()
        for wait, limit in SECONDS.items():
            waiting = self._waiting[wait]
            late = list(takewhile(lambda entry: entry[1] + limit <= now, waiting.items()))  # noqa: B023  # used at once
            for one, _ in late:
                if not one.answering:
                    del waiting[one]
                    self.counters.cut(wait)
                    one.expire(wait)
        if self.count < self.most:
            self._crowded.end(f"There is room for connections again, below the limit of {self.most}")
        return 1.0

    def _evict(self, reason: str) -> bool:
        """Close the longest waiting connection; returns whether there was one."""
        firsts = []
        for wait, waiting in self._waiting.items():
            first = next(((since, wait, one) for one, since in waiting.items() if not one.answering), None)
            firsts += [] if first is None else [first]
        if not firsts:
            return False
        _, wait, one = min(firsts, key=lambda first: first[0])
        del self._waiting[wait][one]
        self.counters.cut(reason)
        one.evict()
        return True
