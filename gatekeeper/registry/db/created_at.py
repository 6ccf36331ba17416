"""`createdAt` formats: reads any stored time as aware UTC, and writes new times as the table does.

Tables made by other tools hold numbers since 1970 in several units, text in several shapes, timestamps, or null. A new
row takes the format of the newest row that has a time.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(2017, 1, 1, tzinfo=UTC)  # ONNX was published that year, so no model is older
_AHEAD = timedelta(days=1)  # how far the clock of whoever wrote a row may be ahead of ours
_MICROSECOND = timedelta(microseconds=1)
# Ticks a second of each unit, with the size that its numbers stay below: 10**11 is the year 5138 in seconds and 1973 in
# milliseconds.
_UNITS = ((1, 10**11), (10**3, 10**14), (10**6, 10**17), (10**9, 10**20))
_MILLISECONDS = 10**3  # what tables without a time get
_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?P<between>[T ])\d\d:\d\d:\d\d(?:\.(?P<fraction>\d+))?(?P<offset>Z|[+-][\d:]+)?")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE]\+?\d+)?")
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
_SAMPLES = text(
    'SELECT "createdAt" FROM "RLModel" WHERE CAST("createdAt" AS TEXT) NOT LIKE \'%infinity\' '  # never of a null
    "AND CAST(\"createdAt\" AS TEXT) NOT LIKE '%BC' AND CAST(\"createdAt\" AS TEXT) NOT LIKE '_____-%' "
    "AND CAST(\"createdAt\" AS TEXT) NOT LIKE '______-%' ORDER BY id DESC LIMIT 20"  # of a year that Python has
)
_DEFAULT_TEXT = "2000-01-01 00:00:00.000000"  # what SQLAlchemy and Prisma both read as UTC


class CreatedAt(UserDefinedType[datetime]):
    """Column type of a time in a table that another tool may have made; `written` gives the values to write."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The declared type in tables that Gatekeeper makes."""
        return "DATETIME"

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002  # the signature is SQLAlchemy's
        coltype: object,  # noqa: ARG002
    ) -> Callable[[object], datetime | None]:
        """The function from a stored value to aware UTC."""
        return read


class RegisteredAt(CreatedAt):
    """Column type of `"RLModel"."createdAt"`: a time that no model can have is unknown, as null is."""

    cache_ok = True

    def column_expression(self, column: ColumnElement[datetime]) -> ColumnElement[datetime]:
        """The column as a value that every driver can read."""
        return _Readable(column, type_=self)

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002
        coltype: object,  # noqa: ARG002
    ) -> Callable[[object], datetime | None]:
        """The function from a stored value to aware UTC; None if it is implausible."""
        return lambda stored: plausible(read(stored))


class _Readable(FunctionElement[datetime]):
    """The stored value; on PostgreSQL as text, since its driver refuses a whole result for one 'infinity'."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[datetime], type_: CreatedAt) -> None:
        super().__init__(column)
        self.type = type_


@compiles(_Readable)
def _as_it_is(element: _Readable, compiler: Any, **words: object) -> str:
    return str(compiler.process(element.clauses, **words))


@compiles(_Readable, "postgresql")
def _as_text(element: _Readable, compiler: Any, **words: object) -> str:
    return f"CAST({compiler.process(element.clauses, **words)} AS TEXT)"


@compiles(CreatedAt, "postgresql")
def _with_time_zone(_type: CreatedAt, _compiler: object, **_: object) -> str:
    """PostgreSQL reads a timestamp without a zone in the session's time zone."""
    return "TIMESTAMP WITH TIME ZONE"


def read(stored: object) -> datetime | None:
    """The stored time in aware UTC; None for null and for a value that is not a time.

    A number counts from 1970, in the unit that its size tells: seconds, milliseconds, microseconds or nanoseconds.
    """
    try:
        if isinstance(stored, datetime):
            return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)
        if isinstance(stored, date):
            return datetime.combine(stored, time(), UTC)
        if isinstance(stored, str) and not _NUMBER.fullmatch(stored.strip()):
            return read(datetime.fromisoformat(stored.strip().removesuffix(" UTC")))
        if isinstance(stored, (int, float, str, Decimal)) and not isinstance(stored, bool):
            number = Decimal(str(stored).strip())
            return _EPOCH + int(number * 10**6 / _unit(number)) * _MICROSECOND
    except (ArithmeticError, ValueError):
        return None
    return None


