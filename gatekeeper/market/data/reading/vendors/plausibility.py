"""Plausibility of mapped prices: which columns can be open, high, low and close, by the bars themselves."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEWEST = 100  # rows from which the order of open and close shows
CLEARLY = 1.3  # the best pair is that many times nearer than the next
_MOST_FAULTY = 0.5  # beyond it the columns are confused; single bad bars are told by row later
_SHOWN_FAULTY = 0.001
_ALIKE = 3.0  # prices of one symbol have medians within that factor


def confused(prices: dict[str, Numbers]) -> str:
    """What shows that the columns aren't open, high, low and close, "" if nothing does. Rows in order of time."""
    o, h, lo, c = (prices[role] for role in ("open", "high", "low", "close"))
    whole = np.isfinite(o) & np.isfinite(h) & np.isfinite(lo) & np.isfinite(c)
    o, h, lo, c = o[whole], h[whole], lo[whole], c[whole]
    if not len(o):
        return ""
    for what, fault in (
        ("the high lies under another price", h < np.maximum(np.maximum(o, c), lo)),
        ("the low lies over another price", lo > np.minimum(o, c)),
    ):
        if (share := float(fault.mean())) > _MOST_FAULTY:
            return f"{what} in {share:.0%} of the rows"
    if len(o) < FEWEST:
        return ""
    gap, swapped = jump(o, c), jump(c, o)
    if gap > swapped:
        return (
            f"opens lie {gap:.4g} from the close before and closes {swapped:.4g} from the open before (medians), so "
            "open and close look exchanged"
        )
    return ""


def jump(opens: Numbers, closes: Numbers) -> float:
    """The median distance of each open from the close before."""
    return float(np.median(np.abs(opens[1:] - closes[:-1])))


def proposed(columns: dict[str, Numbers]) -> dict[str, str]:
    """By role, the column that the bars themselves show; a role that they don't show is left out.

    columns: the columns of positive numbers, rows in order of time.
    """
    alike = _alike(columns)
    if len(alike) < 4 or len(next(iter(alike.values()))) < FEWEST:
        return {}
    table = np.stack(list(alike.values()))
    names = list(alike)
    top = [n for n, own in alike.items() if (own < table.max(axis=0)).mean() <= _SHOWN_FAULTY]
    bottom = [n for n, own in alike.items() if (own > table.min(axis=0)).mean() <= _SHOWN_FAULTY]
    if len(top) != 1 or len(bottom) != 1:
        return {}
    found = {"high": top[0], "low": bottom[0]}
    inner = [name for name in names if name not in (*top, *bottom)]
    pairs = sorted((jump(alike[o], alike[c]), o, c) for o, c in permutations(inner, 2))
    if pairs and (len(pairs) == 1 or pairs[1][0] >= CLEARLY * pairs[0][0] > 0):
        found |= {"open": pairs[0][1], "close": pairs[0][2]}
    return found


def _alike(columns: dict[str, Numbers]) -> dict[str, Numbers]:
    """The columns that may be prices of one symbol: finite, positive, moving, and of one size with most others."""
    usable = {
        name: own
        for name, own in columns.items()
        if len(own) and np.isfinite(own).all() and (own > 0).all() and own.min() < own.max()
    }
    sizes = {name: float(np.median(own)) for name, own in usable.items()}
    groups = [[other for other, size in sizes.items() if 1 / _ALIKE < size / own < _ALIKE] for own in sizes.values()]
    best = max(groups, key=len, default=[])
    return {name: usable[name] for name in best}
