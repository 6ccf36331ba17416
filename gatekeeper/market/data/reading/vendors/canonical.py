"""A recognised file's rows under our column names: times joined, prices adjusted, columns checked for confusion."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.vendors.declaration import Shape
from gatekeeper.market.data.reading.vendors.mapping import ColumnMapping
from gatekeeper.market.data.reading.vendors.plausibility import confused
from gatekeeper.market.data.reading.vendors.recognition import Recognised

_PRICES = ("open", "high", "low", "close")
_TIMES = ("time", "closes_at")
_CHECKED = 1000  # rows, from the earlier end: what comes later can't change a verdict


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
    made = _made(frame, found, mapping, name, order, zone)
    if found.rivals:
        own = made.get("time", joined(frame, found.columns["time"]))
        _agree(frame, found.rivals, own, name, order, mapping, zone)
    notes = list(vendor.notes if vendor and mapping.zone is None else ())
    whole = _renamed(frame, found.columns, made)
    if ratio := [role for role in ("factor", "adj_close") if role in whole.columns and role in found.columns]:
        whole, said = _adjusted(whole, ratio[0], " ".join(found.columns[ratio[0]]))
        notes += said
    if mapped := [f"{role} = {' '.join(of)}" for role, of in found.columns.items() if role in found.mapped]:
        notes.append(f"columns by the desk's mapping: {', '.join(mapped)}")
    if shape.prices and not all(of == (role,) for role, of in found.columns.items() if role in _PRICES):
        _check(whole, found, name)
    return Canonical(whole, zone, tuple(notes))


def _made(
    frame: pd.DataFrame,
    found: Recognised,
    mapping: ColumnMapping,
    name: str,
    order: times.DateOrder | None,
    zone: str | None,
) -> dict[str, pd.Series]:
    """The columns that are made of others, by role; the others keep their columns, under another name."""
    made: dict[str, pd.Series] = {}
    for role, of in found.columns.items():
        parsed = role in _TIMES and bool(zone or order or mapping.time_unit or role == "closes_at")
        if len(of) > 1 or parsed:
            made[role] = joined(frame, of)
        if parsed:
            last = role == "closes_at" and found.vendor is not None and found.vendor.last_instant
            made[role] = _instants(made[role], f"{name}: {' '.join(of)}", order, mapping, zone, last_instant=last)
    return made


def _renamed(frame: pd.DataFrame, columns: Mapping[str, tuple[str, ...]], made: dict[str, pd.Series]) -> pd.DataFrame:
    """The frame with its columns under the roles' names, and what was made of them; nothing else is copied."""
    single = {of[0]: role for role, of in columns.items() if role not in made}
    used = {column for of in columns.values() for column in of} - single.keys()
    dropped = [column for column in frame.columns if column in used or (column in columns and column not in single)]
    rest = frame.drop(columns=dropped) if dropped else frame
    return rest.rename(columns=single).assign(**made)


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
    column: pd.Series,
    where: str,
    order: times.DateOrder | None,
    mapping: ColumnMapping,
    zone: str | None,
    *,
    last_instant: bool,
) -> pd.Series:
    instants, naive = times.parse(column, where, order=order, unit=mapping.time_unit, zone=zone)
    series = pd.Series(times.whole_seconds(instants) if last_instant else instants, index=column.index)
    return series if naive.any() else series.dt.tz_localize("UTC")


def _agree(
    frame: pd.DataFrame,
    rivals: tuple[str, ...],
    chosen: pd.Series,
    name: str,
    order: times.DateOrder | None,
    mapping: ColumnMapping,
    zone: str | None,
) -> None:
    """Check that other columns of times name the same instants. Raises DataError."""
    right, _ = times.parse(chosen, f"{name}: time", order=order, unit=mapping.time_unit, zone=zone)
    for rival in rivals:
        own, _ = times.parse(frame[rival], f"{name}: {rival}", order=order, unit=mapping.time_unit, zone=zone)
        if not np.array_equal(own, right):
            raise DataError(
                f"{name}: {chosen.name} and {rival} may each be the bar's time and differ; name one in [columns]: "
                f'time = "{chosen.name}"'
            )


def _adjusted(frame: pd.DataFrame, role: str, by: str) -> tuple[pd.DataFrame, list[str]]:
    """The frame with the prices multiplied by what adjusts them, without that column; the note says so."""
    ratio = pd.to_numeric(frame[role], errors="coerce")
    if role == "adj_close":
        ratio = ratio / pd.to_numeric(frame["close"], errors="coerce")
    rest = frame.drop(columns=[each for each in ("adj_close", "factor") if each in frame.columns])
    if bool((ratio == 1).all()):
        return rest, []
    # One ratio for all four, so that a high stays the highest.
    adjusted = {name: pd.to_numeric(rest[name], errors="coerce") * ratio for name in _PRICES}
    return rest.assign(**adjusted), [f"prices are adjusted by {by}"]


def _check(frame: pd.DataFrame, found: Recognised, name: str) -> None:
    """Check that the mapped prices can be what the mapping says. Raises DataError."""
    some = _earlier_end(frame, name)
    instants, _ = times.parse(some["time"], f"{name}: time")
    rows = np.argsort(instants, kind="stable")
    prices = {
        role: pd.to_numeric(some[role].iloc[rows], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for role in _PRICES
    }
    if why := confused(prices):
        named = ", ".join(f"{role} = {' '.join(found.columns[role])}" for role in _PRICES)
        raise DataError(f"{name}: {why}, if {named}; say which column holds what in [columns]")


def _earlier_end(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The first or the last rows of the file, whichever are earlier, of one symbol alone."""
    ends = frame["time"].iloc[[0, -1]] if len(frame) else frame["time"]
    with suppress(DataError):  # dates of two rows may not tell day and month; then the first rows do
        instants, _ = times.parse(ends, f"{name}: time")
        if len(instants) and instants[-1] < instants[0]:
            frame = frame.iloc[::-1]
    some = frame.head(_CHECKED)
    return some[some["symbol"] == some["symbol"].iloc[0]] if "symbol" in some.columns and len(some) else some
