"""Stationary bootstrap: block length and resampled indices that preserve serial dependence (Politis & Romano)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray


def block_length(rows: ArrayLike) -> int:
    """The optimal mean block length of (T,) or (T, k) observations: the longest of any column.

    Politis & White (2004), corrected by Patton, Politis & White (2009), for the stationary bootstrap; by `arch`. At
    least 1; constant columns don't count.
    """
    from arch.bootstrap import optimal_block_length

    columns = np.asarray(rows, dtype=np.float64)
    columns = columns.reshape(len(columns), -1)
    moving = columns[:, np.ptp(columns, axis=0) > 0]
    if moving.shape[1] == 0:
        return 1
    found = optimal_block_length(moving)["stationary"].to_numpy()
    return max(1, round(float(np.nanmax(found, initial=1.0))))


def draws(observed: int, length: int, *, block: int, times: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """(times, length) indices into `observed` observations; `length` may be shorter or longer.

    The stationary bootstrap of Politis & Romano (1994), by `arch`, in as many pieces as it takes.
    """
    from arch.bootstrap import StationaryBootstrap

    pieces = -(-length // observed)
    generator = StationaryBootstrap(block, np.arange(observed), seed=np.random.default_rng(seed))
    drawn: list[NDArray[np.int64]] = []
    for (piece,), _ in generator.bootstrap(times * pieces):
        drawn.append(np.asarray(piece, dtype=np.int64))
        if len(drawn) == pieces:
            yield np.concatenate(drawn)[:length]
            drawn = []
