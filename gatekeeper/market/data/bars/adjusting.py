"""Split adjustment: bars from a split on, put into old shares before indicators see them.

Every bar before a split stays as it was, and with it what earlier as-ofs made of it. Only ratios of prices count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import PRICES, Book, Candles
from gatekeeper.market.data.bars.corporate_actions import SETTING, Split

NAMED = 10  # splits or symbols that a note names
LATELY = np.timedelta64(28, "D")
"""Days before and after a split whose volumes are compared."""
FEWEST = 5

Placed = Sequence[tuple[Split, int]]


def applied(book: Book, splits: Iterable[Split]) -> tuple[Book, tuple[Split, ...]]:
    """The book in the shares of its first bars, with notes, and the splits that were applied.

    A split counts from its first bar on, so one that no bar has reached yet changes nothing.
    """
    listed: dict[str, list[Split]] = {}
    for split in splits:
        listed.setdefault(split.symbol, []).append(split)
    if not listed:
        return book, ()
    candles: list[Candles] = []
    used: list[Split] = []
    unscaled: list[str] = []
    for bars in book.candles:
        placed = [(split, first_bar(bars, split)) for split in listed.pop(bars.symbol, [])]
        placed = [(split, row) for split, row in placed if 0 < row < len(bars)]
        scaled = not placed or _volume_moves(bars, placed)
        candles.append(_adjusted(bars, placed, with_volume=scaled) if placed else bars)
        used += [split for split, _ in placed]
        unscaled += [] if scaled or bars.volume is None else [bars.symbol]
    notes = [*book.notes]
    if used:
        notes.append(f"splits of {SETTING} applied: {_named(map(str, used), '; ')}")
    if unscaled:
        notes.append(f"volume left as it is, since it doesn't move with the splits: {_named(unscaled)}")
    if listed:
        notes.append(f"no bars of {_named(sorted(listed))}, which {SETTING} names")
    return replace(book, candles=tuple(candles), notes=tuple(notes)), tuple(used)


def first_bar(bars: Candles, split: Split) -> int:
    """The row of the first bar in new shares; the number of bars if there is none yet."""
    if "T" in split.date:
        return int(np.searchsorted(bars.opens_at, np.datetime64(split.date.removesuffix("Z"), "ns")))
    return int(np.searchsorted(bars.days, np.datetime64(split.date, "D")))


def _adjusted(bars: Candles, placed: Placed, *, with_volume: bool) -> Candles:
    factor = np.ones(len(bars))
    for split, row in placed:
        factor[row:] *= split.ratio
    volume = bars.volume / factor if with_volume and bars.volume is not None else bars.volume
    return replace(bars, **{name: getattr(bars, name) * factor for name in PRICES}, volume=volume)


def _volume_moves(bars: Candles, placed: Placed) -> bool:
    """Whether the volume counts new shares from the splits on; else its vendor adjusted it already.

    It does if, over all splits of the symbol, it moves by more than half of what the ratios say, as logarithms.
    """
    if bars.volume is None:
        return False
    moved, asked, days = 0.0, 0.0, bars.days
    for split, row in placed:
        start, end = np.searchsorted(days, days[row] - LATELY), np.searchsorted(days, days[row] + LATELY)
        before, after = _usual(bars.volume[start:row]), _usual(bars.volume[row:end])
        if before and after:
            expected = float(np.log(split.ratio))
            moved += float(np.sign(expected) * np.log(after / before))
            asked += abs(expected)
    return moved > asked / 2 or not asked


def _usual(volume: NDArray[np.float64]) -> float:
    traded = volume[volume > 0]
    return float(np.median(traded)) if len(traded) >= FEWEST else 0.0


def _named(words: Iterable[str], between: str = ", ") -> str:
    """The first words, and how many more there are."""
    all_ = list(words)
    return between.join(all_[:NAMED]) + (f" and {len(all_) - NAMED} more" if len(all_) > NAMED else "")
