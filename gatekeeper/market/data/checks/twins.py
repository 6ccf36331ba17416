"""Twin check: two symbols whose bars are the same series, at the same times or one bar apart.

Candidates come from matrix products over all symbols at once; only they are compared bar by bar.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.candles import Candles
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Index = NDArray[np.intp]

CLIP = 5.0
"""Returns are clipped at so many times their median, so that one large move makes no correlation."""
CORRELATION = 0.95
LIKE, SAME = 0.1, 0.02
"""Returns count as alike, or the same, within this part of the median return."""
LIKE_SHARE, SAME_SHARE = 0.5, 0.95
"""Share of the bars that is warned of if it is alike, and refused if it is the same."""
FEWEST = 20  # common bars on which one of the two moved

_ROUGH = 0.9  # the products take presence by blocks of bars, not by bars, so candidates get some room
_BLOCK = 16
_AT_ONCE = 256 * _BLOCK
_SAMPLE = 1000  # bars that tell how long a symbol's bars are


@dataclass(frozen=True, slots=True, eq=False)
class _Returns:
    """A symbol's log returns that are known, and the rows of the common time that they belong to."""

    symbol: str
    row: Index
    value: Floats


def twins(checked: Checked) -> Iterator[Finding]:
    """Warned: returns alike on over half of the common bars. Refused: the same on over 95 %."""
    by_length: dict[int, list[Candles]] = defaultdict(list)
    for bars in checked.candles:
        lengths = (bars.closes_at - bars.opens_at)[:_SAMPLE]
        by_length[int(np.median(lengths.astype(np.int64)))].append(bars)
    for alike in by_length.values():
        if len(alike) > 1:
            together = _on_common_rows(alike)
            for first, second, shift in _candidates(together):
                yield from _compared(together[first], together[second], shift)


def _on_common_rows(candles: list[Candles]) -> list[_Returns]:
    times = [bars.days if _is_daily(bars) else bars.closes_at for bars in candles]
    common = np.unique(np.concatenate(times))
    return [
        _Returns(bars.symbol, np.searchsorted(common, own[1:]), np.diff(np.log(bars.close)))
        for bars, own in zip(candles, times, strict=True)
    ]


def _is_daily(bars: Candles) -> bool:
    """Whether each bar is of a day of its own."""
    days = bars.days
    return bool((days[1:] > days[:-1]).all())


def _candidates(together: list[_Returns]) -> list[tuple[int, int, int]]:
    """Pairs of symbols, and by how many rows the second is later (0 or 1), whose clipped returns correlate."""
    count, rows = len(together), 1 + max(int(each.row[-1]) for each in together)
    units = [_median(each.value) for each in together]
    products = np.zeros((2, count, count), dtype=np.float32)
    squares, present = [], []
    for start in range(0, rows, _AT_ONCE):
        clipped, known = _block(together, units, start, min(start + _AT_ONCE + 1, rows))
        now = min(_AT_ONCE, rows - start)
        products[0] += clipped[:, :now] @ clipped[:, :now].T
        products[1] += clipped[:, :-1] @ clipped[:, 1:].T
        edges = np.arange(0, now, _BLOCK)
        squares.append(np.add.reduceat(clipped[:, :now] ** 2, edges, axis=1))
        present.append(np.add.reduceat(known[:, :now], edges, axis=1) / np.diff(np.append(edges, now)))
    norm = np.concatenate(squares, axis=1) @ np.concatenate(present, axis=1).astype(np.float32).T
    norms = np.sqrt(norm * norm.T) * _ROUGH
    found = []
    for shift, product in enumerate(products):
        first, second = np.nonzero((product > norms) & (norms > 0))
        keep = first < second if shift == 0 else first != second
        found += [(int(a), int(b), shift) for a, b in zip(first[keep], second[keep], strict=True)]
    return found


def _block(together: list[_Returns], units: list[float], start: int, end: int) -> tuple[Singles, Singles]:
    """(symbols, rows): returns in units of their median, clipped, 0 if unknown; and 1 if known, else 0."""
    clipped = np.zeros((len(together), end - start), dtype=np.float32)
    known = np.zeros_like(clipped)
    for place, (each, unit) in enumerate(zip(together, units, strict=True)):
        own = slice(*np.searchsorted(each.row, (start, end)))
        row = each.row[own] - start
        if unit > 0:
            clipped[place, row] = np.clip(each.value[own] / unit, -CLIP, CLIP)
        known[place, row] = 1
    return clipped, known


def _median(values: Floats) -> float:
    """The median size of the returns that aren't 0."""
    moved = np.abs(values[values != 0])
    middle = len(moved) // 2
    return float(np.partition(moved, middle)[middle]) if len(moved) else 0.0


def _compared(first: _Returns, second: _Returns, shift: int) -> Iterator[Finding]:
    _, here, there = np.intersect1d(first.row + shift, second.row, assume_unique=True, return_indices=True)
    ours, theirs = first.value[here], second.value[there]
    moved = (ours != 0) | (theirs != 0)
    ours, theirs = ours[moved], theirs[moved]
    if len(ours) < FEWEST or _correlation(ours, theirs) <= CORRELATION:
        return
    apart = np.abs(ours - theirs) / _median(np.append(ours, theirs))
    alike, same = float(np.mean(apart <= LIKE)), float(np.mean(apart <= SAME))
    if alike <= LIKE_SHARE:
        return
    grave = same > SAME_SHARE
    share, within, limit = (same, SAME, SAME_SHARE) if grave else (alike, LIKE, LIKE_SHARE)
    one, other = sorted((first.symbol, second.symbol))
    later = f" {second.symbol} is one bar later." if shift else ""
    text = (
        f"{one} and {other} have returns within {within:g} of the median return on {share:.1%} of {len(ours)} common "
        f"bars (limit {limit:.0%}): each idea would count twice.{later} Keep one of the two."
    )
    numbers = {"alike": alike, "same": same, "bars": len(ours), "shift": shift}
    severity = Severity.REFUSED if grave else Severity.WARNING
    yield Finding(severity, "twin", one, "", text, f"twin:{one}:{other}", numbers)


def _correlation(ours: Floats, theirs: Floats) -> float:
    """Of the returns, each clipped at five times its median."""
    limits = (CLIP * _median(ours), CLIP * _median(theirs))
    clipped = [np.clip(values, -limit, limit) for values, limit in zip((ours, theirs), limits, strict=True)]
    sizes = float(np.sqrt(np.sum(clipped[0] ** 2) * np.sum(clipped[1] ** 2)))
    return float(np.sum(clipped[0] * clipped[1])) / sizes if sizes else 0.0
