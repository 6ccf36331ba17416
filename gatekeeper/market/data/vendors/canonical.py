"""A recognised file's rows under our column names: times joined, prices adjusted, columns checked for confusion."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.market.data import times
from gatekeeper.market.data.vendors.declaration import Shape
from gatekeeper.market.data.vendors.mapping import ColumnMapping
from gatekeeper.market.data.vendors.plausibility import confused
from gatekeeper.market.data.vendors.recognition import Recognised

_PRICES = ("open", "high", "low", "close")
_TIMES = ("time", "closes_at")
_CHECKED = 1000  # rows, the earliest: what comes after them can't change a verdict


@dataclass(frozen=True, slots=True)
class Canonical:
    """The rows with columns `time open high low close [volume] [symbol] [closes_at]` and the file's others."""

    frame: pd.DataFrame
    zone: str | None = None
    notes: tuple[str, ...] = field(default=())


def canonical(frame: pd.DataFrame, found: Recognised, shape: Shape, mapping: ColumnMapping, name: str) -> Canonical:
    """The rows under our names. Raises DataError (the file, and what its rows deny)."""
    vendor = found.vendor
    zone = mapping.zone or (vendor.zone if vendor else None)
    order = mapping.date_order or (vendor.order if vendor else None)
    if found.is_plain and not (zone or order or mapping.time_unit or "adj_close" in found.columns):
        return Canonical(frame)
    if vendor is not None and vendor.reshape is not None:
        try:
            frame = vendor.reshape(frame)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
    columns: dict[str, pd.Series] = {}
    for role, of in found.columns.items():
        columns[role] = joined(frame, of)
        if role in _TIMES and (zone or order or mapping.time_unit or role == "closes_at"):
            columns[role] = _instants(columns[role], f"{name}: {' '.join(of)}", order, mapping, zone)
    _agree(frame, found.rivals, columns.get("time"), name, order, mapping, zone)
    if "closes_at" in columns and vendor is not None and vendor.last_instant:
        columns["closes_at"] = columns["closes_at"].dt.ceil("s")
    notes = list(vendor.notes if vendor and mapping.zone is None else ())
    notes += _adjust(columns, found.columns)
    if mapped := [f"{role} = {' '.join(of)}" for role, of in found.columns.items() if role in found.mapped]:
        notes.append(f"columns by the desk's mapping: {', '.join(mapped)}")
    used = {column for of in found.columns.values() for column in of}
    others = [column for column in frame.columns if str(column) not in used and str(column) not in columns]
    whole = pd.DataFrame(columns).assign(**{str(column): frame[column] for column in others})
    if shape.prices and not all(of == (role,) for role, of in found.columns.items() if role in _PRICES):
        _check(whole, found, name)
    return Canonical(whole, zone, tuple(notes))


def joined(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """A column, or several as text with a space between."""
    first = frame[columns[0]]
    if len(columns) == 1:
        return first
    texts = [frame[column].astype("str").str.strip() for column in columns]
    whole = texts[0].str.removesuffix(" 00:00:00")  # a date that a table file holds as a time
    for other in texts[1:]:
        whole = whole + " " + other
    return whole.where(frame[list(columns)].notna().all(axis=1))


def _instants(
    column: pd.Series, where: str, order: times.DateOrder | None, mapping: ColumnMapping, zone: str | None
) -> pd.Series:
    instants, naive = times.parse(column, where, order=order, unit=mapping.time_unit, zone=zone)
    series = pd.Series(instants, index=column.index)
    return series if naive.any() else series.dt.tz_localize("UTC")


def _agree(
    frame: pd.DataFrame,
    rivals: tuple[str, ...],
    chosen: pd.Series | None,
    name: str,
    order: times.DateOrder | None,
    mapping: ColumnMapping,
    zone: str | None,
) -> None:
    """Check that other columns of times name the same instants. Raises DataError."""
    if not rivals or chosen is None:
        return
    right, _ = times.parse(chosen, f"{name}: time", order=order, unit=mapping.time_unit, zone=zone)
    for rival in rivals:
        own, _ = times.parse(frame[rival], f"{name}: {rival}", order=order, unit=mapping.time_unit, zone=zone)
        if not np.array_equal(own, right):
            raise DataError(
                f"{name}: {chosen.name} and {rival} may each be the bar's time and differ; name one in [columns]: "
                f'time = "{chosen.name}"'
            )


def _adjust(columns: dict[str, pd.Series], found: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Multiply the prices by what adjusts them; the note says so."""
    if "factor" in columns:
        ratio, by = pd.to_numeric(columns.pop("factor"), errors="coerce"), found["factor"][0]
    elif "adj_close" in columns:
        adjusted = pd.to_numeric(columns.pop("adj_close"), errors="coerce")
        ratio, by = adjusted / pd.to_numeric(columns["close"], errors="coerce"), found["adj_close"][0]
    else:
        return []
    if bool((ratio == 1).all()):
        return []
    for role in _PRICES:  # one ratio for all four, so that a high stays the highest
        columns[role] = pd.to_numeric(columns[role], errors="coerce") * ratio
    return [f"prices are adjusted by {by}"]


def _check(frame: pd.DataFrame, found: Recognised, name: str) -> None:
    """Check that the mapped prices can be what the mapping says. Raises DataError."""
    instants, _ = times.parse(frame["time"], f"{name}: time")
    rows = np.flatnonzero(_of_first_symbol(frame))
    rows = rows[np.argsort(instants[rows], kind="stable")][:_CHECKED]
    prices = {
        role: pd.to_numeric(frame[role].iloc[rows], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for role in _PRICES
    }
    if why := confused(prices):
        named = ", ".join(f"{role} = {' '.join(found.columns[role])}" for role in _PRICES)
        raise DataError(f"{name}: {why}, if {named}; say which column holds what in [columns]")


def _of_first_symbol(frame: pd.DataFrame) -> NDArray[np.bool_]:
    if "symbol" not in frame.columns or frame.empty:
        return np.ones(len(frame), dtype=np.bool_)
    symbols = frame["symbol"].to_numpy()
    return np.asarray(symbols == symbols[0], dtype=np.bool_)
