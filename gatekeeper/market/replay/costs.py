"""Transaction costs: commission, spread, slippage and carry of a trade, by part and by day."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import RatesRecord

if TYPE_CHECKING:
    from gatekeeper.settings import Settings

PARTS = ("commission", "spread", "slippage", "carry")
WHOLE = ("cost",)
"""The parts of a source that gives only the total cost of each trade."""

DAYS_A_YEAR = 365

Floats = NDArray[np.float64]


class Rates(RatesRecord, frozen=True):
    """The cost rates of a replayed trade; documents hold the same numbers."""

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Rates":
        """The rates of the settings, basis points as fractions."""
        return cls(
            commission=settings.cost_bp / 1e4,
            spread=settings.spread_bp / 1e4,
            slippage=settings.slippage_atr,
            borrow=settings.borrow,
            funding=settings.funding,
        )

    @property
    def carries(self) -> bool:
        """Whether holding a position costs or earns anything (borrow, funding)."""
        return self.borrow != 0 or self.funding != 0

    def a_side(self, atr: Floats) -> float | Floats:
        """The cost of one side, entry or exit, as a fraction of the entry price: (k,), or one number for all.

        atr: (k,) ATR14 as a fraction of the entry price.
        """
        flat = self.commission + self.spread / 2
        return flat + self.slippage * atr if self.slippage else flat

    def carried(
        self, side: NDArray[np.int64], path_start: NDArray[np.int64], path_day: NDArray[np.datetime64]
    ) -> Floats:
        """(m,) holding cost (carry) at each mark, for the calendar days since the mark before; the entry day is free.

        So a position over a weekend pays three days on Monday, and one that closes on its first day pays nothing.
        The rates are simple, on the entry price, over a year of 365 days.
        """
        held = np.diff(path_day, prepend=path_day[:1]).astype(np.float64)
        held[path_start[:-1]] = 0
        daily = np.where(side > 0, self.funding, self.borrow) / DAYS_A_YEAR
        charged: Floats = np.repeat(daily, np.diff(path_start)) * held
        return charged

    def parts(self, atr: Floats, carry: float | Floats) -> Floats:
        """(k, 4) the costs of each round trip in the order of PARTS; carry: (k,) or one number for all."""
        paid = np.empty((len(atr), len(PARTS)))
        paid[:, 0] = 2 * self.commission
        paid[:, 1] = self.spread
        paid[:, 2] = 2 * self.slippage * atr
        paid[:, 3] = carry
        return paid
