"""Timestamp parsing: a file's column of epoch seconds, milliseconds or ISO 8601 as UTC instants."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import DataError

Rows = NDArray[np.bool_]

# Up to here a number counts seconds (year 5138), beyond it milliseconds (from March 1973), and further on neither.
_SECONDS_BELOW = 1e11
_MILLISECONDS_BELOW = 1e14
_ISO = (
    r"\d{4}-\d{2}-\d{2}"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DATE_ONLY_LENGTH = len("2018-01-01")
_NUMBER = r"-?\d+(?:\.\d+)?"
_FORMS = "write epoch seconds or milliseconds, or ISO 8601 such as 2018-01-31T14:30:00Z"
# What nanoseconds in 64 bits can hold, a day short at either end.
_EARLIEST, _LATEST = pd.Timestamp("1677-09-23", tz="UTC"), pd.Timestamp("2262-04-10", tz="UTC")


def parse(column: pd.Series, where: str, *, optional: bool = False) -> tuple[NDArray[np.datetime64], Rows]:
    """(n,) instants as datetime64[ns] in UTC, and (n,) which of them came without an offset and were read as UTC.

    where: what messages call the column, such as `prices.csv: time`.
    optional: an empty cell gives NaT; else it is an error.

    Raises DataError with the first rows at fault.
    """
    missing = column.isna().to_numpy(dtype=bool)
    if not _has_own_type(column):
        missing = missing | (column.astype("str").str.strip() == "").to_numpy(dtype=bool)
    if missing.any() and not optional:
        raise DataError(f"{where} is empty in {_rows(missing, column)}; every row needs one")
    if missing.all():
        return np.full(len(column), "NaT", dtype="datetime64[ns]"), np.zeros(len(column), dtype=bool)
    given = column[~missing]
    if isinstance(given.dtype, pd.DatetimeTZDtype):
        parsed, bare = given.dt.tz_convert("UTC"), np.zeros(len(given), dtype=bool)
    elif pd.api.types.is_datetime64_dtype(given.dtype):
        parsed, bare = given.dt.tz_localize("UTC"), np.ones(len(given), dtype=bool)
    elif pd.api.types.is_numeric_dtype(given.dtype):
        parsed, bare = _from_numbers(given, where), np.zeros(len(given), dtype=bool)
    else:
        parsed, bare = _from_text(given.astype("str").str.strip(), where)
    late = ((parsed < _EARLIEST) | (parsed > _LATEST)).to_numpy(dtype=bool)
    if late.any():
        raise DataError(f"{where} lies outside the years 1678 to 2261 in {_rows(late, given)}")
    instants = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns, UTC]")
    instants[~missing] = parsed.dt.as_unit("ns")
    naive = np.zeros(len(column), dtype=bool)
    naive[~missing] = bare
    return instants.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]"), naive


def first(instants: NDArray[np.datetime64], rows: Rows) -> np.datetime64:
    """The earliest instant of these rows; NaT, which no as-of comes after, if there is none."""
    return instants[rows].min() if rows.any() else np.datetime64("NaT", "ns")


def _has_own_type(column: pd.Series) -> bool:
    """Whether the column holds times or numbers, not text: converting it to text to find empty cells is slow."""
    return pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype)


def _from_numbers(numbers: pd.Series, where: str) -> pd.Series:
    values = numbers.to_numpy(dtype=np.float64)
    size = np.abs(values)
    wild = ~np.isfinite(values) | (size >= _MILLISECONDS_BELOW)
    if wild.any():
        raise DataError(f"{where} is neither epoch seconds nor milliseconds in {_rows(wild, numbers)}; {_FORMS}")
    seconds = size < _SECONDS_BELOW
    if seconds.any() and not seconds.all():
        raise DataError(
            f"{where} mixes epoch seconds ({_rows(seconds, numbers)}) and milliseconds "
            f"({_rows(~seconds, numbers)}); {_FORMS}"
        )
    if ((values >= 19000101) & (values <= 21001231)).all():
        raise DataError(f"{where} looks like dates without dashes in {_rows(seconds, numbers)}; {_FORMS}")
    per_second = 1 if seconds.all() else 1_000
    if pd.api.types.is_integer_dtype(numbers.dtype):  # whole numbers stay exact
        micros = numbers.to_numpy(dtype=np.int64) * (1_000_000 // per_second)
    else:
        micros = (values * (1_000_000 // per_second)).round().astype(np.int64)
    return pd.Series(micros.astype("datetime64[us]"), index=numbers.index).dt.tz_localize("UTC")


def _from_text(text: pd.Series, where: str) -> tuple[pd.Series, Rows]:
    if text.str.fullmatch(_NUMBER).all():
        whole = not text.str.contains(".", regex=False).any()
        values = pd.to_numeric(text).astype("int64" if whole else "float64")
        return _from_numbers(values, where), np.zeros(len(text), dtype=bool)
    wrong = ~text.str.fullmatch(_ISO).to_numpy(dtype=bool)
    if wrong.any():
        raise DataError(f"{where} is not a time that can be read safely in {_rows(wrong, text)}; {_FORMS}")
    parsed = pd.to_datetime(text.str.replace(",", ".", regex=False), format="ISO8601", utc=True, errors="coerce")
    unreal = parsed.isna().to_numpy(dtype=bool)
    if unreal.any():
        raise DataError(f"{where} is not a date of the calendar in {_rows(unreal, text)}; {_FORMS}")
    offset = text.str.contains(r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$") & (text.str.len() > _DATE_ONLY_LENGTH)
    return parsed, ~offset.to_numpy(dtype=bool)


def _rows(fault: Rows, column: pd.Series, limit: int = 3) -> str:
    """`row 4 ('31.01.2018'), row 9 ('')` and how many more."""
    rows = np.flatnonzero(fault)
    # The column keeps its file's row numbers as its index: a filtered column still names the right row.
    shown = ", ".join(f"row {int(column.index[row]) + 1} ({str(column.iloc[row])!r})" for row in rows[:limit])
    return shown + (f" and {len(rows) - limit} more" if len(rows) > limit else "")
