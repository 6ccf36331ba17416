"""Numbers as text: decimal commas, thousands separators, currency signs and suffixes such as `1.23M`.

The decimal mark is that of a whole file, found by a cell that allows only one; nothing is guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gatekeeper.errors import DataError

_SIGNS = r"[$€£¥₹]"
_SPACES = "\u00a0\u202f\u2009 "
# Apostrophes between thousands, and those of a bond's thirty-seconds (110'16) and their quarters (110'165).
_THOUSANDS = r"[-+]?\d{1,3}(?:'\d{3})+(?:[.,]\d*)?"
_QUARTERS = r"\d{2,3}'(?:[0-2]\d|3[01])[0257]"
_SURELY = 10  # cells: one in eight numbers with thousands looks like quarters
_EMPTY = frozenset({"", "-", "—", "nan", "na", "n/a", "null", "none", "--"})
_SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "%": 1.0}
# By decimal mark: a cell that is a number with that mark and can't be one with the other.
_DECIDES = {
    ".": r"(?:\d*\.(?:\d{1,2}|\d{4,})|\d{4,}\.\d*|0\.\d*|\d{1,3}(?:,\d{3})+\.\d*|\d{1,3}(?:,\d{3}){2,}|\d+\.\d*[eE].*)",
    ",": r"(?:\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d*|0,\d*|\d{1,3}(?:\.\d{3})+,\d*|\d{1,3}(?:\.\d{3}){2,})",
}
_DOUBTFUL = {",": r"[1-9]\d{0,2},\d{3}", ".,": r"[1-9]\d{0,2}[.,]\d{3}"}
_READABLE = {
    ".": r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d+)?",
    ",": r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?(?:[eE][-+]?\d+)?",
}


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a file writes its numbers. decimal: `.` or `,`; the other one separates thousands."""

    decimal: str = "."

    def read(self, column: pd.Series) -> pd.Series:
        """A column of text as float64; NaN for a cell that is no number in this format."""
        text, times = _bare(column)
        fits = text.str.fullmatch(_READABLE[self.decimal])
        other = "," if self.decimal == "." else "."
        plain = text.where(fits).str.replace(other, "", regex=False)
        if self.decimal == ",":
            plain = plain.str.replace(",", ".", regex=False)
        values = pd.to_numeric(plain, errors="coerce").astype("float64")
        return values if times is None else values * times


def number_format(columns: Iterable[pd.Series], *, point: bool = True) -> NumberFormat:
    """The number format of a file's columns of text. Raises DataError if no cell tells the decimal mark.

    point: whether `1.234` alone is a number with a decimal point, as in a file with commas between its columns.
    """
    found = dict.fromkeys(_DECIDES, "")
    doubtful = ""
    for column in columns:
        text, _ = _bare(column)
        for mark, pattern in _DECIDES.items():
            if not found[mark] and (cells := text[text.str.fullmatch(r"[-+]?" + pattern)]).size:
                found[mark] = str(cells.iloc[0])
        if not doubtful and (cells := text[text.str.fullmatch(r"[-+]?" + _DOUBTFUL["," if point else ".,"])]).size:
            doubtful = str(cells.iloc[0])
    if found["."]:  # a comma elsewhere is then a fault of its row
        return NumberFormat(".")
    if found[","]:
        return NumberFormat(",")
    if doubtful:
        raise DataError(
            f"{doubtful!r} may be {doubtful.replace(',', '.')} or {doubtful.replace(',', '').replace('.', '')}"
            f', and no cell tells which; write decimal = "." or decimal = "," in [columns]'
        )
    return NumberFormat(".")


def is_text(column: pd.Series) -> bool:
    """Whether the column came as text, so that some cell isn't a plain number."""
    return not pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_datetime64_any_dtype(column.dtype)


def is_marked(column: pd.Series) -> bool:
    """Whether some cell of text has a mark that plain numbers don't have: a comma, a currency sign, a suffix."""
    if not is_text(column):
        return False
    text = column.astype("str").where(column.notna(), "")
    return bool(text.str.contains(rf"[,'{_SPACES}]|{_SIGNS}|\d[KMBTkmbt%]$").any())


def is_doubtful(lines: Iterable[str], delimiter: str) -> bool:
    """Whether cells such as `1.234` are all that these lines have in the way of fractions."""
    cells = [cell.strip(' "') for line in lines for cell in line.split(delimiter)]
    decided = any(re.fullmatch(r"[-+]?" + _DECIDES["."], cell) for cell in cells)
    return not decided and any(re.fullmatch(r"[-+]?" + _DOUBTFUL[".,"], cell) for cell in cells)


def looks_numeric(column: pd.Series, rows: int = 200) -> bool:
    """Whether the first cells are numbers in either format."""
    if not is_text(column):
        return pd.api.types.is_numeric_dtype(column.dtype)
    text, _ = _bare(column.head(rows))
    text = text[~text.str.lower().isin(_EMPTY)]
    either = text.str.fullmatch(_READABLE["."]) | text.str.fullmatch(_READABLE[","])
    return bool(len(text)) and bool(either.mean() > 0.9)


def _bare(column: pd.Series) -> tuple[pd.Series, np.ndarray | None]:
    """The cells without spaces, currency signs and suffixes, and what the suffixes multiply by, if there are any."""
    text = column.astype("str").where(column.notna(), "")
    text = text.str.replace(rf"[{_SPACES}]|{_SIGNS}", "", regex=True)
    text = _without_apostrophes(text)
    last = text.str[-1:].str.upper()
    if not (suffixed := last.isin(list(_SUFFIXES))).any():
        return text, None
    return text.where(~suffixed, text.str[:-1]), last.map(_SUFFIXES).fillna(1.0).to_numpy(dtype=np.float64)


def _without_apostrophes(text: pd.Series) -> pd.Series:
    """The cells without apostrophes between thousands. Thirty-seconds keep theirs, and so are no numbers."""
    marked = text.str.contains("'", regex=False)
    if not marked.any():
        return text
    cells = text[marked]
    bare = cells.str.rstrip("KMBTkmbt%")
    if len(cells) >= _SURELY and bare.str.fullmatch(_QUARTERS).all():
        return text
    thousands = bare.str.fullmatch(_THOUSANDS)
    return text.where(~marked, cells.where(~thousands, cells.str.replace("'", "", regex=False)))
