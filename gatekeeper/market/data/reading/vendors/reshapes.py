"""What some vendors' rows need before their columns are looked up."""

import numpy as np
import pandas as pd

from gatekeeper.errors import DataError

_PRICES = ("open", "high", "low", "close")
_FIELDS = frozenset({*_PRICES, "volume", "adj close"})
_FIXED = 1e9  # Databento's raw prices are whole numbers of billionths
_LEAST_RAW = 1e7  # a cent in billionths, and more dollars than anything costs
_UNDEFINED = np.iinfo(np.int64).max


def unstacked(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of two levels, price and ticker in either order, as one row a time and ticker, with a column Ticker.

    A ticker's row without any value, on a day that only others traded, is left out. Raises DataError.
    """
    levels = [{str(name).lower() for name in frame.columns.get_level_values(i)} for i in range(frame.columns.nlevels)]
    fields = next((i for i, names in enumerate(levels) if set(_PRICES) <= names), None)
    if frame.columns.nlevels != 2 or fields is None:
        raise DataError("its columns have several levels, none of which names open, high, low and close; flatten them")
    parts: list[pd.DataFrame] = []
    for ticker in dict.fromkeys(frame.columns.get_level_values(1 - fields)):
        own = frame.loc[:, frame.columns.get_level_values(1 - fields) == ticker].dropna(how="all")
        own = own.set_axis([str(name) for name in own.columns.get_level_values(fields)], axis=1)
        own.index.name = str(frame.index.name or "Date")
        parts.append(own.reset_index().assign(Ticker=str(ticker)))
    return pd.concat(parts, ignore_index=True)


def databento_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Raw prices, whole numbers of billionths, as prices. Raises DataError for bars of several lengths."""
    if frame["rtype"].nunique() > 1:
        lengths = ", ".join(str(value) for value in sorted(frame["rtype"].unique()))
        raise DataError(f"it holds bars of several lengths (rtype {lengths}); export each to a file of its own")
    prices = frame[list(_PRICES)].apply(pd.to_numeric, errors="coerce")
    if not (prices.isna() | (prices % 1 == 0)).all(axis=None):  # decimals, though a column may have whole ones alone
        return frame
    usual = float(prices["close"].median())
    if usual < _LEAST_RAW:
        if not all(pd.api.types.is_integer_dtype(frame[name].dtype) for name in _PRICES):
            return frame
        raise DataError(
            f"its prices are whole numbers around {usual:.0f}, too small for billionths, Databento's raw unit, and "
            "without the decimals of its others; export them with pretty_px"
        )
    return frame.assign(**{name: own.where(own != _UNDEFINED) / _FIXED for name, own in prices.items()})
