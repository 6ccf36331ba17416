"""Table files: CSV, Parquet and other tables behind a URI, local or on any store that fsspec reaches.

A URI is a file, a folder or a glob. Each file is recognised by itself: a vendor's months differ.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Literal

import fsspec
import fsspec.core
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError, DataError, Unavailable
from gatekeeper.logs import clear_stores
from gatekeeper.market.data.reading import number_text, sheets, times
from gatekeeper.market.data.reading.number_text import NumberFormat
from gatekeeper.market.data.reading.packing import FORMATS, counts_in_folder, kind_of, parts
from gatekeeper.market.data.reading.sheets import Sheet
from gatekeeper.market.data.reading.text_tables import looks_tabular
from gatekeeper.market.data.reading.vendors import proposal, symbols
from gatekeeper.market.data.reading.vendors.canonical import canonical
from gatekeeper.market.data.reading.vendors.declaration import Shape
from gatekeeper.market.data.reading.vendors.mapping import ColumnMapping, mapping_of
from gatekeeper.market.data.reading.vendors.recognition import Recognised, recognise
from gatekeeper.secret_urls import SecretUrl, shown

# Columns that stay text, so that the ticker NA is no missing value and 007 keeps its zeros.
_TEXT = frozenset({"time", "symbol", "strategy", "action", "closed_at", "known_at", "path"})


@dataclass(frozen=True, slots=True)
class Table:
    """The content of one file. The frame's index counts its data rows from 0.

    written: when the file was written (modification time, `Last-Modified`); None if its store doesn't say.
    vendor: the name of its vendor, "" if none is recognised. stamp: what its times stand for, zone: where times without
    an offset are of; None if the vendor doesn't say. notes: what people should know of how it was read.
    delimiter, decimal: of its text, time_unit: of its epochs; "" if it has none.
    """

    name: str
    stem: str
    frame: pd.DataFrame
    written: datetime | None = None
    vendor: str = ""
    stamp: Literal["open", "close"] | None = None
    zone: str | None = None
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    decimal: str = ""
    time_unit: str = ""

    def require(self, columns: tuple[str, ...]) -> None:
        """Raises DataError if the file lacks one of `columns`, or has no rows."""
        missing = [column for column in columns if column not in self.frame.columns]
        if missing:
            found = ", ".join(str(column) for column in self.frame.columns) or "none"
            raise DataError(f"{self.name} has no column {', '.join(missing)}; it has: {found}. Rename or add columns")
        if self.frame.empty:
            raise DataError(f"{self.name} has a header and no rows; remove the file or fill it")

    def text(self, column: str) -> pd.Series:
        """A column as stripped text, "" for an empty cell."""
        values = self.frame[column]
        return values.astype("str").where(values.notna(), "").str.strip()


def tables(
    uri: str, shape: Shape | None = None, columns: Mapping[str, object] | None = None, desk: str = "default"
) -> Iterator[Table]:
    """The tables of all files that `uri` names, in order of their paths.

    shape: what the files must hold; None: any columns, under their own names. columns: the desk's `columns` setting.
    desk: its name, for the mapping that a refusal proposes.

    Raises DataError (missing, empty, unreadable, of unknown shape), ConfigError (no such kind of store, a wrong
    mapping), Unavailable (can't be reached).
    """
    mapping = mapping_of(columns or {}, shape) if shape else ColumnMapping()
    filesystem, path = _store(uri)
    lengths: dict[str, tuple[str, str]] = {}
    for file in _expand(filesystem, path, uri):
        written = _written(filesystem, file)
        for part in parts(shown(file), file, _read(filesystem, file)):
            sheet = sheets.read(part, _TEXT | (shape.text_columns if shape else frozenset()), mapping)
            table, length = table_of(sheet, written, shape, mapping, desk)
            _check_length(lengths, table, length)
            yield table


def table_of(
    sheet: Sheet, written: datetime | None, shape: Shape | None, mapping: ColumnMapping, desk: str
) -> tuple[Table, str]:
    """The table that was read, recognised, and the length of its bars if the file's name says it. Raises DataError."""
    part = sheet.part
    stem = symbols.without_copy(part.stem)
    if shape is None:
        return Table(part.name, stem, sheet.frame, written), ""
    try:
        found = recognise(
            sheet.frame, headed=sheet.headed, stem=stem, stacked=sheet.stacked, shape=shape, mapping=mapping
        )
        sheet = _with_numbers(sheet, found, shape, mapping)
    except DataError as error:
        raise DataError(f"{part.name}: {error}") from None
    if shape.prices and found.missing(shape):
        proposal.refuse(part.name, sheet.frame, found.columns, sheet.lines, shape, desk)
    rows = canonical(sheet.frame, found, shape, mapping, part.name)
    symbol, length = _symbol(stem, found, mapping, rows.frame)
    vendor = found.vendor
    stamp = mapping.stamp or (vendor.stamp if vendor else None)
    table = Table(part.name, symbol, rows.frame, written, vendor.name if vendor else "", stamp, rows.zone, rows.notes)
    if sheet.layout is not None:
        table = replace(table, delimiter=sheet.layout.delimiter, decimal=sheet.decimal)
    of_time = found.columns.get("time", ())
    if len(of_time) == 1 and of_time[0] in sheet.frame.columns:
        unit = mapping.time_unit or times.epoch_unit(sheet.frame[of_time[0]])
        table = replace(table, time_unit=unit or "")
    return table, "" if "symbol" in rows.frame.columns else length


def _with_numbers(sheet: Sheet, found: Recognised, shape: Shape, mapping: ColumnMapping) -> Sheet:
    """The sheet with its columns of numbers read in the file's own number format. Raises DataError."""
    names = [name for role, of in found.columns.items() if role in shape.numeric for name in of]
    semicolons = sheet.layout is not None and sheet.layout.delimiter == ";"
    text = sheet
    if mapping.decimal == "," or (semicolons and number_text.is_doubtful(sheet.lines, ";")):
        text = sheet.as_text(names)
    odd = [text.frame[name] for name in names if number_text.is_text(text.frame[name])]
    if not odd:
        return sheet
    style = NumberFormat(mapping.decimal) if mapping.decimal else _number_format(sheet, names, odd)
    frame = sheet.frame
    if style.decimal == ",":  # what came as numbers was read with a decimal point
        frame = (sheet.as_text(names) if text is sheet else text).frame
    differs = number_text.is_text if style.decimal == "," else number_text.is_marked
    read = {name: style.read(frame[name]) for name in names if differs(frame[name])}
    return replace(sheet, frame=frame.assign(**read), decimal=style.decimal) if read else sheet


def _number_format(sheet: Sheet, names: list[str], odd: list[pd.Series]) -> NumberFormat:
    """The number format by the cells that aren't plain numbers, else by all. Raises DataError if none tells it."""
    point = sheet.layout is None or sheet.layout.delimiter != ";"
    with suppress(DataError):
        return number_text.number_format(odd, point=point)
    whole = sheet.as_text(names)
    return number_text.number_format([whole.frame[name] for name in names], point=point)


def _symbol(stem: str, found: Recognised, mapping: ColumnMapping, frame: pd.DataFrame) -> tuple[str, str]:
    """The symbol that the file's name says, and the length of the bars, "" if it doesn't say that."""
    if (own := mapping.symbol_of(stem)) is not None:
        return own, ""
    if found.vendor is not None and (name := found.vendor.named(stem)):
        bar = name.groupdict().get("bar") or ""
        if found.vendor.bar_in_minutes and not symbols.last_minutes(bar, times.parse(frame["time"], "time")[0]):
            return stem, ""
        return found.vendor.symbol(name), bar
    dated = symbols.dated(stem)
    if dated is not None and "time" in frame.columns and len(frame):
        instants, _ = times.parse(frame["time"], f"{stem}: time")
        if dated.bar or dated.holds(instants):
            return dated.symbol, dated.bar
    return stem, ""


def _check_length(lengths: dict[str, tuple[str, str]], table: Table, length: str) -> None:
    """Check that no other file holds bars of another length of the same symbol. Raises DataError."""
    if not length:
        return
    before, name = lengths.setdefault(table.stem, (length, table.name))
    if before != length:
        raise DataError(
            f"{name} and {table.name} hold {table.stem} in bars of two lengths, {before} and {length}; name one length "
            f"by a glob, such as *{length}*"
        )


def _written(filesystem: fsspec.AbstractFileSystem, file: str) -> datetime | None:
    """When the file was written, as its store says it; None if it doesn't."""
    try:
        about = filesystem.info(file)
    except Exception:  # noqa: BLE001  # reading it, which follows, names the fault
        return None
    for key in ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified"):
        if (value := about.get(key)) is None or value == "":
            continue
        with suppress(ValueError, TypeError, OverflowError):
            return _moment(value)
    return None


def _moment(value: object) -> datetime:
    """The instant that a store writes in one of its ways. Raises ValueError, TypeError."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    if isinstance(value, str):
        value = parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is no time")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _url(text: str) -> SecretUrl:
    """`text` as a URL; if no parser reads it surely, all of it is a secret."""
    try:
        return SecretUrl.store(text)
    except ValueError:
        return SecretUrl(text, shown(text), {text}, {text})


def _store(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    if not uri:
        raise ConfigError("GATEKEEPER_DATA names no file: write candles:PATH, a file, folder or glob")
    clear_stores()
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"no store for {shown(uri)!r}: {_url(uri).hide(error)}; use a path, or install fsspec's back end for it"
        ) from _url(uri).harmless(error)
    except Exception as error:  # noqa: BLE001  # some connect already: FTP, or an archive behind a URL
        raise Unavailable(
            f"can't open {shown(uri)}: {_url(uri).hide(error)}; is it there, and is the store up?"
        ) from _url(uri).harmless(error)
    return filesystem, str(path)


def _expand(filesystem: fsspec.AbstractFileSystem, path: str, uri: str) -> list[str]:
    try:
        if filesystem.isfile(path):
            return [path]
        folder = bool(filesystem.isdir(path))
        found = filesystem.ls(path, detail=False) if folder else filesystem.glob(path)
        files = sorted(str(file) for file in found if filesystem.isfile(file))
        if not files:
            _refuse_unreachable(filesystem, path)
    except Exception as error:  # noqa: BLE001  # every back end has errors of its own, and each means the same here
        raise Unavailable(
            f"can't list {shown(uri)}: {_url(uri).hide(error)}; is the store up, and are you allowed to read it?"
        ) from _url(uri).harmless(error)
    usable = [file for file in files if not PurePosixPath(file).name.startswith(".")]
    if folder:
        usable = [file for file in counts_in_folder(usable) if _is_table(filesystem, file)]
    if odd := [file for file in usable if _is_undecodable(file)]:
        name = odd[0].encode("utf-8", "backslashreplace").decode()
        raise DataError(f"the name of {shown(name)} is not UTF-8, so it can't stand for a symbol; rename the file")
    if not usable:
        seen = f"{len(files)} other files" if files else "nothing"
        raise DataError(f"no data at {shown(uri)}: found {seen}. Name a file, folder or glob of {FORMATS}")
    return usable


def _is_undecodable(file: str) -> bool:
    """Whether the name holds bytes that are no text, as the operating system hands them on."""
    return any("\ud800" <= letter <= "\udfff" for letter in file)


def _is_table(filesystem: fsspec.AbstractFileSystem, file: str) -> bool:
    """Whether a folder's text file holds a table; files of other kinds do, by their endings."""
    if kind_of(file)[1:] != ("", "text"):
        return True
    try:
        return looks_tabular(bytes(filesystem.cat_file(file, start=0, end=4096)))
    except Exception:  # noqa: BLE001  # reading it, which follows, names the fault
        return True


def _refuse_unreachable(filesystem: fsspec.AbstractFileSystem, path: str) -> None:
    """Raise what the store says of the path, or of the folder of its glob, if it says anything but that it isn't there.

    To `isfile` and `glob` of some back ends, a connection that was refused is a file that isn't there.
    """
    plain = path[: min((at for mark in "*?[" if (at := path.find(mark)) >= 0), default=len(path))]
    with suppress(FileNotFoundError, NotADirectoryError):
        filesystem.info(plain if plain == path else plain.rpartition("/")[0])


def _read(filesystem: fsspec.AbstractFileSystem, file: str) -> bytes:
    try:
        return bytes(filesystem.cat_file(file))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        url = _url(file)
        raise DataError(
            f"can't read {url}: {url.hide(error)}; name another file or allow reading it"
        ) from url.harmless(error)
    except Exception as error:  # noqa: BLE001  # every back end has errors of its own, and each means the same here
        url = _url(file)
        raise Unavailable(f"can't read {url}: {url.hide(error)}; is the store up?") from url.harmless(error)


def numbers(column: pd.Series) -> NDArray[np.float64]:
    """A column as float64, NaN for a cell that doesn't hold a number."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