def plausible(instant: datetime | None) -> datetime | None:
    """`instant` if a model's row can be that old: from 2017 to a day from now; else None."""
    return instant if instant is not None and _FIRST <= instant <= datetime.now(UTC) + _AHEAD else None


def written(instant: datetime, connection: Connection, declared: Callable[[], str]) -> object:
    """`instant` in the table's format: that of its newest row that has a time, else of the `declared` type."""
    samples: Sequence[object] = connection.execute(_SAMPLES).scalars().all()
    sample = next((one for one in samples if plausible(read(one))), samples[0] if samples else None)
    if sample is None or sample == 0:
        typical = _typical(declared(), connection.dialect.name)
        sample = typical if sample is None or isinstance(typical, int) else sample
    return _format_of(sample)(instant.astimezone(UTC))


def sample_of(newest: object, declared: str, dialect: str) -> object:
    """A sample of a column's time format: its newest value, else a typical value of its declared type."""
    return _typical(declared, dialect) if newest is None else newest


def writer(sample: object) -> Callable[[str], object]:
    """The function from YYYY-MM-DD hh:mm:ss.ffffff (UTC) to the format of `sample`.

    PostgreSQL gets text: the server parses it faster than the driver adapts a datetime.
    """
    if isinstance(sample, datetime):
        return str if sample.tzinfo is None else lambda stamp: stamp + "+00"
    if isinstance(sample, str) and _PLAIN.fullmatch(sample.strip()):
        return str
    like = _format_of(sample)
    return lambda stamp: like(datetime.fromisoformat(stamp).replace(tzinfo=UTC))


def _unit(number: Decimal) -> int:
    """Ticks a second of the unit that this number is in; milliseconds for 0."""
    if not number:
        return _MILLISECONDS
    return next((ticks for ticks, limit in _UNITS if abs(number) < limit), _UNITS[-1][0])


def _typical(declared: str, dialect: str) -> object:
    """A typical value of this declared type. SQLite has no time type: a column declared as one holds text."""
    if dialect != "sqlite" and declared == "integer":
        return 1_500_000_000  # seconds: milliseconds need eight bytes
    if "int" in declared or declared.startswith(("numeric", "decimal", "double", "real")):
        return 0
    if dialect != "sqlite" and declared.startswith("timestamp"):
        return _EPOCH if "with time zone" in declared else _EPOCH.replace(tzinfo=None)
    if dialect != "sqlite" and declared == "date":
        return _EPOCH.date()
    return _DEFAULT_TEXT


def _format_of(sample: object) -> Callable[[datetime], object]:
    """The function from aware UTC to the format of `sample`."""
    if isinstance(sample, datetime):
        return lambda instant: instant if sample.tzinfo else instant.replace(tzinfo=None)
    if isinstance(sample, date):
        return datetime.date
    if not isinstance(sample, str):
        return _number_like(Decimal(sample) if isinstance(sample, (int, float, Decimal)) else Decimal(0))
    if _NUMBER.fullmatch(sample.strip()):
        number = _number_like(Decimal(sample.strip()))
        return lambda instant: str(number(instant))
    return _text_like(sample)


def _number_like(sample: Decimal) -> Callable[[datetime], int | float]:
    """In the unit of `sample`: whole, unless the sample has a fraction."""
    known = sample if sample.is_finite() else Decimal(0)
    ticks, whole = _unit(known), known == known.to_integral_value()
    if whole:
        return lambda instant: (instant - _EPOCH) // _MICROSECOND * ticks // 10**6
    return lambda instant: (instant - _EPOCH) // _MICROSECOND * ticks / 10**6


def _text_like(sample: str) -> Callable[[datetime], str]:
    shape = _TEXT.fullmatch(sample.strip().removesuffix(" UTC")) or _TEXT.fullmatch(_DEFAULT_TEXT)
    if shape is None:
        raise AssertionError("the default shape matches itself")
    between, digits = shape["between"], len(shape["fraction"] or "")
    offset = {None: "", "Z": "Z"}.get(shape["offset"], "+00:00")

    def like(instant: datetime) -> str:
        fraction = f".{instant.microsecond:06d}".ljust(digits + 1, "0")[: digits + 1] if digits else ""
        return f"{instant:%Y-%m-%d}{between}{instant:%H:%M:%S}{fraction}{offset}"

    return like
