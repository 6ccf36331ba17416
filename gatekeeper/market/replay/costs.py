"""What does a trade pay, part by part, and on which days?"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import RatesRecord

if TYPE_CHECKING:
    from gatekeeper.config import Settings

PARTS = ("commission", "spread", "slippage", "carry")
WHOLE = ("cost",)
"""Of a source that tells what each trade paid, but not for what."""

DAYS_A_YEAR = 365

Floats = NDArray[np.float64]


class Rates(RatesRecord, frozen=True):
    """What a replayed trade is charged; its numbers are those that documents keep."""

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Rates":
        """Basis points become fractions."""
        return cls(
            commission=settings.cost_bp / 1e4,
            spread=settings.spread_bp / 1e4,
            slippage=settings.slippage_atr,
            borrow=settings.borrow,
            funding=settings.funding,
        )

    @property
    def carries(self) -> bool:
        """Does holding cost, or bring, anything?"""
        return self.borrow != 0 or self.funding != 0

    def a_side(self, atr: Floats) -> float | Floats:
        """What entering costs, and leaving again, as fractions of the entry price: (k,), or one for all of them.

        atr: (k,) ATR14 as a fraction of the entry price.
        """
        flat = self.commission + self.spread / 2
        return flat + self.slippage * atr if self.slippage else flat

    def carried(
        self, side: NDArray[np.int64], path_start: NDArray[np.int64], path_day: NDArray[np.datetime64]
    ) -> Floats:
        """(m,) what holding costs at each mark: of the calendar days since the mark before; the day of entry is free.

        So a position over a weekend pays three days on Monday, and one that is closed on its first day pays nothing.
        The rates are simple, on the entry price, over a year of 365 days.
        """
        held = np.diff(path_day, prepend=path_day[:1]).astype(np.float64)
        held[path_start[:-1]] = 0
        daily = np.where(side > 0, self.funding, self.borrow) / DAYS_A_YEAR
        charged: Floats = np.repeat(daily, np.diff(path_start)) * held
        return charged

    def parts(self, atr: Floats, carry: float | Floats) -> Floats:
        """(k, 4) what each round trip paid, in the order of PARTS; carry: (k,), or nothing."""
        paid = np.empty((len(atr), len(PARTS)))
        paid[:, 0] = 2 * self.commission
        paid[:, 1] = self.spread
        paid[:, 2] = 2 * self.slippage * atr
        paid[:, 3] = carry
        return paid
