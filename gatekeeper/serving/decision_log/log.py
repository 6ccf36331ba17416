"""What becomes of each decision and each outcome? On the spool before the answer, in the database soon after.

Two threads work behind the server: one puts the spool on the disk each second, whatever the database does; the other
delivers it in batches. Logging never fails a score.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from gatekeeper.errors import GatekeeperError, Unavailable
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import Decision, Outcome, decision_lines, outcome_lines
from gatekeeper.registry.decision_log.log import OutcomeRefused, OutcomeTooEarly
from gatekeeper.serving.decision_log.delivery import Delivery
from gatekeeper.serving.decision_log.spool import Spool

__all__ = ["Decision", "DecisionLog", "LogState", "Outcome", "OutcomeRefused", "OutcomeTooEarly"]

log = logging.getLogger(__name__)

TICK = 1.0  # seconds
LOOK_ROUND = 5.0  # between two looks for segments of dead processes
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class LogState:
    """How the log of this process is doing.

    backlog: lines that wait, outcomes whose idea hasn't come yet among them; and their bytes. dropped: lines that the
    spool could not take. rejected: lines that no database will take, kept in rejected.jsonl: outcomes whose idea never
    came or that contradict it; torn: lines that broke off. last_flush: when nothing was left waiting for the last time.
    fault: why lines wait just now.
    """

    backlog: int
    backlog_bytes: int
    dropped: int
    rejected: int
    torn: int
    last_flush: datetime | None
    fault: str | None


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class DecisionLog:
    """The decisions and outcomes of one process, on their way into the registry's database.

    `folder` is shared by all processes of a server, and outlives them. cap_bytes: the most that it may hold.
    """

    def __init__(
        self, registry: Registry, folder: Path, *, cap_bytes: int, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._spool = Spool(folder, cap_bytes=cap_bytes)
        self._delivery = Delivery(registry, self._spool, clock)
        self._stop = Event()
        self._threads: list[Thread] = []
        self._disk_fault: str | None = None
        self._fault: str | None = None
        self._last_flush: datetime | None = None

    def start(self) -> None:
        """Begin to take lines. A folder that can't be written is loud, and tried again each second; it raises never."""
        self._on_disk()
        self._stop.clear()
        self._threads = [Thread(target=work, daemon=True, name=name) for name, work in self._works()]
        for thread in self._threads:
            thread.start()

    def _works(self) -> list[tuple[str, Callable[[], None]]]:
        return [("gatekeeper spool", self._keep_on_disk), ("gatekeeper log", self._keep_delivering)]

    def stop(self, timeout: float = 10.0) -> None:
        """Deliver what waits, if that can be done in time; the rest stays on the spool, for whoever comes next."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._on_disk()
        if not any(thread.is_alive() for thread in self._threads):
            self._delivery.release()
            self._spool.close()

    def write(self, decisions: Sequence[Decision]) -> bool:
        """On the spool, in one write. False, and counted, where the spool is full or the disk refuses; never raises.

        From then on a kill of this process loses nothing of it; a loss of power may, for a second.
        """
        try:
            lines = decision_lines(decisions)
        except (ValueError, TypeError, AttributeError, OverflowError) as fault:
            log.error("a decision can't be logged: %s", fault)
            self._spool.drop(len(decisions))
            return False
        taken = self._spool.append(lines, len(decisions))
        if not taken:
            self._spool.drop(len(decisions))
        return taken

    def close(self, outcomes: Sequence[Outcome]) -> list[Literal["recorded", "pending"]]:
        """`recorded`: in the database. `pending`: on the spool, until the database is back or the idea has come.

        Raises OutcomeRefused, and then nothing of it is kept, for an outcome that can't be: closed before its idea's
        time, known before it closed or after we got it, another one than before. Raises Unavailable where neither
        database nor spool takes it.
        """
        for outcome in outcomes:
            _check(outcome)
        try:
            states = [one.state for one in self._registry.close_decisions(outcomes, all_or_none=True)]
        except OutcomeRefused:
            raise
        except GatekeeperError as fault:
            log.warning("outcomes wait on the spool: %s", fault)
            states = ["unknown"] * len(outcomes)
        waiting = [outcome for outcome, state in zip(outcomes, states, strict=True) if state == "unknown"]
        if waiting and not self._spool.append(outcome_lines(waiting), len(waiting)):
            self._spool.drop(len(waiting))
            raise Unavailable(
                f"{len(waiting)} of {len(outcomes)} outcomes could be put neither into the database nor on the spool "
                f"{self._spool.folder}; send them again later: what was recorded is recorded once"
            )
        return ["pending" if state == "unknown" else "recorded" for state in states]

    def state(self) -> LogState:
        """For metrics: cheap, never raises."""
        segments = self._spool.segments()
        return LogState(
            backlog=sum(one.waiting for one in segments) + self._delivery.pending,
            backlog_bytes=sum(one.end - one.done for one in segments),
            dropped=self._spool.dropped,
            rejected=self._delivery.rejected,
            torn=self._delivery.torn,
            last_flush=self._last_flush,
            fault=self._disk_fault or self._fault,
        )

    def _keep_on_disk(self) -> None:
        while not self._stop.wait(TICK):
            self._on_disk()

    def _on_disk(self) -> None:
        try:
            if not self._stop.is_set():
                self._spool.open()
                self._spool.rotate()
                self._spool.measure()
            self._spool.sync()
        except (OSError, Unavailable) as fault:
            if self._disk_fault is None:
                log.error("the spool %s is at fault; decisions may not be logged: %s", self._spool.folder, fault)
            self._disk_fault = str(fault)
        else:
            self._disk_fault = None

    def _keep_delivering(self) -> None:
        pause, next_look = 0.0, 0.0
        while not self._stop.wait(pause):
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_ROUND
                if adopted := self._spool.adopt():
                    log.warning("%d spool files of processes that ended are taken over", adopted)
            pause = TICK if self._delivered() else min(LONGEST_PAUSE, max(TICK, 2 * pause))
        self._delivered()

    def _delivered(self) -> bool:
        try:
            self._delivery.run()
        except Exception as fault:  # noqa: BLE001  # whatever it is: the lines stay, and this thread too
            if self._fault is None:
                log.warning("decisions wait on the spool %s: %s", self._spool.folder, fault)
            self._fault = str(fault)
            return False
        if self._fault is not None:
            log.warning("the decisions that waited on the spool are in the database")
        self._fault, self._last_flush = None, self._clock()
        return True


def _check(outcome: Outcome) -> None:
    """What can be told without the idea."""
    if not isfinite(outcome.outcome):
        raise OutcomeRefused(f"idea {outcome.idea_id}: the outcome {outcome.outcome} is no finite number")
    order = f"known at {outcome.known_at.isoformat()}, closed at {outcome.closed_at.isoformat()}"
    if outcome.known_at < outcome.closed_at:
        raise OutcomeRefused(f"idea {outcome.idea_id}: {order}: an outcome isn't known before the trade is closed")
    if outcome.known_at > outcome.at:
        raise OutcomeRefused(f"idea {outcome.idea_id}: {order}, but received at {outcome.at.isoformat()}, before that")
