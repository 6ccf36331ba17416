"""Decision log of a server: writes decisions and outcomes to the spool, and delivers them to the database.

A decision is on the spool before it is answered. Two threads work in the background: one syncs the spool to disk each
second, whatever the database does; the other delivers it in batches. A fault of the log never fails a score.
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
from gatekeeper.serving.decision_log.delivered import DeliveredLines
from gatekeeper.serving.decision_log.delivery import Delivery
from gatekeeper.serving.decision_log.spool import Spool

__all__ = ["Decision", "DecisionLog", "LogState", "Outcome", "OutcomeRefused", "OutcomeTooEarly"]

log = logging.getLogger(__name__)

TICK = 1.0  # seconds
ADOPT_SECONDS = 5.0  # between two searches for segments of dead processes
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class LogState:
    """State of this process's decision log.

    backlog, backlog_bytes: undelivered lines, pending outcomes included. dropped: lines that the spool could not take.
    rejected: lines in rejected.jsonl that no database will take, such as outcomes whose idea never came or that
    contradict it. conflicts: decisions that differ from the one in the database. torn: incomplete lines. last_flush:
    the last time at which nothing was undelivered. fault: why lines wait now; None if they don't.
    """

    backlog: int
    backlog_bytes: int
    dropped: int
    rejected: int
    conflicts: int
    torn: int
    last_flush: datetime | None
    fault: str | None


def utc_now() -> datetime:
    """The time of this machine's clock, in UTC."""
    return datetime.now(UTC)


class DecisionLog:
    """The decision log of one process: spool and delivery to the registry's database.

    `folder` is shared by all processes of a server and outlives them. cap_bytes: its size limit.
    """

    def __init__(
        self, registry: Registry, folder: Path, *, cap_bytes: int, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._spool = Spool(folder, cap_bytes=cap_bytes)
        self._kept = DeliveredLines(folder)
        self._delivery = Delivery(registry, self._spool, clock, self._kept)
        self._stop = Event()
        self._threads: list[Thread] = []
        self._disk_fault: str | None = None
        self._fault: str | None = None
        self._last_flush: datetime | None = None

    def start(self) -> None:
        """Start both threads. Never raises: a folder that can't be written is logged, and tried again each second."""
        self._on_disk()
        self._stop.clear()
        self._threads = [Thread(target=work, daemon=True, name=name) for name, work in self._works()]
        for thread in self._threads:
            thread.start()

    def _works(self) -> list[tuple[str, Callable[[], None]]]:
        return [("gatekeeper spool", self._keep_on_disk), ("gatekeeper log", self._keep_delivering)]

    def stop(self, timeout: float = 10.0) -> None:
        """Deliver undelivered lines within `timeout` seconds; the rest stays on the spool for the next process."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._on_disk()
        if not any(thread.is_alive() for thread in self._threads):
            self._delivery.release()
            self._spool.close()

    def write(self, decisions: Sequence[Decision]) -> bool:
        """Write decisions to the spool in one write. Returns False, and counts them as dropped, if that fails.

        Never raises. A kill of this process loses none of them afterwards; a loss of power may, for a second.
        """
        try:
            lines = decision_lines(decisions)
        except (ValueError, TypeError, AttributeError, OverflowError) as fault:
            log.error("%d decisions can't be logged: %s", len(decisions), fault)
            self._spool.drop(len(decisions))
            return False
        taken = self._spool.append(lines, len(decisions))
        if not taken:
            self._spool.drop(len(decisions))
        return taken

    def close(self, outcomes: Sequence[Outcome]) -> list[Literal["recorded", "pending"]]:
        """Record outcomes: `recorded` in the database, or `pending` on the spool until database or idea is there.

        Raises OutcomeRefused, and then records nothing, for an outcome that closed before its idea's time, was known
        before it closed or after its receipt, or differs from a recorded one. Raises Unavailable if neither database
        nor spool takes it.
        """
        for outcome in outcomes:
            _check(outcome)
        try:
            states = [one.state for one in self._registry.close_decisions(outcomes, all_or_none=True)]
        except OutcomeRefused:
            raise
        except GatekeeperError as fault:
            log.warning("%d outcomes wait on the spool: %s", len(outcomes), fault)
            states = ["unknown"] * len(outcomes)
        recorded = [outcome for outcome, state in zip(outcomes, states, strict=True) if state == "recorded"]
        self._kept.keep(outcome_lines(recorded))
        waiting = [outcome for outcome, state in zip(outcomes, states, strict=True) if state == "unknown"]
        if waiting and not self._spool.append(outcome_lines(waiting), len(waiting)):
            self._spool.drop(len(waiting))
            raise Unavailable(
                f"Neither the database nor the spool {self._spool.folder} took {len(waiting)} of {len(outcomes)} "
                "outcomes. Send all of them again later: each is recorded once."
            )
        return ["pending" if state == "unknown" else "recorded" for state in states]

    def state(self) -> LogState:
        """The log's state, for metrics. Cheap; never raises."""
        segments = self._spool.segments()
        return LogState(
            backlog=sum(one.waiting for one in segments) + self._delivery.pending,
            backlog_bytes=sum(one.end - one.done for one in segments),
            dropped=self._spool.dropped,
            rejected=self._delivery.rejected,
            conflicts=self._delivery.conflicts,
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
                log.error("The spool %s can't be written, so decisions may be lost: %s", self._spool.folder, fault)
            self._disk_fault = str(fault)
        else:
            self._disk_fault = None

    def _keep_delivering(self) -> None:
        pause, next_adoption = 0.0, 0.0
        while not self._stop.wait(pause):
            if time.monotonic() >= next_adoption:
                next_adoption = time.monotonic() + ADOPT_SECONDS
                if adopted := self._spool.adopt():
                    log.warning("Took over %d spool files of ended processes in %s", adopted, self._spool.folder)
            pause = TICK if self._delivered() else min(LONGEST_PAUSE, max(TICK, 2 * pause))
        self._delivered()

    def _delivered(self) -> bool:
        try:
            self._delivery.run()
        except Exception as fault:  # noqa: BLE001  # whatever it is: the lines stay, and this thread too
            if self._fault is None:
                log.warning("Decisions wait on the spool %s: %s", self._spool.folder, fault)
            self._fault = str(fault)
            return False
        if self._fault is not None:
            log.warning("The decisions that waited on the spool %s are in the database", self._spool.folder)
        self._fault, self._last_flush = None, self._clock()
        return True


def _check(outcome: Outcome) -> None:
    """The checks of an outcome that don't need its idea. Raises OutcomeRefused."""
    if not isfinite(outcome.outcome):
        raise OutcomeRefused(f"Idea {outcome.idea_id}: the outcome {outcome.outcome} is not a finite number.")
    order = f"known at {outcome.known_at.isoformat()}, closed at {outcome.closed_at.isoformat()}"
    if outcome.known_at < outcome.closed_at:
        raise OutcomeRefused(f"Idea {outcome.idea_id}: {order}. An outcome can't be known before the trade closes.")
    if outcome.known_at > outcome.at:
        raise OutcomeRefused(
            f"Idea {outcome.idea_id}: {order}, but received before that, at {outcome.at.isoformat()}. "
            "Check the sender's clock."
        )
