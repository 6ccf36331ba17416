"""CSV and other delimited text: its encoding, delimiter and header row, and its columns by pandas."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading.vendors.words import TELLING

DELIMITERS = ";\t|,"
FEWEST = 5  # columns: a time and four prices
_HEAD = 64 * 1024
_LINES = 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OLD = ("cp1252", "gb18030", "cp1251", "shift_jis")
_CELL = r'"?[-+]?[$€£]?\d[\d.,:/ TZ+-]*"?'  # a number or a time, as no column is named
_MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "None"]


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text file is laid out.

    skip: lines above the header. header: the column names, stripped; () if the file has none. width: its columns.
    stacked: whether three header rows stand above the data, as yfinance writes them. lines: the first ones, for people.
    """

    encoding: str
    delimiter: str
    skip: int
    header: tuple[str, ...]
    width: int
    stacked: bool
    lines: tuple[str, ...]


def layout(
    content: bytes, encoding: str | None = None, delimiter: str | None = None, *, has_header: bool | None = None
) -> TextLayout:
    """The layout of a text file by its first lines; what is given isn't looked for. Raises DataError."""
    encoding = encoding or encoding_of(content)
    head = _decoded(content[:_HEAD], encoding)
    lines = re.split(r"\r\n|\n|\r", head, maxsplit=_LINES + 1)[: _LINES + 1]
    if len(lines) > 1:
        lines = lines[:-1]  # it may be cut, or is empty
    marked = re.fullmatch(r"sep=(.)", lines[0].strip()) if lines else None
    between = delimiter or (marked[1] if marked else _delimiter(lines))
    skip = _above(lines, between)
    rows = list(csv.reader((line for line in lines[skip : skip + _LINES] if line.strip()), delimiter=between))
    if not rows:
        raise DataError("it has no row")
    names = [cell.strip() for cell in rows[0]]
    headed = has_header if has_header is not None else not _is_data(names)
    stacked = len(rows) > 2 and names[0] == "Price" and rows[1][0].strip() == "Ticker"
    header = tuple(name or f"unnamed {i}" for i, name in enumerate(names)) if headed else ()
    return TextLayout(encoding, between, skip, header, len(names), stacked, tuple(lines[:_LINES]))


def encoding_of(content: bytes) -> str:
    """The encoding: by a byte order mark, as UTF-8, or by a header whose letters make known words in only one.

    Raises DataError that names what it may be.
    """
    for mark, name in _BOMS:
        if content.startswith(mark):
            return name
    head = content[:_HEAD]
    if head[:200].count(0) > len(head[:200]) // 4:
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    if content.isascii():
        return "utf-8-sig"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as fault:
        return _by_letters(content, fault)
    return "utf-8-sig"


def _by_letters(content: bytes, fault: UnicodeDecodeError) -> str:
    first = content.lstrip().partition(b"\n")[0].strip()
    readings: dict[str, str] = {}
    for name in _OLD:
        try:
            text = first.decode(name)
        except UnicodeDecodeError:
            continue
        readings[name] = text
        words = {word.strip(' "').lower() for word in re.split(r"[,;\t|]", text)}
        if not words.isdisjoint(TELLING):
            return name
    shown = "; ".join(f"{text[:60]!r} in {name}" for name, text in readings.items()) if not first.isascii() else ""
    line = content.count(b"\n", 0, fault.start) + 1
    raise DataError(
        f"it is not UTF-8 (byte 0x{content[fault.start]:02X} in line {line})"
        + (f" and its header, {shown}, tells no other encoding" if shown else "")
        + '; save it as UTF-8, or write encoding = "cp1252" (or gb18030, ...) in [columns]'
    ) from None


def _decoded(head: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except (LookupError, UnicodeDecodeError) as fault:
        raise DataError(
            f"it can't be read in the encoding {encoding} ({fault}); name another or save it as UTF-8"
        ) from None


def _delimiter(lines: list[str]) -> str:
    """The mark that cuts the most lines into enough columns; a decimal comma cuts no more than the true one does."""
    many = {mark: sum(width >= FEWEST for width in _widths(lines, mark)) for mark in DELIMITERS}
    if any(many.values()):
        return max(DELIMITERS, key=lambda mark: many[mark])
    first = next((line for line in lines if line.strip()), "")
    return max(DELIMITERS, key=first.count) if any(mark in first for mark in DELIMITERS) else ","


def _widths(lines: list[str], delimiter: str) -> list[int]:
    return [len(row) for row in csv.reader(lines[:_LINES], delimiter=delimiter)]


def _above(lines: list[str], delimiter: str) -> int:
    """The lines above the header: those with too few columns for bars or ideas, if one below has enough."""
    wide = [i for i, line in enumerate(lines[:_LINES]) if _widths([line], delimiter) >= [FEWEST]]
    while len(wide) > 1 and lines[wide[0]].startswith("#") and not _is_data(lines[wide[1]].split(delimiter)):
        wide = wide[1:]  # a comment that is as wide; above rows it would be the header
    return next(iter(wide), 0)


def _is_data(names: list[str]) -> bool:
    """Whether the first row holds numbers and times alone."""
    given = [name for name in names if name]
    return len(given) >= 5 and all(re.fullmatch(_CELL, name) for name in given)


def looks_tabular(head: bytes) -> bool:
    """Whether two of the first lines have enough columns for bars or ideas."""
    lines = head.decode("latin-1").replace("\0", "").split("\n")
    return any(sum(width >= FEWEST for width in _widths(lines, mark)) > 1 for mark in DELIMITERS)


def parse(content: bytes, found: TextLayout, text: Collection[str]) -> pd.DataFrame:
    """The rows by pandas; the columns `text` stay text.

    Raises ValueError, ParserWarning (a row longer than the header).
    """
    if found.stacked:
        return pd.read_csv(
            io.BytesIO(content),
            sep=found.delimiter,
            header=[found.skip, found.skip + 1],
            index_col=0,
            encoding=found.encoding,
            low_memory=False,
        )
    names = list(found.header) or [str(i + 1) for i in range(found.width)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"it has the column {twice[0]} twice")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose data
        return pd.read_csv(
            io.BytesIO(content),
            sep=found.delimiter,
            skiprows=found.skip,
            header=0 if found.header else None,
            names=names,
            index_col=False,
            dtype={name: "str" for name in names if name in text},
            na_values={name: [""] if name in text else _MISSING for name in names},
            keep_default_na=False,
            encoding=found.encoding,
            low_memory=False,  # else a column's type may differ from chunk to chunk
        )
