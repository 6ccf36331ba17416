"""Circular block bootstrap of a Sharpe difference (Ledoit & Wolf): confirms the normal approximation of its error."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.errors import DataError
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS, sharpe_difference

DRAWS = 10_000
AT_ONCE = 2_000  # draws whose blocks are summed together: a few MB for a thousand days

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resampled:
    """Result of the bootstrap test. p: the share of draws with such a gain if there is none."""

    p_one_sided: float
    block: int
    draws: int
    seed: int


def confirm(
    a: ArrayLike, b: ArrayLike, *, block: int | None = None, draws: int = DRAWS, seed: int = 0
) -> Resampled | None:
    """One-sided p of "a is no better than b", (T,) returns of the same periods; None if the gain is undefined.

    Ledoit & Wolf (2008), sec. 3.2: studentised circular block bootstrap (Politis & Romano 1992), each draw of
    floor(T / block) blocks, its error from its own blocks; p = (1 + how many are as large) / (1 + draws). `block`: by
    default from the data, `block_length`. Raises DataError for rows of unequal length or a block that doesn't fit.
    """
    difference = sharpe_difference(a, b)
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if block is not None and not 1 <= block <= len(first) // 2:
        raise DataError(f"block={block} of {len(first)} periods must be from 1 to {len(first) // 2}")
    if difference.delta is None or not difference.standard_error:
        return None
    size = block_length(first, second) if block is None else block
    scale = max(float(np.abs(first).max()), float(np.abs(second).max()))  # a unit in which no fourth power vanishes
    deltas, errors = _drawn(first / scale, second / scale, size, draws, np.random.default_rng(seed))
    seen = difference.delta / difference.standard_error
    with np.errstate(divide="ignore", invalid="ignore"):
        large = int(np.count_nonzero((deltas - difference.delta) / errors >= seen))
    return Resampled((1 + large) / (1 + draws), size, draws, seed)


def block_length(a: ArrayLike, b: ArrayLike) -> int:
    """Block length in days, the longer of both streams' optima. Politis & White (2004), corrected (2009), by `arch`."""
    from arch.bootstrap import optimal_block_length

    columns = np.column_stack((np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)))
    if len(columns) < 2 * FEWEST_DAYS:
        return 1
    longest = float(optimal_block_length(columns)["circular"].max())
    return max(1, min(math.ceil(longest), len(columns) // 2)) if math.isfinite(longest) else 1


def _drawn(a: Row, b: Row, block: int, draws: int, rng: np.random.Generator) -> tuple[Row, Row]:
    """(draws,) differences of Sharpe per period, and the error of each; NaN where a draw is constant."""
    from scipy.sparse import csr_array

    values = np.column_stack((a, b, a**2, b**2))
    sums = _block_sums(values, block)
    pairs = [(i, j) for i in range(4) for j in range(i, 4)]
    table = np.column_stack((sums, *(sums[:, i] * sums[:, j] for i, j in pairs)))
    count, periods = len(a) // block, len(a)
    deltas, errors = np.empty(draws), np.empty(draws)
    for start in range(0, draws, AT_ONCE):
        some = min(AT_ONCE, draws - start)
        chosen = rng.integers(periods, size=(some, count)).ravel()
        # One row for each draw, a 1 for each of its blocks: their sums without a copy of each.
        taken = csr_array((np.ones(some * count), chosen, np.arange(some + 1) * count), shape=(some, periods))
        totals = taken @ table
        here = slice(start, start + some)
        deltas[here], errors[here] = _studentised(totals, pairs, block, count)
    return deltas, errors


def _block_sums(values: Row, block: int) -> Row:
    """(T, k) sums over the `block` rows that follow each, around the end."""
    running = np.concatenate(
        (np.zeros((1, values.shape[1])), np.cumsum(np.vstack((values, values[: block - 1])), axis=0))
    )
    return np.asarray(running[block:] - running[:-block])


def _studentised(totals: Row, pairs: list[tuple[int, int]], block: int, count: int) -> tuple[Row, Row]:
    """The error of each draw, from the totals of its blocks' sums and of their products."""
    drawn = block * count
    means = totals[:, :4] / drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = [np.sqrt(means[:, 2 + side] - means[:, side] ** 2) for side in (0, 1)]
        unbiased = math.sqrt((drawn - 1) / drawn)
        delta = unbiased * (means[:, 0] / deviations[0] - means[:, 1] / deviations[1])
        gradient = (
            means[:, 2] / deviations[0] ** 3,
            -means[:, 3] / deviations[1] ** 3,
            -0.5 * means[:, 0] / deviations[0] ** 3,
            0.5 * means[:, 1] / deviations[1] ** 3,
        )
        variance = np.zeros(len(totals))
        for column, (i, j) in enumerate(pairs, start=4):
            covariance = (totals[:, column] / count - block**2 * means[:, i] * means[:, j]) / block
            variance += (1 if i == j else 2) * gradient[i] * gradient[j] * covariance
        return delta, np.sqrt(np.maximum(variance, 0) / drawn)
