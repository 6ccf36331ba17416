"""Columns of labelled ideas that have several forms: the side, the mark of open trades, and costs."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data import closed_trades
from gatekeeper.market.data.files import Table, numbers

ACTIONS = closed_trades.ACTIONS | {"long": 1.0, "short": 0.0, "-1": 0.0, "-1.0": 0.0}

_FEES = ("fees", "fee", "commission", "commissions")
_SIZES = ("size", "qty", "quantity", "amount")
_PRICES = ("entry_price", "open_price", "avg_entry_price")


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
    found = [next((name for name in names if name in table.frame.columns), None) for names in (_FEES, _SIZES, _PRICES)]
    if None in found:
        return None
    fees, size, price = (numbers(table.frame[name]) for name in found)
    notional = np.abs(size) * price
    if not (np.isfinite(fees) & (fees >= 0) & np.isfinite(notional) & (notional > 0)).all():
        return None
    return np.asarray(fees / notional, dtype=np.float64)
