"""Timestamp parsing: a file's column of epochs, ISO 8601, whole numbers or local dates as UTC instants.

The unit of epochs and the order of day and month are those of a whole column, so of one file; nothing is guessed.
"""

from contextlib import suppress
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError, DataError
from gatekeeper.market.data.reading import written_dates

Rows = NDArray[np.bool_]
DateOrder = Literal["day", "month"]
Unit = Literal["s", "ms", "us", "ns"]

# An epoch's unit by its size: each holds the years 1973 to 5138 in seconds, so no two share one of today.
_UNITS: tuple[tuple[float, Unit, int], ...] = (
    (1e11, "s", 1),
    (1e14, "ms", 1_000),
    (1e17, "us", 1_000_000),
    (np.inf, "ns", 1_000_000_000),
)
_LEAST_EPOCH = 1e8  # seconds; a file of smaller ones alone holds no epochs that anybody has
_PER_SECOND: dict[str, int] = {unit: many for _, unit, many in _UNITS}
_WHOLE = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # dates as whole numbers, by their digits
_CLOCK = r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_OFFSET = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)"
_ISO = rf"\d{{4}}([-/.])\d{{2}}\1\d{{2}}(?:[T ]{_CLOCK}\s?(?:{_OFFSET}| ?UTC| ?GMT)?)?"
_PACKED = r"\d{8}[T ]?(?:\d{4}(?:\d{2})?)?"
_PACKED_CLOCK = rf"\d{{8}}[T ]{_CLOCK}"
_SHORT_CLOCK = _CLOCK.replace("2", "1,2", 1)
_LOCAL = r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})" + rf"(?:,?[T ]({_SHORT_CLOCK})(?: ?(?:UTC|GMT)?({_OFFSET})?)?)?"
_ENDS_IN_OFFSET = rf"(?:\d{{2}} ?{_OFFSET}| ?UTC| ?GMT)$"
_DATE_ONLY_LENGTH = len("2018-01-01")
_NUMBER = r"-?\d+(?:\.\d+)?"
_FORMS = "write epochs (s, ms, us or ns) or ISO 8601 such as 2018-01-31T14:30:00Z"
_NAME_THE_ORDER = 'write date_order = "day" or "month" in [columns], or ISO 8601 such as 2018-01-31'
# What nanoseconds in 64 bits can hold, a day short at either end.
_EARLIEST, _LATEST = np.datetime64("1677-09-23", "D"), np.datetime64("2262-04-10", "D")


def parse(
    column: pd.Series,
    where: str,
    *,
    optional: bool = False,
    order: DateOrder | None = None,
    unit: Unit | None = None,
    zone: str | None = None,
) -> tuple[NDArray[np.datetime64], Rows]:
    """(n,) instants as datetime64[ns] in UTC, and (n,) which of them came without an offset and were read as UTC.

    where: what messages call the column, such as `prices.csv: time`. optional: an empty cell gives NaT; else it is an
    error. order: of day and month in dates such as 01/02/2024; None: found by a row that allows only one. unit: of
    epochs; None: by their size. zone: of times without offset, as `within`; None: UTC.

    Raises DataError with the first rows at fault, ConfigError for an unknown zone.
    """
    missing = column.isna().to_numpy(dtype=bool)
    if not _has_own_type(column):
        missing = missing | (column.astype("str").str.strip() == "").to_numpy(dtype=bool)
    if missing.any() and not optional:
        raise DataError(f"{where} is empty in {_rows(missing, column)}; every row needs one")
    if missing.all():
        return np.full(len(column), "NaT", dtype="datetime64[ns]"), np.zeros(len(column), dtype=bool)
    given = column[~missing] if missing.any() else column
    if isinstance(given.dtype, pd.DatetimeTZDtype):
        parsed, bare = given.dt.tz_convert("UTC"), np.zeros(len(given), dtype=bool)
    elif pd.api.types.is_datetime64_dtype(given.dtype):
        parsed, bare = given.dt.tz_localize("UTC"), np.ones(len(given), dtype=bool)
    elif pd.api.types.is_numeric_dtype(given.dtype):
        parsed, bare = _from_numbers(given, where, unit)
    elif _is_of_dates(given):
        parsed, bare = pd.to_datetime(given).dt.tz_localize("UTC"), np.ones(len(given), dtype=bool)
    else:
        parsed, bare = _from_text(given.astype("str").str.strip(), where, order, unit)
    clock = _within_years(_clock(parsed), given, where)
    if zone is not None and bare.any():
        clock, bare = _clock(within(parsed, bare, zone, where)), np.zeros(len(given), dtype=bool)
    known = clock.astype("datetime64[ns]")
    if not missing.any():
        return known, bare
    instants = np.full(len(column), "NaT", dtype="datetime64[ns]")
    instants[~missing] = known
    naive = np.zeros(len(column), dtype=bool)
    naive[~missing] = bare
    return instants, naive


