"""Decision log delivery: writes the spool's lines to the database, each once, and sets refused lines aside."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from gatekeeper.errors import ConfigError, DataError, GenerationMoved, SchemaOutOfDate, Unavailable
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import OUTCOME, Outcome, outcome_of, parse
from gatekeeper.serving.decision_log.delivered import DeliveredLines
from gatekeeper.serving.decision_log.spool import Segment, Spool

LONGEST_PENDING = timedelta(hours=1)
RETRIES_PER_SECOND = 1000  # of pending outcomes

ATTEMPTS = 3  # for a row whose id another tool may have taken meanwhile
MOST_REFUSED = 16  # refusals in a row without a success: then the table is at fault, not the rows

# The errors for a row that the database will never take, or for a table that takes none.
_REFUSALS = (ConfigError, SchemaOutOfDate, GenerationMoved, DataError, ValueError, OverflowError)

PINNED_BYTES = 256 * 1024  # an active segment of this size is closed if only an outcome without its idea keeps it


class SpoolFault(Unavailable):
    """Some lines can't be read from the spool, or not set aside beside it. Those of other segments are delivered."""


Ideas = list[tuple[bytes, list[Any]]]
Ends = list[tuple[bytes, Outcome]]


def _read(lines: Sequence[bytes]) -> tuple[Ideas, Ends]:
    """The lines with their ideas, and the lines with their outcomes. Raises DataError if one can't be read."""
    read = list(zip(lines, parse(lines), strict=True))
    ends = [(line, outcome_of(one)) for line, one in read if one[0] == OUTCOME]
    return [(line, one) for line, one in read if one[0] != OUTCOME] if ends else read, ends


