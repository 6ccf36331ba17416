"""Decision log of a server: writes decisions and outcomes to the spool, and delivers them to the database.

A decision is on the spool before it is answered. Two supervised threads work in the background: one syncs the spool to
disk each second, whatever the database does; the other delivers it in batches. A fault of the log never fails a score.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Literal

from gatekeeper.errors import GatekeeperError, Unavailable
from gatekeeper.logs import logger
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import Decision, Outcome, decision_lines, outcome_lines
from gatekeeper.registry.decision_log.log import OutcomeRefused, OutcomeTooEarly
from gatekeeper.serving.decision_log.bounded_calls import BoundedCalls
from gatekeeper.serving.decision_log.delivered import DeliveredLines
from gatekeeper.serving.decision_log.delivery import Delivery, SpoolFault
from gatekeeper.serving.decision_log.spool import Spool
from gatekeeper.serving.supervised import LONGEST_PAUSE, LoopState, OutageLog, SupervisedLoop

__all__ = ["Decision", "DecisionLog", "LogState", "Outcome", "OutcomeRefused", "OutcomeTooEarly"]

log = logger(__name__)

TICK = 1.0  # seconds
ADOPT_SECONDS = 5.0  # between two searches for segments of dead processes
OUTCOME_SECONDS = 5.0  # that a request waits for the database; after that its outcomes go to the spool
LATE = 60.0  # seconds: a disk or a database may be slow


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
        self._bounded = BoundedCalls(OUTCOME_SECONDS)
        self._delivery = Delivery(registry, self._spool, clock, self._kept)
        self._stopping = False
        self._disk = SupervisedLoop("spool", self._keep_on_disk, late_after=LATE)
        self._deliverer = SupervisedLoop("delivery", self._keep_delivering, late_after=2 * LATE)
        self._next_adoption = self._pause = 0.0
        self._disk_fault: str | None = None  # of the spool's folder or disk
        self._fault: str | None = None  # why lines wait
        self._broken: str | None = None  # the same, if it isn't the database
        self._outages = {name: OutageLog(log) for name in ("disk", "delivery", "lines", "room", "outcomes")}
        self._last_flush: datetime | None = None

    def start(self) -> None:
        """Start both threads. Never raises: a folder that can't be written is logged, and tried again each second."""
        self._stopping = False
        self._on_disk()
        self._disk.start(pause=TICK)
        self._deliverer.start()

    def loops(self) -> list[LoopState]:
        """The states of both threads. A disk that refuses stalls them; a database that is away does not."""
        disk, delivery = self._disk.state(), self._deliverer.state()
        return [
            replace(disk, fault=disk.fault or self._disk_fault),
            replace(delivery, fault=delivery.fault or self._broken),
        ]

    def stop(self, timeout: float = 10.0) -> None:
        """Deliver undelivered lines within `timeout` seconds; the rest stays on the spool for the next process."""
        self._stopping = True
        deadline = time.monotonic() + timeout
        ended = [loop.stop(deadline - time.monotonic()) for loop in (self._deliverer, self._disk)]
        if all(ended):
            last = Thread(target=self._delivered, daemon=True, name="gatekeeper-last-delivery")  # it may hang
            last.start()
            last.join(max(0.0, deadline - time.monotonic()))
            ended.append(not last.is_alive())
        self._on_disk()
        if all(ended):
            self._delivery.release()
            self._spool.close()

    def write(self, decisions: Sequence[Decision]) -> bool:
        """Write decisions to the spool in one write. Returns False, and counts them as dropped, if that fails.

        Never raises. A kill of this process loses none of them afterwards; a loss of power may, for a second.
        """
        try:
            lines = decision_lines(decisions)
        except (ValueError, TypeError, AttributeError, OverflowError) as fault:
            self._outages["lines"].begin(f"{len(decisions)} decisions can't be logged: {fault}")
            self._spool.drop(len(decisions))
            return False
        taken = self._spool.append(lines, len(decisions))
        if taken:
            self._outages["room"].end(f"The spool {self._spool.folder} takes decisions again")
        else:
            self._spool.drop(len(decisions))
            self._outages["room"].begin(
                f"The spool {self._spool.folder} is full or refuses to write, so decisions are answered with "
                "`logged: false`. Bring the database back, make room, or raise GATEKEEPER_SPOOL_CAP_MB."
            )
        return taken

    def close(self, outcomes: Sequence[Outcome]) -> list[Literal["recorded", "pending"]]:
        """Record outcomes: `recorded` in the database, or `pending` on the spool until database or idea is there.

        Raises OutcomeRefused, and then records nothing, for an outcome that closed before its idea's time, was known
        before it closed or after its receipt, or differs from a recorded one. Raises Unavailable if neither database
        nor spool takes it. A database that is locked is waited for OUTCOME_SECONDS.
        """
        for outcome in outcomes:
            _check(outcome)
        try:
            self._registry.continuity.refuse_replaced()
            results = self._bounded.call(lambda: self._registry.close_decisions(outcomes, all_or_none=True))
            states = [one.state for one in results]
        except OutcomeRefused:
            raise
        except GatekeeperError as fault:
            self._outages["outcomes"].begin(f"Outcomes wait on the spool: {fault}")
            states = ["unknown"] * len(outcomes)
        else:
            self._outages["outcomes"].end("Outcomes are recorded in the database again")
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

    def _keep_on_disk(self) -> float:
        self._on_disk()
        return TICK

    def _on_disk(self) -> None:
        steps = [self._spool.sync]
        if not self._stopping:
            steps = [self._spool.open, self._mend, self._spool.rotate, self._spool.measure, *steps]
        faults = []
        for step in steps:  # each by itself: a folder that can't be listed must not keep lines from being synced
            try:
                step()
            except (OSError, Unavailable) as fault:
                faults.append(str(fault))
        folder = self._spool.folder
        if faults:
            self._outages["disk"].begin(f"The spool {folder} can't be written, so decisions may be lost: {faults[0]}")
        else:
            self._outages["disk"].end(f"The spool {folder} can be written again")
        self._disk_fault = faults[0] if faults else None

    def _mend(self) -> None:
        if mended := self._spool.mend():
            log.error(
                "%d files of the spool %s were taken away or not synced, and are written anew. Give the server a "
                "folder that nobody else clears.",
                mended,
                self._spool.folder,
            )

    def _keep_delivering(self) -> float:
        fault = None
        if time.monotonic() >= self._next_adoption:
            self._next_adoption = time.monotonic() + ADOPT_SECONDS
            try:
                if adopted := self._spool.adopt():
                    log.warning("Took over %d spool files of ended processes in %s", adopted, self._spool.folder)
            except OSError as refusal:
                fault = refusal  # what is held already is delivered all the same
        self._pause = TICK if self._delivered(fault) else min(LONGEST_PAUSE, max(TICK, 2 * self._pause))
        return self._pause

    def _delivered(self, fault: Exception | None = None) -> bool:
        """Deliver; `fault`: one that was met before."""
        try:
            self._delivery.run()
        except Exception as refusal:  # noqa: BLE001  # whatever it is: the lines stay, and this thread too
            fault = refusal
        folder = self._spool.folder
        if fault is not None:
            expected = isinstance(fault, GatekeeperError | OSError)
            self._outages["delivery"].begin(
                f"Decisions wait on the spool {folder}: {fault}", fault=None if expected else fault
            )
            self._fault = str(fault)
            waits = isinstance(fault, GatekeeperError) and not isinstance(fault, SpoolFault)
            self._broken = None if waits else f"{type(fault).__name__}: {fault}"
            return False
        self._outages["delivery"].end(f"The decisions that waited on the spool {folder} are in the database")
        self._fault = self._broken = None
        self._last_flush = self._clock()
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