def whole_seconds(instants: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The instants, those within a second moved up to its end."""
    within_next = instants + np.timedelta64(10**9 - 1, "ns")
    moved: NDArray[np.datetime64] = within_next.astype("datetime64[s]").astype("datetime64[ns]")
    return moved


def first(instants: NDArray[np.datetime64], rows: Rows) -> np.datetime64:
    """The earliest instant of these rows; NaT, which no as-of comes after, if there is none."""
    return instants[rows].min() if rows.any() else np.datetime64("NaT", "ns")


def region(zone: str) -> tuple[ZoneInfo, int]:
    """The zone and the hours added to it: `America/New_York+7` is MetaTrader's usual clock. Raises ConfigError."""
    name = zone.strip()
    place, plus, hours = name.rpartition("+")
    for text, ahead in ((name, 0), (place, int(hours) if plus and hours.isdigit() else 0)):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(text), ahead
    raise ConfigError(
        f"zone = {zone!r} is not a time zone. Write one such as Europe/Berlin, or America/New_York+7 for a broker's "
        "clock that is seven hours ahead of New York."
    )


def within(clock: pd.Series, bare: Rows, zone: str, where: str) -> pd.Series:
    """The UTC instants of clock times that are marked as UTC; those of `bare` are of the zone. Raises DataError."""
    place, ahead = region(zone)
    local = clock[bare].dt.tz_localize(None) - pd.Timedelta(hours=ahead)
    known = local.dt.tz_localize(place, ambiguous="NaT", nonexistent="NaT")
    twice = known.isna().to_numpy(dtype=bool)
    if twice.any():
        raise DataError(
            f"{where} exists twice or not at all in {zone}, where clocks change, in {_rows(twice, clock[bare])}; "
            "export it with an offset or in UTC"
        )
    moved = clock.copy()
    moved[bare] = known.dt.tz_convert("UTC")
    return moved


def refuse_mixed(name: str, naive: np.datetime64, aware: np.datetime64, known: np.datetime64) -> None:
    """Raises DataError if a file has times with and without an offset, both known by now.

    naive, aware: the earliest of each; NaT if it has none.
    """
    if naive <= known and aware <= known:
        with_one, without = f"{str(aware)[:19]}Z", str(naive)[:19]
        raise DataError(
            f"{name} has times with an offset (from {with_one}) and without one (from {without}); nobody can tell "
            "how far apart these are: write all of them with their offset"
        )


def _clock(parsed: pd.Series) -> NDArray[np.datetime64]:
    """The instants of a column in UTC, in their own unit."""
    return np.asarray(parsed.dt.tz_localize(None).to_numpy())


def _within_years(clock: NDArray[np.datetime64], given: pd.Series, where: str) -> NDArray[np.datetime64]:
    """The instants, if nanoseconds can hold them. Raises DataError."""
    earliest, latest = (limit.astype(clock.dtype) for limit in (_EARLIEST, _LATEST))
    late = (clock < earliest) | (clock > latest)
    if late.any():
        raise DataError(f"{where} lies outside the years 1678 to 2261 in {_rows(late, given)}")
    return clock


def _has_own_type(column: pd.Series) -> bool:
    """Whether the column holds times or numbers, not text: converting it to text to find empty cells is slow."""
    return pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype)


