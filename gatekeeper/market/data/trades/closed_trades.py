"""Closed trades: validation of ideas with their outcomes from any source, and the market day on which each counts.

Needs only numpy: files are read with pandas, the log of a scoring server is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import LARGEST, Ideas, market_day

GIVEN = FEATURES[:-1]  # the seventh, the action, is written in words of its own
ACTIONS = {"buy": 1.0, "sell": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
MEND = "fix or remove the rows"

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RowOrigin:
    """Where n ideas were read from, so that an error can name those at fault.

    word, number: (n,) how messages name an idea, such as `row 4` of a file or `id 17` of a table.
    """

    name: str
    number: NDArray[np.int64]
    symbol: NDArray[np.str_]
    time: NDArray[np.datetime64]
    word: str = "row"

    def refuse(self, mask: Mask, fault: str, way_out: str) -> None:
        """Raises DataError naming the first ideas of `mask`, if there are any."""
        if mask.any():
            at = np.flatnonzero(mask)
            shown = ", ".join(
                f"{self.word} {self.number[i]} ({self.symbol[i]} {str(self.time[i])[:19]})" for i in at[:3]
            )
            more = f" and {len(at) - 3} more" if len(at) > 3 else ""
            raise DataError(f"{self.name}: {fault} in {shown}{more}; {way_out}")


def check_order(origin: RowOrigin, closed_at: NDArray[np.datetime64], known_at: NDArray[np.datetime64]) -> None:
    """Check that time <= closed_at <= known_at. Raises DataError, for a NaT too."""
    backwards = ~((origin.time <= closed_at) & (closed_at <= known_at))
    origin.refuse(backwards, "time, closed_at and known_at are not in this order", MEND)


def checked_features(origin: RowOrigin, given: Mapping[str, Numbers], action: Numbers) -> NDArray[np.float32]:
    """(n, 7) float32. given: the six of GIVEN by name, (n,) each, NaN if not a number; action: 1, 0 or NaN.

    Raises DataError.
    """
    for name in GIVEN:
        origin.refuse(~(np.abs(given[name]) < LARGEST), f"{name} is missing or not a finite number", MEND)
    for name in ("rsi14", "adx14"):
        origin.refuse((given[name] < 0) | (given[name] > 100), f"{name} lies outside 0 to 100", MEND)
    origin.refuse(np.isnan(action), "the action is neither buy (1) nor sell (0)", MEND)
    return np.stack([*(given[name] for name in GIVEN), action], axis=1).astype(np.float32)


def check_outcome(origin: RowOrigin, outcome: Numbers) -> None:
    """Raises DataError if a closed idea has no outcome or no symbol."""
    origin.refuse(~np.isfinite(outcome), "the outcome is missing or not a finite number", MEND)
    origin.refuse(origin.symbol == "", "the symbol is empty", "fill it in")


def booked_on_exit(closed_at: NDArray[np.datetime64], outcome: Numbers) -> tuple[NDArray[np.int64], Days, Numbers]:
    """path_start, path_day and path_return of ideas without a path: the whole outcome on the day of the exit."""
    return np.arange(len(outcome) + 1, dtype=np.int64), day_of(closed_at), outcome


def repeats(ideas: Ideas) -> Mask:
    """(n,) bool: the idea before this one has the same symbol, time and strategy. `ideas` are in order."""
    same = (
        (ideas.time[1:] == ideas.time[:-1])
        & (ideas.symbol[1:] == ideas.symbol[:-1])
        & (ideas.strategy[1:] == ideas.strategy[:-1])
    )
    return np.append(np.zeros(min(1, len(ideas)), dtype=np.bool_), same)


def equals_one_before(ideas: Ideas, at: np.intp) -> bool:
    """Whether idea `at` equals the one before it in every value."""
    if ideas.costs is not None and not np.array_equal(ideas.costs[at], ideas.costs[at - 1]):
        return False
    return ideas.take(slice(at, at + 1)).fingerprint() == ideas.take(slice(at - 1, at)).fingerprint()


def day_of(instants: NDArray[np.datetime64]) -> Days:
    """The market day of each instant: midnight belongs to the day it ends, unless only that day is on a weekend.

    A Friday's bar closes on Saturday at 00:00; a bare date, Monday 00:00, means Monday.
    """
    ended, begins = market_day(instants), instants.astype("datetime64[D]")
    return np.where(~np.is_busday(ended) & np.is_busday(begins), begins, ended)
