"""Columns of labelled ideas that have several forms: the side, the mark of open trades, costs, and excursions."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.reading.files import Table, numbers
from gatekeeper.market.data.trades import closed_trades

ACTIONS = closed_trades.ACTIONS | {"long": 1.0, "short": 0.0, "-1": 0.0, "-1.0": 0.0}

_FEES = ("fees", "fee", "commission", "commissions")
_SIZES = ("size", "qty", "quantity", "amount")
_PRICES = ("entry_price", "open_price", "avg_entry_price")
_ADVERSE, _FAVOURABLE = ("mae", "MAE"), ("mfe", "MFE")


def is_open(table: Table) -> NDArray[np.bool_]:
    """(n,) the rows that a column `is_open` or `status` marks as open."""
    found = np.zeros(len(table.frame), dtype=np.bool_)
    for name, words in (("is_open", ("true", "1", "1.0", "yes", "open")), ("status", ("open",))):
        if name in table.frame.columns:
            found |= table.text(name).str.lower().isin(words).to_numpy(dtype=np.bool_)
    return found


def cost(table: Table) -> NDArray[np.float64] | None:
    """(n,) the column `cost`; else fees in money as a fraction of size times entry price, if all rows have the three.

    None if it can't be known: a negative fee may be a rebate, or a fee with the sign of what was paid.
    """
    if "cost" in table.frame.columns:
        return numbers(table.frame["cost"])
    found = [_first(table, names) for names in (_FEES, _SIZES, _PRICES)]
    if None in found:
        return None
    fees, size, price = (numbers(table.frame[name]) for name in found)
    notional = np.abs(size) * price
    if not (np.isfinite(fees) & (fees >= 0) & np.isfinite(notional) & (notional > 0)).all():
        return None
    return np.asarray(fees / notional, dtype=np.float64)


def beyond_excursions(table: Table, outcome: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) the outcomes, as they are written, above the largest gain or below the largest loss on their way.

    Both by their size, since a MAE is written with either sign; False without the columns `mae` and `mfe`.
    """
    beyond = np.zeros(len(outcome), dtype=np.bool_)
    for names, side in ((_FAVOURABLE, 1.0), (_ADVERSE, -1.0)):
        if name := _first(table, names):
            beyond |= side * outcome > np.abs(numbers(table.frame[name])) * (1 + 1e-6)
    return beyond


def _first(table: Table, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.frame.columns), None)