def _is_of_dates(column: pd.Series) -> bool:
    """Whether it holds days without a time, as a table file's type `date` gives them."""
    return pd.api.types.infer_dtype(column, skipna=True) == "date"


def _from_numbers(numbers: pd.Series, where: str, unit: Unit | None) -> tuple[pd.Series, Rows]:
    if unit is None and (dates := _dates_of(numbers)) is not None:
        return dates, np.ones(len(numbers), dtype=bool)
    values = numbers.to_numpy(dtype=np.float64)
    wild = ~np.isfinite(values)
    if wild.any():
        raise DataError(f"{where} is not a time in {_rows(wild, numbers)}; {_FORMS}")
    if unit is None and values.min() >= 0 and values.max() < _LEAST_EPOCH:
        raise DataError(
            f"{where} as epochs is of 1970 to 1973 in all rows, as {_rows(values == values.max(), numbers, 1)}: days "
            f'of a spreadsheet, row numbers or a clock? {_FORMS}, or time_unit = "s" in [columns]'
        )
    found = unit or _unit_of(numbers, np.abs(values), where)
    if pd.api.types.is_integer_dtype(numbers.dtype):  # whole numbers stay exact
        instants = numbers.to_numpy(dtype=np.int64).astype(f"datetime64[{found}]")
        return pd.Series(instants, index=numbers.index).dt.tz_localize("UTC"), np.zeros(len(numbers), dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        micros = (values * (1_000_000 / _PER_SECOND[found])).round().astype(np.int64)
    return (
        pd.Series(micros.astype("datetime64[us]"), index=numbers.index).dt.tz_localize("UTC"),
        np.zeros(len(numbers), dtype=bool),
    )


def _unit_of(numbers: pd.Series, size: NDArray[np.float64], where: str) -> Unit:
    limits = [limit for limit, _, _ in _UNITS]
    least, most = np.searchsorted(limits, [size.min(), size.max()], side="right")
    if least == most:
        return _UNITS[int(least)][1]
    which = np.searchsorted(limits, size, side="right")
    other = which != which[0]
    units = _UNITS[int(which[0])][1], _UNITS[int(which[int(np.argmax(other))])][1]
    raise DataError(
        f"{where} mixes epochs in {units[0]} ({_rows(~other, numbers)}) and {units[1]} ({_rows(other, numbers)}); "
        f"{_FORMS}"
    )


def epoch_unit(column: pd.Series) -> Unit | None:
    """The unit of a column of epochs, by the times at its ends; None if it holds no epochs."""
    ends = column.dropna().iloc[[0, -1]] if column.notna().any() else column.iloc[:0]
    if ends.empty or _is_of_dates(ends):
        return None
    values = pd.to_numeric(ends, errors="coerce")
    if values.isna().any() or _dates_of(values) is not None:
        return None
    return _unit_of(ends, np.abs(values.to_numpy(dtype=np.float64)), "time")


def _dates_of(numbers: pd.Series) -> pd.Series | None:
    """The times of whole numbers that all read as 20240102, 202401021530 or 20240102153000."""
    values = numbers.to_numpy(dtype=np.float64)
    smallest = values.min()
    digits = len(str(int(smallest))) if np.isfinite(smallest) and smallest > 0 else 0
    if digits not in _WHOLE:
        return None
    per_year = 10.0 ** (digits - 4)
    if not ((values >= 1900 * per_year) & (values < 2101 * per_year) & (values % 1 == 0)).all():
        return None
    text = pd.Series(values.astype(np.int64).astype("str"), index=numbers.index)
    dates = pd.to_datetime(text, format=_WHOLE[digits], errors="coerce", utc=True)
    return None if dates.isna().any() else dates


def _from_text(text: pd.Series, where: str, order: DateOrder | None, unit: Unit | None) -> tuple[pd.Series, Rows]:
    if text.str.fullmatch(_NUMBER).all():
        whole = not text.str.contains(".", regex=False).any()
        values = pd.to_numeric(text).astype("int64" if whole else "float64")
        return _from_numbers(values, where, unit)
    written, iso = text, text.str.fullmatch(_ISO).to_numpy(dtype=bool)
    if not iso[0]:
        text = written_dates.nearer(text)
        iso = text.str.fullmatch(_ISO).to_numpy(dtype=bool)
    if not iso[0]:
        if text.str.fullmatch(_PACKED).all() or text.str.fullmatch(_PACKED_CLOCK).all():
            return _checked(_packed(text), written, where), np.ones(len(text), dtype=bool)
        if (local := text.str.extract(f"^{_LOCAL}$"))[0].notna().all():
            return _checked(_local(local, written, where, order), written, where), ~_offsets(text)
    if not iso.all():
        raise DataError(f"{where} is not a time that can be read safely in {_rows(~iso, written)}; {_FORMS}")
    plain = text.str.replace(",", ".", regex=False)
    if text.str.contains(r"^\d{4}[/.]").any():
        plain = plain.str.replace(r"^(\d{4})[/.](\d{2})[/.](\d{2})", r"\1-\2-\3", regex=True)
    if text.str.contains(r"(?:UTC|GMT)$").any():
        plain = plain.str.replace(r" ?(?:UTC|GMT)$", "Z", regex=True)
    parsed = pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce")
    return _checked(parsed, written, where), ~_offsets(text)


def _offsets(text: pd.Series) -> Rows:
    found = text.str.contains(_ENDS_IN_OFFSET) & (text.str.len() > _DATE_ONLY_LENGTH)
    return found.to_numpy(dtype=bool)


def _checked(parsed: pd.Series, text: pd.Series, where: str) -> pd.Series:
    unreal = parsed.isna().to_numpy(dtype=bool)
    if unreal.any():
        raise DataError(f"{where} is not a date of the calendar in {_rows(unreal, text)}; {_FORMS}")
    return parsed


def _packed(text: pd.Series) -> pd.Series:
    """Times such as `20240102`, `20240102 153000` or `20240102 15:30`."""
    digits = text.str.replace(r"\D", "", regex=True).str.pad(14, side="right", fillchar="0").str[:14]
    return pd.to_datetime(digits, format=_WHOLE[14], errors="coerce", utc=True)


def _local(parts: pd.DataFrame, text: pd.Series, where: str, order: DateOrder | None) -> pd.Series:
    """Times such as `31.01.2024 14:30`. parts: the groups of _LOCAL."""
    one, two = parts[0].astype("int64"), parts[2].astype("int64")
    day_first, month_first = (one > 12).to_numpy(dtype=bool), (two > 12).to_numpy(dtype=bool)
    if order is None:
        if day_first.any() and month_first.any():
            raise DataError(
                f"{where} has the day first in {_rows(day_first, text)} and the month first in "
                f"{_rows(month_first, text)}; {_FORMS}"
            )
        if not day_first.any() and not month_first.any():
            raise DataError(
                f"{where} may be day or month first, no row allows only one, as in "
                f"{_rows(np.ones(len(text), dtype=bool), text)}; {_NAME_THE_ORDER}"
            )
        order = "day" if day_first.any() else "month"
    day, month = (one, two) if order == "day" else (two, one)
    date = parts[3] + "-" + month.astype("str").str.zfill(2) + "-" + day.astype("str").str.zfill(2)
    clock = parts[4].fillna("00:00").str.replace(",", ".", regex=False).str.replace(r"^(\d):", r"0\1:", regex=True)
    return pd.to_datetime(date + "T" + clock + parts[5].fillna(""), format="ISO8601", errors="coerce", utc=True)


def _rows(fault: Rows, column: pd.Series, limit: int = 3) -> str:
    """`row 4 ('31.01.2018'), row 9 ('')` and how many more."""
    rows = np.flatnonzero(fault)
    # The column keeps its file's row numbers as its index: a filtered column still names the right row.
    shown = ", ".join(f"row {int(column.index[row]) + 1} ({str(column.iloc[row])!r})" for row in rows[:limit])
    return shown + (f" and {len(rows) - limit} more" if len(rows) > limit else "")
