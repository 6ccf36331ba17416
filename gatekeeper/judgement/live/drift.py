"""Drift: Kolmogorov-Smirnov distances of live features and scores from those that the model was judged on."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.check import Drift, Shift

LEVEL = 0.99
FEWEST = 30
PART = 3  # the newest ideas are compared, at most one for each three of the reference
LARGEST = 20_000
TIMES = 2000
BLOCKS = 8
"""Blocks that the live ideas are cut into; the reference has as many as it takes of the same length."""
INDEPENDENT = 2
"""Independent ideas that a block must be worth, or blocks resemble their neighbours and can't be exchanged."""
GRID = 500  # values at which the distribution functions are compared

Column = NDArray[np.float64]


def compare(live: NDArray[np.floating], reference: NDArray[np.floating], names: Sequence[str], *, seed: int) -> Drift:
    """Drift of live (n, k) against reference (N, k), both in the order of time, column by column.

    The statistic is the two-sample one of Kolmogorov and Smirnov, whose usual p-value takes ideas as independent. But
    those of one week share their market, so it would report drift in any week. Here ideas are exchanged in whole
    blocks: without drift, any 8 blocks of both together might have been the live ones, and the bound is what 99 of 100
    such choices stay under, in all columns together (the largest standardised distance, Westfall & Young 1993). Blocks
    must be nearly independent for that. A column with too few independent ideas has no bound, and never drifts.
    """
    reference = reference[-LARGEST:]
    newest = live[-max(1, len(reference) // PART) :]
    if len(newest) < FEWEST:
        what = f"{len(live)} live ideas against {len(reference)}; {FEWEST} are needed, and {PART} times as many before"
        return Drift(len(live), len(reference), LEVEL, (), f"too few ideas to measure drift ({what})")
    now, then = newest.astype(np.float64), reference.astype(np.float64)
    moving = [place for place in range(len(names)) if np.ptp(np.concatenate([now[:, place], then[:, place]])) > 0]
    memory = {place: autocorrelation_time(now[:, place], then[:, place]) for place in moving}
    worth = {place: len(now) / memory[place] for place in moving}
    tested = [place for place in moving if worth[place] >= BLOCKS * INDEPENDENT]
    found = {place: distances(now[:, place], then[:, place], seed) for place in moving}
    bounds = dict(zip(tested, _bounds([found[place] for place in tested]), strict=True))
    shifts = tuple(
        _shift(name, found.get(place), bounds.get(place), worth.get(place), memory.get(place, 1.0) * BLOCKS / len(now))
        for place, name in enumerate(names)
    )
    drifted = tuple(shift.name for shift in shifts if shift.drifted)
    return Drift(len(now), len(then), LEVEL, shifts, _text(shifts, drifted, len(now)), drifted)


def autocorrelation_time(live: Column, reference: Column) -> float:
    """How many neighbouring ideas are worth one independent idea: 1 for independent ones, at least 1.

    The sum of the autocorrelations of the ranks by the initial monotone sequence of Geyer (1992), each part around its
    own mean, so that a shift between them is no memory.
    """
    ranks = np.unique(np.concatenate([reference, live]), return_inverse=True)[1].astype(np.float64)
    parts = (ranks[: len(reference)], ranks[len(reference) :])
    covariance = np.zeros(max(map(len, parts)))
    for part in parts:
        frequencies = np.fft.rfft(part - part.mean(), 2 * len(part))
        covariance[: len(part)] += np.fft.irfft(np.abs(frequencies) ** 2)[: len(part)]
    if covariance[0] <= 0:
        return 1.0
    pairs = (covariance[: len(covariance) // 2 * 2] / covariance[0]).reshape(-1, 2).sum(axis=1)
    positive = pairs[: np.argmax(pairs <= 0)] if (pairs <= 0).any() else pairs
    return max(1.0, 2 * float(np.minimum.accumulate(positive).sum()) - 1)


def distances(live: Column, reference: Column, seed: int) -> Column:
    """(TIMES + 1,) distances: that of the live ideas, then those of as many blocks, chosen at random from both."""
    both = np.concatenate([reference, live])
    grid = np.unique(both)
    if len(grid) > GRID:
        grid = np.quantile(both, np.arange(1, GRID + 1) / (GRID + 1))
    before = max(BLOCKS, len(reference) * BLOCKS // len(live))
    blocks = [*np.array_split(live, BLOCKS), *np.array_split(reference, before)]
    counts = np.array([np.searchsorted(np.sort(block), grid, side="right") for block in blocks], dtype=np.float64)
    sizes = np.array([len(block) for block in blocks], dtype=np.float64)
    order = np.random.default_rng(seed).random((TIMES, len(blocks))).argsort(axis=1)
    chosen = np.vstack([np.arange(len(blocks)) < BLOCKS, order < BLOCKS]).astype(np.float64)
    inside, size = chosen @ counts, (chosen @ sizes)[:, None]
    found: Column = np.max(np.abs(inside / size - (counts.sum(axis=0) - inside) / (sizes.sum() - size)), axis=1)
    return found


def _bounds(found: Sequence[Column]) -> list[float]:
    """The bound of each column: its choices' mean, and as many of their standard deviations as for every other."""
    if not found:
        return []
    mean = [float(each[1:].mean()) for each in found]
    spread = [float(each[1:].std()) for each in found]
    standardised = [(each - m) / s for each, m, s in zip(found, mean, spread, strict=True)]
    # The live ideas are one of the choices: with them the level is exact (Davison & Hinkley 1997, sec. 4.3).
    limit = float(np.quantile(np.max(standardised, axis=0), LEVEL, method="higher"))
    return [m + limit * s for m, s in zip(mean, spread, strict=True)]


def _shift(name: str, found: Column | None, bound: float | None, worth: float | None, part: float) -> Shift:
    """The shift of a column; `part`: the independent idea's part of a block."""
    if found is None:
        return Shift(name, None, None, None)
    distance = float(found[0])
    if bound is None:
        return Shift(name, distance, None, None, worth)
    # The mean of a block of L ideas varies less than independent blocks would show, by 1 - part/2: that of an AR(1).
    bound = min(1.0, bound / math.sqrt(1 - part / 2))
    return Shift(name, distance, bound, distance > bound, worth)


def _text(shifts: Sequence[Shift], drifted: Sequence[str], ideas: int) -> str:
    untested = [f"{one.name} ({one.independent:.0f})" for one in shifts if one.bound is None and one.independent]
    needed = f"{BLOCKS * INDEPENDENT} are needed"
    if untested and not any(one.bound is not None for one in shifts):
        return f"too few independent ideas to measure drift in the newest {ideas}: {', '.join(untested)}; {needed}"
    text = f"{'drifted: ' + ', '.join(drifted) if drifted else 'no drift'}, in the newest {ideas} ideas"
    return f"{text}; too few independent ideas for {', '.join(untested)}, {needed}" if untested else text
