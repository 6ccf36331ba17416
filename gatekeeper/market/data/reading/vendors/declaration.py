"""Vendor declarations: what a vendor's files look like, and what a source's files must hold."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from gatekeeper.market.data.reading.times import DateOrder

Columns = Mapping[str, str | tuple[str, ...]]
"""By role, the file's column. `a|b`: whichever there is; `a?`: it may be missing; a tuple: joined by a space."""


def _symbol(name: re.Match[str]) -> str:
    return name["symbol"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """How one vendor writes its files. All names are in lower case and fit any case, unless `exact`.

    columns: the columns by role; those that aren't optional must be there. also: further columns that tell it from
    others. width, first: of files without a header, the number of columns, which are then named 1, 2, ..., and what
    the first cell looks like. names: patterns of the file's name without ending, with a group `symbol` and perhaps
    `bar`, the bars' length. needs_name: whether only a file with such a name is this vendor's. symbol: the symbol from
    that name. order: of day and month. zone: of times without offset, if the vendor says it. stamp: what its times
    stand for. last_instant: whether `closes_at` is the last instant within the bar, as 23:59:59.999. reshape: what is
    done to the rows before the columns are looked up. stacked: whether its columns have two levels, one of symbols.
    bar_in_minutes: whether `bar` is minutes that the bars must have, as it may be digits of the symbol: US30.
    notes: what people should know. from_memory: no file of the vendor has been seen, only its shape remembered.
    """

    name: str
    columns: Columns
    also: tuple[str, ...] = ()
    width: int = 0
    first: str = ""
    names: tuple[str, ...] = ()
    needs_name: bool = False
    symbol: Callable[[re.Match[str]], str] = _symbol
    order: DateOrder | None = None
    zone: str | None = None
    stamp: Literal["open", "close"] | None = None
    last_instant: bool = False
    reshape: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    stacked: bool = False
    exact: bool = False
    bar_in_minutes: bool = False
    notes: tuple[str, ...] = ()
    from_memory: bool = False

    def named(self, stem: str) -> re.Match[str] | None:
        """The match of a file's name without ending."""
        return next((found for name in self.names if (found := re.fullmatch(name, stem))), None)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source's files must hold.

    what: in messages. required, optional: the roles. numeric: those that hold numbers, text: those that stay text, so
    that the ticker NA is no missing value and 007 keeps its zeros. known: by role, column names that need no vendor, in
    lower case. prices: whether the columns must pass as open, high, low and close.
    """

    what: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    numeric: tuple[str, ...]
    text: tuple[str, ...]
    vendors: tuple[Vendor, ...] = ()
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prices: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """All that a column can be mapped to."""
        return (*self.required, *self.optional)

    @property
    def text_columns(self) -> frozenset[str]:
        """Names, in lower case, of the columns that stay text."""
        names = set(self.text)
        for role in self.text:
            names.update(self.known.get(role, ()))
            for vendor in self.vendors:
                names.update(alternatives(vendor.columns.get(role, ())))
        return frozenset(names)


def alternatives(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    """All names in a column's declaration."""
    each = (columns,) if isinstance(columns, str) else columns
    return tuple(name for one in each for name in one.removesuffix("?").split("|"))
