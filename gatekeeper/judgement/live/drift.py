"""Drift: Kolmogorov-Smirnov distances of live features and scores from those that the model was judged on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.check import Drift, Shift
from gatekeeper.judgement.statistics.bootstrap import block_length, draws

LEVEL = 0.99
FEWEST = 30
PART = 3  # the newest ideas are compared, at most one for each three of the reference
LARGEST = 20_000
TIMES = 2000


def compare(live: NDArray[np.floating], reference: NDArray[np.floating], names: Sequence[str], *, seed: int) -> Drift:
    """Drift of live (n, k) against reference (N, k), both in the order of time, column by column.

    The statistic is the two-sample one of Kolmogorov and Smirnov (`scipy.stats.ks_2samp`). Its usual p-value takes
    ideas as independent, but the ideas of one week share their market, so it would report drift in any week. The bound
    therefore comes from the reference itself: samples of n ideas, drawn from it by the stationary bootstrap (Politis &
    Romano 1994), stay under the bound in 99 of 100 cases for all columns together (Bonferroni). Since the reference is
    a sample too, the bound is widened by sqrt(1 + n/N), as in the two-sample law.
    """
    reference = reference[-LARGEST:]
    newest = live[-max(1, len(reference) // PART) :]
    if len(newest) < FEWEST:
        what = f"{len(live)} live ideas against {len(reference)}; {FEWEST} are needed, and {PART} times as many before"
        return Drift(len(live), len(reference), LEVEL, (), f"too few ideas to measure drift ({what})")
    moving = [place for place in range(len(names)) if _moves(newest[:, place], reference[:, place])]
    bounds = _bounds(reference[:, moving], len(newest), seed) if moving else []
    limits = dict(zip(moving, bounds, strict=True))
    shifts = tuple(
        _shift(name, newest[:, place], reference[:, place], limits.get(place)) for place, name in enumerate(names)
    )
    drifted = tuple(shift.name for shift in shifts if shift.drifted)
    text = f"drifted: {', '.join(drifted)}" if drifted else "no drift"
    return Drift(len(newest), len(reference), LEVEL, shifts, f"{text}, in the newest {len(newest)} ideas", drifted)


def _moves(live: NDArray[np.floating], reference: NDArray[np.floating]) -> bool:
    return bool(np.ptp(np.concatenate([live, reference])) > 0)


def _shift(name: str, live: NDArray[np.floating], reference: NDArray[np.floating], bound: float | None) -> Shift:
    from scipy.stats import ks_2samp

    if bound is None:
        return Shift(name, None, None, None)
    distance = float(ks_2samp(live, reference, method="asymp").statistic)
    return Shift(name, distance, bound, distance > bound)


def _bounds(reference: NDArray[np.floating], length: int, seed: int) -> list[float]:
    """(k,) the bound of each column of the (N, k) reference, from the distances of its own draws."""
    order = [np.unique(column, return_inverse=True)[1] for column in reference.T]
    whole = [np.cumsum(np.bincount(ranks)) / len(reference) for ranks in order]
    distances = np.empty((TIMES, len(order)))
    rows = draws(len(reference), length, block=block_length(reference), times=TIMES, seed=seed)
    for number, row in enumerate(rows):
        for place, (ranks, cdf) in enumerate(zip(order, whole, strict=True)):
            drawn = np.cumsum(np.bincount(ranks[row], minlength=len(cdf))) / length
            distances[number, place] = np.max(np.abs(drawn - cdf))
    level = 1 - (1 - LEVEL) / len(order)
    widened = np.sqrt(1 + length / len(reference))
    return [float(bound * widened) for bound in np.quantile(distances, level, axis=0, method="higher")]