class Delivery:
    """Delivers segments to the database. One thread runs it.

    In whatever order they come: no segment waits for another. An outcome whose idea has not come yet waits in memory
    and stays on the spool: before its segment is removed, its line is moved to the active one, even if the spool is
    full, since more is removed than written.
    """

    def __init__(
        self, registry: Registry, spool: Spool, clock: Callable[[], datetime], delivered: DeliveredLines
    ) -> None:
        self._registry = registry
        self._spool = spool
        self._clock = clock
        self._delivered = delivered
        self._pending: dict[bytes, tuple[Outcome, Segment]] = {}
        self._next_retry = 0.0
        self.conflicts = 0
        self.rejected = 0
        self.torn = 0

    @property
    def pending(self) -> int:
        """The number of outcomes whose idea has not come yet."""
        return len(self._pending)

    def run(self) -> None:
        """Deliver all lines that are there now, each once.

        Raises GatekeeperError if the database can't be reached or was replaced under this process (RegistryReplaced),
        and SpoolFault, after all others, if a segment has to wait.
        """
        self._registry.continuity.look()
        faults: list[Exception] = []
        for segment in self._spool.segments():
            growing = self._spool.is_active(segment)  # checked first: a closed segment grows no more
            with _noted(faults):
                self._take(segment)
                if not self._pending_in(segment):
                    if growing:
                        self._spool.empty(segment)
                    else:
                        self._finish(segment)
        if self._pending and time.monotonic() >= self._next_retry:
            self._next_retry = time.monotonic() + len(self._pending) / RETRIES_PER_SECOND
            with _noted(faults):
                self._close(list(self._pending.items()))
        for segment in self._spool.segments():
            with _noted(faults):
                if not self._spool.is_active(segment):
                    if segment.read() == ([], segment.done):
                        self._finish(segment)
                elif segment.done == segment.end >= PINNED_BYTES:
                    self._spool.rotate(PINNED_BYTES)
        if faults:
            raise SpoolFault(
                f"A part of the spool {self._spool.folder} can't be delivered now ({faults[0]}); the rest is. "
                "Check its permissions, its disk, and the limit of open files."
            ) from faults[0]

    def release(self) -> None:
        """Leave pending outcomes to the next process, by marking their segments as undelivered."""
        for _, home in self._pending.values():
            home.done = 0

    def _take(self, segment: Segment) -> None:
        end = segment.end  # lines written meanwhile are delivered in the next second
        while segment.done < end:
            lines, done = segment.read()
            if not lines:
                break
            self._deliver(lines, segment)
            segment.done = done
            segment.delivered += len(lines)

    def _pending_in(self, segment: Segment) -> list[bytes]:
        return [line for line, (_, home) in self._pending.items() if home is segment]

    def _finish(self, segment: Segment) -> None:
        """Remove a closed segment."""
        if segment.done < segment.end:
            self._keep([("the line is incomplete: its process was killed while it wrote it", segment.torn())])
            self.torn += 1
            segment.done = segment.end
        if waiting := self._pending_in(segment):
            self._carry_over(waiting)
        self._spool.remove(segment)

    def _carry_over(self, lines: Sequence[bytes]) -> None:
        """Write pending lines to the active segment before their own is removed."""
        home = self._spool.move(b"".join(line + b"\n" for line in lines), len(lines))
        if home is None:
            raise SpoolFault("outcomes whose ideas have not come stay in their segment, since it takes no line")
        self._spool.sync()
        for line in lines:
            self._pending[line] = (self._pending[line][0], home)

    def _deliver(self, lines: list[bytes], segment: Segment) -> None:
        try:
            ideas, ends = _read(lines)
        except DataError:  # find the unreadable ones
            ideas, ends = self._readable(lines)
        if ideas:
            self._log(ideas)
        if ends:
            self._close([(line, (one, segment)) for line, one in ends])

    def _readable(self, lines: Sequence[bytes]) -> tuple[Ideas, Ends]:
        """Ideas and outcomes of the readable lines; the others are rejected."""
        ideas: Ideas = []
        ends: Ends = []
        broken = []
        for line in lines:
            try:
                more_ideas, more_ends = _read([line])
            except DataError as fault:
                broken.append((f"the line can't be read: {fault}", line))
            else:
                ideas += more_ideas
                ends += more_ends
        self._reject(broken)
        return ideas, ends

    def _log(self, ideas: Ideas) -> None:
        rejected: list[tuple[str, bytes]] = []
        try:
            self.conflicts += self._registry.log_decisions([one for _, one in ideas]).conflicts
        except _REFUSALS as fault:
            refused = self._refused(ideas, fault)
            # A table that was repaired meanwhile refuses them no more.
            rejected = [(why, line) for line, one in refused if (why := self._refusal(one)) is not None]
            self._reject(rejected)
        out = {line for _, line in rejected}
        self._delivered.keep(b"".join(line + b"\n" for line, _ in ideas if line not in out))

    def _refused(self, ideas: Ideas, fault: Exception) -> Ideas:
        """Log the ideas by halves; returns those refused. Raises the fault if the table refuses all."""
        parts, taken = [ideas], 0
        refused: Ideas = []
        while parts:
            part = parts.pop()
            try:
                logged = self._registry.log_decisions([one for _, one in part])
                taken += logged.new
                self.conflicts += logged.conflicts
            except _REFUSALS:
                half = len(part) // 2
                if half:
                    parts += [part[half:], part[:half]]
                    continue
                refused += part
                if len(refused) == MOST_REFUSED and not taken:
                    raise fault from None
        if refused and not taken:
            raise fault
        return refused

    def _refusal(self, one: list[Any]) -> str | None:
        """The reason why the database refuses this idea repeatedly; None if it takes it."""
        why = ""
        for _ in range(ATTEMPTS):
            try:
                self.conflicts += self._registry.log_decisions([one]).conflicts
            except _REFUSALS as refusal:
                why = str(refusal)
            else:
                return None
        return why

    def _close(self, outcomes: Sequence[tuple[bytes, tuple[Outcome, Segment]]]) -> None:
        results = self._registry.close_decisions([outcome for _, (outcome, _) in outcomes], all_or_none=False)
        oldest = self._clock() - LONGEST_PENDING
        pending, rejected, recorded = {}, [], b""
        for (line, place), (state, refusal) in zip(outcomes, results, strict=True):
            if state == "unknown" and place[0].at > oldest:
                pending[line] = place
            elif state != "recorded":
                rejected.append((str(refusal or "no idea of this id came within an hour"), line))
            else:
                recorded += line + b"\n"
        self._reject(rejected)
        self._delivered.keep(recorded)
        for line, _ in outcomes:
            self._pending.pop(line, None)
        self._pending.update(pending)

    def _reject(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Set aside and count lines that no database will take."""
        self._keep(lines)
        self.rejected += len(lines)

    def _keep(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Write lines to rejected.jsonl with their reasons. Raises Unavailable if that can't be written."""
        if not lines:
            return
        at = self._clock().isoformat()
        try:
            self._spool.reject(
                [{"at": at, "why": why, "line": line.decode("utf-8", "backslashreplace")} for why, line in lines]
            )
        except OSError as fault:
            raise SpoolFault(f"can't write rejected lines to {self._spool.folder}: {fault}") from fault


@contextmanager
def _noted(faults: list[Exception]) -> Iterator[None]:
    """Note a fault of one segment, and go on with the next."""
    try:
        yield
    except (OSError, SpoolFault) as fault:
        faults.append(fault)
