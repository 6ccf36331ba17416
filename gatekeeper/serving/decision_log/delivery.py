"""How do the lines of the spool get into the database: each once, and none held up by another?"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from gatekeeper.errors import ConfigError, DataError, GenerationMoved, SchemaOutOfDate, Unavailable
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import OUTCOME, Outcome, outcome_of, parse
from gatekeeper.serving.decision_log.spool import Segment, Spool

LONGEST_PENDING = timedelta(hours=1)
A_SECOND = 1000  # pending outcomes that are asked for again

ATTEMPTS = 3  # of a row whose id, perhaps, another tool took in between
MOST_REFUSED = 16  # rows one after the other, and none taken: then it is not the rows

# What the database says to a row that it will never take; or to all of them.
_REFUSALS = (ConfigError, SchemaOutOfDate, GenerationMoved, DataError, ValueError, OverflowError)

Ideas = list[tuple[bytes, list[Any]]]
Ends = list[tuple[bytes, Outcome]]


def _read(lines: Sequence[bytes]) -> tuple[Ideas, Ends]:
    """Each line with its idea, or with its outcome. Raises DataError where one can't be read."""
    read = list(zip(lines, parse(lines), strict=True))
    ends = [(line, outcome_of(one)) for line, one in read if one[0] == OUTCOME]
    return [(line, one) for line, one in read if one[0] != OUTCOME] if ends else read, ends


class Delivery:
    """Takes segments to the database, oldest first. One thread runs it.

    An outcome whose idea isn't there yet waits in memory, and goes on living on the spool: before its segment goes,
    its line is written to the next one.
    """

    def __init__(self, registry: Registry, spool: Spool, clock: Callable[[], datetime]) -> None:
        self._registry = registry
        self._spool = spool
        self._clock = clock
        self._pending: dict[bytes, tuple[Outcome, Segment]] = {}
        self._next_asking = 0.0
        self.rejected = 0
        self.torn = 0

    @property
    def pending(self) -> int:
        """Outcomes whose idea isn't there yet."""
        return len(self._pending)

    def run(self) -> None:
        """All that is there now. Raises GatekeeperError where it has to stop; what was delivered is, and once."""
        for segment in self._spool.segments():
            growing = self._spool.is_active(segment)  # asked first: if not, its end is its end
            self._take(segment)
            if not growing:
                self._finish(segment)
            elif not self._living_in(segment):
                self._spool.empty(segment)
        if self._pending and time.monotonic() >= self._next_asking:
            self._next_asking = time.monotonic() + len(self._pending) / A_SECOND
            self._close(list(self._pending.items()))

    def release(self) -> None:
        """Leave what still waits to whoever comes next: its segments are not done."""
        for _, home in self._pending.values():
            home.done = 0

    def _take(self, segment: Segment) -> None:
        end = segment.end  # what comes meanwhile has a second
        while segment.done < end:
            lines, done = segment.read()
            if not lines:
                break
            self._deliver(lines, segment)
            segment.done = done
            segment.delivered += len(lines)

    def _living_in(self, segment: Segment) -> list[bytes]:
        return [line for line, (_, home) in self._pending.items() if home is segment]

    def _finish(self, segment: Segment) -> None:
        """Remove a segment that nobody writes to any more."""
        if segment.done < segment.end:
            self._keep([("the line breaks off: its process was killed while it wrote it", segment.torn())])
            self.torn += 1
            segment.done = segment.end
        if waiting := self._living_in(segment):
            self._carry_over(waiting)
        self._spool.remove(segment)

    def _carry_over(self, lines: Sequence[bytes]) -> None:
        """What still waits goes into the segment that is written to, before its own one goes."""
        if not self._spool.append(b"".join(line + b"\n" for line in lines), len(lines)):
            raise Unavailable(f"the spool {self._spool.folder} is full; outcomes whose ideas haven't come wait in it")
        self._spool.sync()
        active = self._spool.segments()[-1]
        for line in lines:
            self._pending[line] = (self._pending[line][0], active)

    def _deliver(self, lines: list[bytes], segment: Segment) -> None:
        try:
            ideas, ends = _read(lines)
        except DataError:  # one of them can't be read: which?
            ideas, ends = self._sound(lines)
        if ideas:
            self._log(ideas)
        if ends:
            self._close([(line, (one, segment)) for line, one in ends])

    def _sound(self, lines: Sequence[bytes]) -> tuple[Ideas, Ends]:
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
        try:
            self._registry.log_decisions([one for _, one in ideas])
        except _REFUSALS as fault:
            refused = self._sifted(ideas, fault)
            # A table that was mended in the middle refuses them no more.
            self._reject([(why, line) for line, one in refused if (why := self._refusal(one)) is not None])

    def _sifted(self, ideas: Ideas, fault: Exception) -> Ideas:
        """The few that are refused, the others taken. Raises the fault where it is the table that refuses all."""
        parts, taken = [ideas], 0
        refused: Ideas = []
        while parts:
            part = parts.pop()
            try:
                taken += self._registry.log_decisions([one for _, one in part])
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
        """Why the database doesn't take it, however often it is asked."""
        why = ""
        for _ in range(ATTEMPTS):
            try:
                self._registry.log_decisions([one])
            except _REFUSALS as refusal:
                why = str(refusal)
            else:
                return None
        return why

    def _close(self, outcomes: Sequence[tuple[bytes, tuple[Outcome, Segment]]]) -> None:
        settled = self._registry.close_decisions([outcome for _, (outcome, _) in outcomes], all_or_none=False)
        oldest = self._clock() - LONGEST_PENDING
        pending, rejected = {}, []
        for (line, place), (state, refusal) in zip(outcomes, settled, strict=True):
            if state == "unknown" and place[0].at > oldest:
                pending[line] = place
            elif state != "recorded":
                rejected.append((str(refusal or "no idea of this id came within an hour"), line))
        self._reject(rejected)
        for line, _ in outcomes:
            self._pending.pop(line, None)
        self._pending.update(pending)

    def _reject(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """What no database will take: counted."""
        self._keep(lines)
        self.rejected += len(lines)

    def _keep(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """In rejected.jsonl, for people. Raises Unavailable where that can't be written."""
        if not lines:
            return
        at = self._clock().isoformat()
        try:
            self._spool.reject(
                [{"at": at, "why": why, "line": line.decode("utf-8", "backslashreplace")} for why, line in lines]
            )
        except OSError as fault:
            raise Unavailable(f"can't keep rejected lines in {self._spool.folder}: {fault}") from fault
