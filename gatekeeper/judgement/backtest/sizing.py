"""Position sizing: each trade's part of the capital, and ideas passed over at the limit on open positions."""

import heapq
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Rules, SizingRecord
from gatekeeper.errors import DataError
from gatekeeper.market.ideas import Ideas

if TYPE_CHECKING:
    from gatekeeper.settings import Settings

Mask = NDArray[np.bool_]
Size = float | NDArray[np.float64]
"""A trade's part of the initial capital: one for all, or (n,) by idea."""


class Sizing(SizingRecord, frozen=True):
    """The rule; its numbers are those that documents keep."""

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Sizing":
        """Those of a run."""
        return cls(
            settings.sizing,
            settings.fraction,
            settings.volatility_target,
            settings.largest_fraction,
            settings.most_open,
        )

    @classmethod
    def of_rules(cls, rules: Rules) -> "Sizing":
        """Those of an evaluation."""
        return cls(**structs.asdict(rules.sizing))

    def of(self, ideas: Ideas) -> Size:
        """The size of each idea's trade. Raises DataError if it needs an ATR14 that the ideas don't have.

        The number of units, target x capital / ATR14, is known with the idea; its price is that of the entry.
        """
        if self.kind == "fraction":
            return self.fraction
        if ideas.atr is None:
            if len(ideas):
                raise DataError(
                    "GATEKEEPER_SIZING=volatility needs the ATR14 of each idea, and these have none; "
                    "give them, or set GATEKEEPER_SIZING=fraction"
                )
            return self.largest
        return np.minimum(self.target / ideas.atr, self.largest)

    def taken(self, ideas: Ideas, kept: Mask) -> Mask:
        """(k,) bool: entered ones of the approved ideas, the first k of n, in order of time, symbol, strategy.

        A position is open from its idea's time to its exit; one that ends at that instant makes room.
        """
        if self.most_open is None:
            return kept
        taken = kept.copy()
        begins, ends = (column.astype(np.int64) for column in (ideas.time, ideas.closed_at))
        still_open: list[int] = []
        for row in np.flatnonzero(kept):
            while still_open and still_open[0] <= begins[row]:
                heapq.heappop(still_open)
            if len(still_open) < self.most_open:
                heapq.heappush(still_open, int(ends[row]))
            else:
                taken[row] = False
        return taken


def each(size: Size, rows: int) -> NDArray[np.float64]:
    """The size as (n,), one for each idea."""
    return np.broadcast_to(np.asarray(size, dtype=np.float64), (rows,))
