"""Vendor recognition: which declaration a file fits, and which of its columns holds what."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading.vendors.declaration import Shape, Vendor
from gatekeeper.market.data.reading.vendors.mapping import ColumnMapping

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?|\d{6}|\d{4}"
_ISO_START = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file's columns hold.

    vendor: None for columns with known names alone. columns: by role, the file's column, or several joined by a space.
    rivals: further columns that have a known name of the time. mapped: the roles that the desk's mapping names.
    """

    vendor: Vendor | None
    columns: Mapping[str, tuple[str, ...]]
    rivals: tuple[str, ...] = ()
    mapped: frozenset[str] = frozenset()

    def missing(self, shape: Shape) -> tuple[str, ...]:
        """The required roles that no column holds."""
        return tuple(role for role in shape.required if role not in self.columns)

    @property
    def is_plain(self) -> bool:
        """Whether every column bears the name of its role already."""
        return all(columns == (role,) for role, columns in self.columns.items())


def recognise(
    frame: pd.DataFrame, *, headed: bool, stem: str, stacked: bool, shape: Shape, mapping: ColumnMapping
) -> Recognised:
    """What the columns of a file hold, by the desk's mapping, else its vendor, else known names. Raises DataError."""
    vendor = next((each for each in shape.vendors if _fits(each, frame, stem, headed=headed, stacked=stacked)), None)
    found = _vendor_columns(vendor, frame) if vendor else {}
    rivals: tuple[str, ...] = ()
    if vendor is None and headed:
        found, rivals = _known_columns(frame, shape, mapping)
    for role, of in mapping.columns.items():
        if lacking := [column for column in of if column not in frame.columns]:
            raise DataError(
                f"it has no column {', '.join(lacking)}, which [columns] names as {role}; it has: "
                f"{', '.join(map(str, frame.columns)) or 'none'}"
            )
    if "time" in mapping.columns:
        rivals = ()
    return Recognised(vendor, {**found, **mapping.columns}, rivals, frozenset(mapping.columns))


def _fits(vendor: Vendor, frame: pd.DataFrame, stem: str, *, headed: bool, stacked: bool) -> bool:
    if vendor.stacked != stacked or (vendor.needs_name and not vendor.named(stem)):
        return False
    if vendor.width:
        first = str(frame.iloc[0, 0]) if not headed and len(frame) else ""
        return not headed and frame.shape[1] == vendor.width and re.fullmatch(vendor.first, first) is not None
    names = set(_names(frame, exact=vendor.exact))
    required = _vendor_columns(vendor, frame).keys() >= {
        role for role, columns in vendor.columns.items() if not _is_optional(columns)
    }
    return headed and required and names.issuperset(vendor.also)


def _is_optional(columns: str | tuple[str, ...]) -> bool:
    return isinstance(columns, str) and columns.endswith("?")


def _names(frame: pd.DataFrame, *, exact: bool) -> dict[str, str]:
    """The frame's columns by the name that declarations use."""
    names = [str(column) for column in frame.columns]
    return {name if exact else name.lower(): name for name in reversed(names)}


def _vendor_columns(vendor: Vendor, frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """By role, the columns of the declaration that the frame has; a role that lacks a required one is left out."""
    names = _names(frame, exact=vendor.exact)
    found: dict[str, tuple[str, ...]] = {}
    for role, columns in vendor.columns.items():
        own: list[str] = []
        for column in (columns,) if isinstance(columns, str) else columns:
            which = next((names[name] for name in column.removesuffix("?").split("|") if name in names), None)
            if which is not None:
                own.append(which)
            elif not column.endswith("?"):
                own = []
                break
        if own:
            found[role] = tuple(own)
    return found


def _known_columns(
    frame: pd.DataFrame, shape: Shape, mapping: ColumnMapping
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """By role, the column that bears its name or a known one, and further columns with a known name of the time."""
    found: dict[str, tuple[str, ...]] = {}
    rivals: tuple[str, ...] = ()
    taken = {column for columns in mapping.columns.values() for column in columns}
    for role in shape.roles:
        if role in frame.columns and role not in taken:
            found[role] = (role,)
            if role != "time" or not _is_clock(frame[role]):
                continue
        known = shape.known.get(role, ())
        own = [str(column) for name in known for column in frame.columns if str(column).lower() == name]
        own = [column for column in own if column not in taken]
        if role == "time":
            found[role], rivals = _times(frame, own)
            if not found[role]:
                del found[role]
        elif len(own) > 1 and role not in mapping.columns:
            raise DataError(f"{' and '.join(own)} may each be its {role}; name one in [columns]: {role} = {own[0]!r}")
        elif own:
            found[role] = (own[0],)
    return found, rivals


def _times(frame: pd.DataFrame, names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The column of times, a date's and a clock's together, and the others that may be it."""
    clocks = [name for name in names if _is_clock(frame[name])]
    dates = [name for name in names if name not in clocks]
    if clocks and dates:
        return (dates[0], clocks[0]), ()
    if names:
        return (names[0],), tuple(names[1:])
    index = str(frame.columns[0]) if len(frame.columns) else ""
    if index == "unnamed 0" and len(frame) and re.match(_ISO_START, str(frame.iloc[0, 0])):
        return (index,), ()  # the index that pandas writes, if it holds times
    return (), ()


def _is_clock(column: pd.Series) -> bool:
    """Whether the first cells are times of day without a date."""
    start = column.head(5)  # the rule; of a million cells, to drop the empty ones takes as long as all the rest here
    cells = _first((column.dropna() if start.isna().any() else start).head(5))
    return bool(cells) and all(re.fullmatch(_CLOCK, cell) for cell in cells)


def _first(cells: Iterable[object]) -> list[str]:
    return [str(cell).strip() for cell in cells if str(cell).strip()]
