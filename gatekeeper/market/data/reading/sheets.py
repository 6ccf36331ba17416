"""One table file's content as a pandas frame with named columns, whatever its kind."""

import importlib.util
import io
import zlib
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import json_tables, text_tables
from gatekeeper.market.data.reading.packing import TableFile
from gatekeeper.market.data.reading.text_tables import TextLayout
from gatekeeper.market.data.reading.vendors.mapping import ColumnMapping
from gatekeeper.market.data.reading.vendors.reshapes import unstacked

_HOW_EXCEL = "install gatekeeper[excel], or save it as CSV"
_FAULTS = (ValueError, RecursionError, TypeError, KeyError, OSError, EOFError, zlib.error, pd.errors.ParserWarning)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one table. The frame's index counts them from 0.

    headed: whether its columns have names of their own; else they are 1, 2, ... stacked: whether its columns had two
    levels, one of symbols. layout: how its text is laid out; None for other kinds.
    decimal: the mark of its numbers.
    """

    part: TableFile
    frame: pd.DataFrame
    headed: bool = True
    stacked: bool = False
    layout: TextLayout | None = None
    decimal: str = "."

    @property
    def lines(self) -> tuple[str, ...]:
        """The first lines, for people."""
        if self.layout is not None:
            return self.layout.lines
        return tuple(self.frame.head(3).to_csv(index=False).splitlines())

    def as_text(self, columns: Collection[str]) -> "Sheet":
        """The same rows with these columns as text, as they are written."""
        if self.layout is None or self.stacked:
            return self
        text = {name for name in self.frame.columns if not _is_number(self.frame[name])}
        return Sheet(self.part, _text(self.part, self.layout, {*columns, *text}), self.headed, layout=self.layout)


def read(part: TableFile, text: Collection[str], mapping: ColumnMapping) -> Sheet:
    """The rows of a table. text: names, in lower case, of the columns that stay text. Raises DataError."""
    if not part.content or part.content.isspace():
        raise DataError(f"{part.name} is empty (0 bytes of data); remove it or fill it")
    if part.kind in ("csv", "text"):
        return _of_text(part, text, mapping)
    try:
        frame, headed = _of_kind(part)
    except _FAULTS as error:
        # pandas and pyarrow raise these, or what derives from them, for content that isn't what it should be
        raise _unreadable(part, error) from error
    stacked = isinstance(frame.columns, pd.MultiIndex)
    try:
        frame = unstacked(frame) if stacked else _with_index(frame)
    except DataError as error:
        raise DataError(f"{part.name}: {error}") from None
    return Sheet(part, _named(frame), headed, stacked)


def _of_text(part: TableFile, text: Collection[str], mapping: ColumnMapping) -> Sheet:
    try:
        layout = text_tables.layout(part.content, mapping.encoding, mapping.delimiter, has_header=mapping.header)
        stay = {name for name in layout.header if name.lower() in text}
        frame = _text(part, layout, stay)
        frame = _named(unstacked(frame) if layout.stacked else frame)
    except DataError as error:
        raise DataError(str(error) if part.name in str(error) else f"{part.name}: {error}") from None
    return Sheet(part, frame, bool(layout.header), layout.stacked, layout)


def _text(part: TableFile, layout: TextLayout, text: Collection[str]) -> pd.DataFrame:
    try:
        return text_tables.parse(part.content, layout, text)
    except _FAULTS as error:
        raise _unreadable(part, error) from error


def _of_kind(part: TableFile) -> tuple[pd.DataFrame, bool]:
    if part.kind == "parquet":
        return pd.read_parquet(io.BytesIO(part.content)), True
    if part.kind == "feather":
        return pd.read_feather(io.BytesIO(part.content)), True
    if part.kind == "json":
        return json_tables.parse(part.content)
    if importlib.util.find_spec("openpyxl") is None:
        raise DataError(f"{part.name} is an Excel file, which needs a library that is not installed; {_HOW_EXCEL}")
    return pd.read_excel(io.BytesIO(part.content), engine="openpyxl"), True


def _unreadable(part: TableFile, error: BaseException) -> DataError:
    why = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, pd.errors.ParserWarning):
        why = "some rows have more cells than the header has names"
    return DataError(f"{part.name} can't be read as {part.kind}: {why}; export it again")


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, if it has a name or holds times; else without it."""
    drop = []
    for i, name in enumerate(frame.index.names):
        level = frame.index.get_level_values(i)
        unnamed_times = name is None and isinstance(level, pd.DatetimeIndex) and "time" not in frame.columns
        if unnamed_times:
            frame.index = frame.index.set_names("time", level=i) if frame.index.nlevels > 1 else level.rename("time")
        elif name is None or str(name) in map(str, frame.columns):
            drop.append(i)
    kept = frame.reset_index(drop=True) if len(drop) == frame.index.nlevels else frame
    if kept is frame:
        kept = frame.reset_index(level=drop, drop=True).reset_index() if drop else frame.reset_index()
    return kept


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([str(column).strip() for column in frame.columns], axis=1)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)
