"""How long does a piece of work take beside another? Medians, both sides in turns, in one run."""

import statistics
import time
from collections.abc import Callable

from rich.table import Table

ROUNDS = 7
Work = Callable[[], object]


def table(title: str) -> Table:
    """What `row` adds to."""
    return Table("work", "size", "ours", "beside", "ratio", title=title, title_justify="left")


def row(shown: Table, work: str, size: int, first: Work, second: Work) -> None:
    """One pair, warmed up; the ratio of the medians is what counts, since machines are shared and noisy."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for side, work_of in enumerate((first, second)):
            times[side].append(seconds(work_of))
    a, b = (statistics.median(side) for side in times)
    shown.add_row(work, f"{size:,}", f"{a * 1e3:,.3f} ms", f"{b * 1e3:,.3f} ms", f"{a / b:.2f}")


def seconds(work: Work) -> float:
    """The time of one call; of short ones the mean of many."""
    start = time.perf_counter()
    work()
    once = time.perf_counter() - start
    repeats = max(1, int(0.02 / max(once, 1e-7)))
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats
