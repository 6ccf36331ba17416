"""Duplicated ideas: exact copies of one strategy's or symbol's ideas under another name."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import Ideas

FEWEST = 12
WARNED, REFUSED = 0.5, 0.95
"""Share of the smaller one's ideas, as for symbols that move alike."""

Name = tuple[str, str]


def check(checked: Checked) -> Iterable[Finding]:
    """The findings about copies among labelled ideas."""
    return () if checked.ideas is None else copies(checked.ideas)


def copies(ideas: Ideas) -> list[Finding]:
    """Two names (symbol and strategy) that share over half of the smaller one's ideas: warned; over 95 %: refused.

    A copy has the same time, features, outcome and exit. Two strategies may have the same idea now and then.
    """
    names, name = np.unique(np.stack([ideas.symbol, ideas.strategy]), axis=1, return_inverse=True)
    if names.shape[1] < 2:
        return []
    sizes = Counter(name.tolist())
    shared: Counter[tuple[int, int]] = Counter()
    for group in _alike(ideas):
        shared.update(combinations(sorted(set(name[group].tolist())), 2))
    found = []
    for (one, other), count in sorted(shared.items()):
        fewer = min(sizes[one], sizes[other])
        if fewer >= FEWEST and count > WARNED * fewer:
            found.append(_finding(_label(names, one), _label(names, other), count, fewer))
    return found


def _alike(ideas: Ideas) -> Iterable[NDArray[np.intp]]:
    """Groups of two and more ideas that are equal but for their names."""
    columns = (ideas.time, ideas.closed_at, ideas.outcome, *ideas.features.T)
    order = np.lexsort(columns)
    same = np.all([column[order][1:] == column[order][:-1] for column in columns], axis=0)
    for group in np.split(order, np.flatnonzero(~same) + 1) if same.any() else ():
        if len(group) > 1:
            yield group


def _label(names: NDArray[np.str_], number: int) -> str:
    return " ".join(part for part in names[:, number].tolist() if part)


def _finding(one: str, other: str, count: int, fewer: int) -> Finding:
    share = count / fewer
    severity, limit = (Severity.REFUSED, REFUSED) if share > REFUSED else (Severity.WARNING, WARNED)
    text = (
        f"{count} of {fewer} ideas ({share:.0%}, over {limit:.0%}) of {one} and {other} are exact copies of each "
        "other, and count twice. Remove one of the two."
    )
    return Finding(severity, "copies", "", "", text, f"copies:{one}:{other}", {"share": share, "ideas": float(count)})
