"""Measurements: ours next to a peer's, on the same work, in the same run. Medians, their ratio and its spread.

Every part of the benchmarks returns these, `run.py` keeps them, and `page.py` writes docs/why/benchmarks.md from them.
"""

import math
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

FASTER, ITS_TIME, ITS_RATE = "times as fast", "of its time", "of its rate"
ROUNDS = 7
SHORT = 0.02
"""Seconds: a call that takes less is repeated for as long as this, and the mean counts."""
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the page. Where something wasn't measured its numbers are `nan`, and the note says why."""

    section: str
    """A heading of docs/why/benchmarks.md."""
    work: str
    size: str
    """As shown, the number first: "1,000,000 bars"."""
    peer: str
    ours: float
    theirs: float
    """Medians, in `unit`."""
    unit: str
    ratio: float
    """As the target is stated."""
    low: float
    high: float
    """The ratio's quartiles over the rounds."""
    better: str
    """How the ratio reads: FASTER, ITS_TIME, ITS_RATE; empty where there is nothing beside."""
    target: str
    met: bool | None
    note: str
    """Work that one side does and the other doesn't; why a peer is missing; what bounds it."""

    @property
    def amount(self) -> float:
        """The size as a number, for the pictures; `nan` where it has none."""
        number = self.size.partition(" ")[0].replace(",", "")
        return float(number) if number.replace(".", "", 1).isdigit() else math.nan


def pair(
    section: str,
    work: str,
    size: str,
    peer: str,
    first: Work,
    second: Work,
    *,
    rounds: int = ROUNDS,
    as_: str = FASTER,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
    unit: str = "s",
    cpu: bool = False,
) -> Result:
    """Ours and a peer's in turns, warmed up. `cpu`: processor seconds, those of child processes included."""
    times = in_turns((first, second), rounds=rounds, cpu=cpu)
    unit = f"CPU {unit}" if cpu and not unit.startswith("CPU") else unit
    return compared(
        section, work, size, peer, *times, as_=as_, at_least=at_least, at_most=at_most, note=note, unit=unit
    )


def compared(
    section: str,
    work: str,
    size: str,
    peer: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    as_: str = FASTER,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
    unit: str = "s",
) -> Result:
    """The same of what was measured elsewhere: one number of each side for each round."""

    def ratio_of(a: float, b: float) -> float:
        above, below = (b, a) if as_ == FASTER else (a, b)
        return above / below if below else math.inf  # a peer that did nothing

    each = [ratio_of(*one) for one in zip(ours, theirs, strict=True)]
    a, b = median(ours), median(theirs)
    ratio = ratio_of(a, b)
    return Result(
        section, work, size, peer, a, b, unit, ratio, *spread(each), as_, *judged(ratio, at_least, at_most), note
    )


def alone(
    section: str,
    work: str,
    size: str,
    values: Sequence[float],
    *,
    unit: str = "s",
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Result:
    """Ours with nothing beside it: the number itself is held to the target."""
    ours = median(values)
    target, met = judged(ours, at_least, at_most)
    return Result(section, work, size, "", ours, math.nan, unit, math.nan, *spread(values), "", target, met, note)


def missing(section: str, work: str, peer: str, why: str, size: str = "") -> Result:
    """A peer that can't be measured here is named, not guessed."""
    return Result(section, work, size, peer, *[math.nan] * 2, "", *[math.nan] * 3, "", "", None, why)


def in_turns(works: Sequence[Work], *, rounds: int, cpu: bool = False, warm: bool = True) -> list[list[float]]:
    """Seconds of each work, one for each round. Each round begins with another side."""
    if warm:
        for work in works:
            work()
    times: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        for side in range(len(works)):
            side = (side + number) % len(works)
            times[side].append(seconds(works[side], cpu=cpu))
    return times


def seconds(work: Work, *, cpu: bool = False) -> float:
    """The time of one call; of short ones the mean of many."""
    clock = processor if cpu else time.perf_counter
    start = clock()
    work()
    once = clock() - start
    if once >= SHORT:
        return once
    calls = max(1, int(SHORT / max(once, 1e-7)))
    start = clock()
    for _ in range(calls):
        work()
    return (clock() - start) / calls


def processor() -> float:
    """Seconds of processors, of this process and of those that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_memory() -> float:
    """MB that this process has held at most. On Linux `getrusage` counts what its parent held when it started it."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)):
        return int(found[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def spread(each: Sequence[float]) -> tuple[float, float]:
    """Quartiles over the rounds."""
    if len(each) < 2:
        return each[0], each[0]
    low, _, high = quantiles(each, n=4, method="inclusive")
    return low, high


def judged(value: float, at_least: float | None, at_most: float | None) -> tuple[str, bool | None]:
    """The target in words, and whether it is met."""
    if at_least is not None:
        return f"at least {at_least:,g}", value >= at_least
    if at_most is not None:
        return f"at most {at_most:,g}", value <= at_most
    return "", None
