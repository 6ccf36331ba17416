"""Supervised background loops: a turn that fails is logged and tried again, and each loop has a heartbeat."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread

from gatekeeper.logs import logger

log = logger(__name__)

LONGEST_PAUSE = 30.0  # seconds between two tries of a turn that fails
AGAIN = 60.0  # seconds until the next line about a fault that comes and goes


class OutageLog:
    """Log lines about one kind of fault: one when it begins and one when it ends, however many requests it meets.

    A fault that comes and goes gets one such pair a minute. Any thread may call it.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = Lock()
        self._shown = float("-inf")
        self._told = False
        self.lasts = False

    def begin(self, message: str, *, fault: BaseException | None = None) -> None:
        """Log `message`, with the traceback of `fault`, unless the fault lasts already."""
        with self._lock:
            if self.lasts:
                return
            self.lasts = True
            self._told = self._clock() >= self._shown + AGAIN
            if self._told:
                self._shown = self._clock()
                self._logger.error("%s", message, exc_info=fault)

    def end(self, message: str) -> None:
        """Log `message` if the fault lasted and its beginning was logged."""
        if not self.lasts:  # the hot path takes no lock
            return
        with self._lock:
            if self.lasts and self._told:
                self._logger.warning("%s", message)
            self.lasts = False


@dataclass(frozen=True, slots=True)
class LoopState:
    """State of one background loop. age: seconds since it last finished a turn. fault: why its last turn failed."""

    name: str
    age: float
    failures: int
    fault: str | None
    late_after: float

    @property
    def stalled(self) -> bool:
        """Whether it does not do its work now."""
        return self.fault is not None or self.age > self.late_after

    def __str__(self) -> str:
        why = f"failed ({self.fault}) and is tried again" if self.fault else f"has been silent for {self.age:.0f} s"
        return f"The background loop {self.name} {why}."


class SupervisedLoop:
    """Repeats `turn`, which returns the seconds until the next one. No fault ends it: it pauses longer and goes on.

    late_after: seconds without a finished turn after which it counts as stalled. `start` gives it a thread; without
    one, its owner calls `once` and waits as long as that says.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], float],
        *,
        late_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._turn = turn
        self._late_after = late_after
        self._clock = clock
        self._outage = OutageLog(log, clock)
        self._beat = clock()
        self._fault: str | None = None
        self._failures = self._in_a_row = 0
        self._pause = 0.0  # before the first turn of the thread
        self._stop = Event()
        self._thread: Thread | None = None

    def once(self) -> float:
        """One turn; returns the seconds until the next one. Never raises an Exception."""
        try:
            pause = self._turn()
        except Exception as fault:  # noqa: BLE001  # whatever it is: the loop goes on
            return self.failed(fault)
        self._beat, self._fault, self._in_a_row = self._clock(), None, 0
        self._outage.end(f"The background loop {self.name} works again")
        return pause

    def failed(self, fault: BaseException) -> float:
        """Count and log a failed turn; returns the seconds until the next try."""
        self._failures += 1
        self._in_a_row += 1
        self._fault = f"{type(fault).__name__}: {fault}"
        unexpected = None if isinstance(fault, OSError) else fault
        self._outage.begin(
            f"The background loop {self.name} failed ({self._fault}); it is tried again", fault=unexpected
        )
        return min(LONGEST_PAUSE, 2.0 ** min(self._in_a_row - 1, 8))

    def start(self, *, pause: float = 0.0) -> None:
        """Run in a thread of its own, first after `pause` seconds."""
        self._beat, self._pause, self._stop = self._clock(), pause, Event()
        self._thread = Thread(target=self._run, args=[self._stop], daemon=True, name=f"gatekeeper-{self.name}")
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether it has a thread."""
        return self._thread is not None

    def stop(self, timeout: float) -> bool:
        """End the thread; returns whether it has ended within `timeout` seconds."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(max(0.0, timeout))
        return thread is None or not thread.is_alive()

    def state(self) -> LoopState:
        """The present state; never waits."""
        age = max(0.0, self._clock() - self._beat)
        return LoopState(self.name, age, self._failures, self._fault, self._late_after)

    def _run(self, stop: Event) -> None:
        pause = self._pause
        while not stop.wait(pause):
            try:
                pause = self.once()
            except BaseException as fault:  # noqa: BLE001  # not even what would end another thread ends this one
                pause = self.failed(fault)
