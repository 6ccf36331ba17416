"""Twin check: two symbols whose bars are the same series, at the same times or one bar apart.

Candidates come from matrix products over all symbols at once; only they are compared bar by bar.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from gatekeeper.market.data.bars.candles import Candles
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

_ROUGH = 0.85  # the products go by blocks of rows, so candidates get some room
_BLOCK = 16
_MOST_BLOCKS = 128  # of a longer time, so many blocks all over it choose the candidates
_SAMPLE = 1000  # bars that tell how long a symbol's bars are


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A symbol's bars, and the row of the common time that each belongs to."""

    bars: Candles
    row: Index


def twins(checked: Checked) -> Iterator[Finding]:
    """Warned: returns alike on over half of the common bars. Refused: the same on over 95 %."""
    by_length: dict[int, list[Candles]] = defaultdict(list)
    for bars in checked.candles:
        lengths = (bars.closes_at[:_SAMPLE] - bars.opens_at[:_SAMPLE]).view(np.int64)
        if (lengths != lengths[0]).any():
            lengths.sort()
        by_length[int(lengths[len(lengths) // 2])].append(bars)
    for length, alike in by_length.items():
        if len(alike) > 1:
            together, rows = _placed(alike, length)
            for first, second, shift in _candidates(together, rows):
                yield from _compared(together[first], together[second], shift)


def _placed(candles: list[Candles], length: int) -> tuple[list[_Placed], int]:
    """The bars on common rows, and the number of rows. A time at which no symbol has a bar is none."""
    slots = [_slots(bars, length) for bars in candles]
    first = min(int(slot[0]) for slot in slots)
    there = np.zeros(max(int(slot[-1]) for slot in slots) - first + 1, dtype=np.bool_)
    for slot in slots:
        there[slot - first] = True
    row = np.cumsum(there) - 1
    placed = [_Placed(bars, row[slot - first]) for bars, slot in zip(candles, slots, strict=True)]
    return placed, int(row[-1]) + 1


def _slots(bars: Candles, length: int) -> Index:
    """(n,) the day of each bar if each is of a day of its own; else the number of its length since 1970."""
    days = bars.days.view(np.int64)
    if (days[1:] > days[:-1]).all():
        return days
    return bars.closes_at.view(np.int64) // max(length, 1)


def _candidates(together: list[_Placed], rows: int) -> list[tuple[int, int, int]]:
    """Pairs of symbols, and by how many rows the second is later (0 or 1), whose clipped returns correlate."""
    place, blocks = _sample(rows)
    shape = (len(together), blocks * _BLOCK)
    clipped, known = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_)
    for number, each in enumerate(together):
        _fill(each, place, clipped[number], known[number])
    blockwise = (len(together), blocks, _BLOCK)
    returns, share = clipped.reshape(blockwise), known.reshape(blockwise).mean(axis=2, dtype=np.float32)
    before, after = (part.reshape(len(together), -1) for part in (returns[:, :, :-1], returns[:, :, 1:]))
    with _threads().limit(limits=1):  # several wait for each other longer than one takes
        norm = np.einsum("sbr,sbr->sb", returns, returns) @ share.T
        products = clipped @ clipped.T, before @ after.T
    norms = np.sqrt(norm * norm.T) * _ROUGH
    found = []
    for shift, product in enumerate(products):
        first, second = np.nonzero((product > norms) & (norms > 0))
        keep = first < second if shift == 0 else first != second
        found += [(int(a), int(b), shift) for a, b in zip(first[keep], second[keep], strict=True)]
    return found


def _sample(rows: int) -> tuple[Index, int]:
    """(rows,) the place of each row in the sample, -1 if it isn't in there; and the number of blocks in it."""
    row = np.arange(rows)
    block = row // _BLOCK
    step = -(-rows // (_BLOCK * _MOST_BLOCKS))
    place = np.where(block % step == 0, block // step * _BLOCK + row % _BLOCK, -1)
    return place, int(place.max()) // _BLOCK + 1


def _fill(each: _Placed, place: Index, clipped: Singles, known: NDArray[np.bool_]) -> None:
    """Set the symbol's (places,): its returns in units of their median, clipped, 0 if unknown; and which are known."""
    to = place[each.row[1:]]
    at = np.flatnonzero(to >= 0)
    to, close = to[at], each.bars.close
    value = np.log(close[at + 1] / close[at])
    unit = _median(value)
    if unit > 0:
        clipped[to] = np.minimum(np.maximum(value / unit, -CLIP), CLIP)
    known[to] = True


@cache
def _threads() -> Any:
    """To look for the libraries that have threads takes as long as the products of 100 symbols."""
    return ThreadpoolController()


def _median(values: Floats) -> float:
    """The median size of the returns that aren't 0."""
    moved = np.abs(values if values.all() else values[values != 0])
    middle = len(moved) // 2
    return float(np.partition(moved, middle)[middle]) if len(moved) else 0.0


def _compared(first: _Placed, second: _Placed, shift: int) -> Iterator[Finding]:
    _, here, there = np.intersect1d(first.row[1:] + shift, second.row[1:], return_indices=True)
    ours, theirs = (np.diff(np.log(each.bars.close))[at] for each, at in ((first, here), (second, there)))
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
    one, other = sorted((first.bars.symbol, second.bars.symbol))
    later = f" {second.bars.symbol} is one bar later." if shift else ""
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
