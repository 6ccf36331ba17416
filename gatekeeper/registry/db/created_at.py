"""`createdAt` formats: reads any stored time as aware UTC, and writes new times as the table does.

Tables made by other tools hold integer milliseconds, text in several shapes, timestamps, or null. A new row takes the
format of the newest row that has a value.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Dialect, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?P<between>[T ])\d\d:\d\d:\d\d(?:\.(?P<fraction>\d+))?(?P<offset>Z|[+-][\d:]+)?")
_NUMBER = re.compile(r"-?\d+(\.0*)?")
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
_NEWEST = text('SELECT "createdAt" FROM "RLModel" WHERE "createdAt" IS NOT NULL ORDER BY id DESC LIMIT 1')
_DEFAULT_TEXT = "2000-01-01 00:00:00.000000"  # what SQLAlchemy and Prisma both read as UTC


class CreatedAt(UserDefinedType[datetime]):
    """Column type of `"RLModel"."createdAt"`: reads every stored format; `written` gives the values to write."""

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


@compiles(CreatedAt, "postgresql")
def _with_time_zone(_type: CreatedAt, _compiler: object, **_: object) -> str:
    """PostgreSQL reads a timestamp without a zone in the session's time zone."""
    return "TIMESTAMP WITH TIME ZONE"


def read(stored: object) -> datetime | None:
    """The stored time in aware UTC; None for null and for a value that is not a time."""
    if isinstance(stored, datetime):
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)
    if isinstance(stored, date):
        return datetime.combine(stored, time(), UTC)
    try:
        if isinstance(stored, str) and not _NUMBER.fullmatch(stored.strip()):
            return read(datetime.fromisoformat(stored.strip()))
        if isinstance(stored, (int, float, str, Decimal)) and not isinstance(stored, bool):
            return _EPOCH + timedelta(milliseconds=float(stored))
    except (ValueError, OverflowError):
        return None
    return None


def written(instant: datetime, connection: Connection, declared: Callable[[], str]) -> int | str | date:
    """`instant` in the table's format: that of its newest row that has a time, else of the `declared` type."""
    sample = connection.execute(_NEWEST).scalar()
    if sample is None:
        sample = _typical(declared(), connection.dialect.name)
    return _like(sample, instant.astimezone(UTC))


def sample_of(newest: object, declared: str, dialect: str) -> object:
    """A sample of a column's time format: its newest value, else a typical value of its declared type."""
    return _typical(declared, dialect) if newest is None else newest


def writer(sample: object) -> Callable[[str], int | str | date]:
    """The function from YYYY-MM-DD hh:mm:ss.ffffff (UTC) to the format of `sample`.

    PostgreSQL gets text: the server parses it faster than the driver adapts a datetime.
    """
    if isinstance(sample, datetime):
        return str if sample.tzinfo is None else lambda stamp: stamp + "+00"
    if isinstance(sample, str) and _PLAIN.fullmatch(sample.strip()):
        return str
    return lambda stamp: _like(sample, datetime.fromisoformat(stamp).replace(tzinfo=UTC))


def _typical(declared: str, dialect: str) -> object:
    """A typical value of this declared type. SQLite has no time type: a column declared as one holds text."""
    if "int" in declared or declared.startswith(("numeric", "decimal", "double", "real")):
        return 0
    if dialect != "sqlite" and declared.startswith("timestamp"):
        return _EPOCH if "with time zone" in declared else _EPOCH.replace(tzinfo=None)
    if dialect != "sqlite" and declared == "date":
        return _EPOCH.date()
    return _DEFAULT_TEXT


def _like(sample: object, instant: datetime) -> int | str | date:
    if isinstance(sample, datetime):
        return instant if sample.tzinfo else instant.replace(tzinfo=None)
    if isinstance(sample, date):
        return instant.date()
    milliseconds = (instant - _EPOCH) // _MILLISECOND
    if not isinstance(sample, str):
        return milliseconds
    if sample.strip().isdigit():
        return str(milliseconds)
    shape = _TEXT.fullmatch(sample.strip()) or _TEXT.fullmatch(_DEFAULT_TEXT)
    if shape is None:
        raise AssertionError("the default shape matches itself")
    digits = len(shape["fraction"] or "")
    fraction = f".{instant.microsecond:06d}".ljust(digits + 1, "0")[: digits + 1] if digits else ""
    offset = {None: "", "Z": "Z"}.get(shape["offset"], "+00:00")
    return f"{instant:%Y-%m-%d}{shape['between']}{instant:%H:%M:%S}{fraction}{offset}"
