"""How does this table write `createdAt`, and what instant does a stored value mean?

Tables that other tools grew hold integer milliseconds, text in several shapes, or null. All are read as aware UTC,
and a new row is written as the newest row that has a value.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Dialect, text
from sqlalchemy.types import UserDefinedType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?P<between>[T ])\d\d:\d\d:\d\d(?:\.(?P<fraction>\d+))?(?P<offset>Z|[+-][\d:]+)?")
_DEFAULT_TEXT = "2000-01-01 00:00:00.000000"  # what SQLAlchemy and Prisma both read as UTC


class CreatedAt(UserDefinedType[datetime]):
    """The type of `"RLModel"."createdAt"`: reads every stored kind; values to write come from `written`."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The declared type in tables that we make."""
        return "DATETIME"

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002  # the signature is SQLAlchemy's
        coltype: object,  # noqa: ARG002
    ) -> Callable[[object], datetime | None]:
        """Stored value to aware UTC."""
        return read


def read(stored: object) -> datetime | None:
    """The instant that `stored` means; None for null and for what is no time."""
    if isinstance(stored, datetime):
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)
    try:
        if isinstance(stored, str) and not re.fullmatch(r"-?\d+(\.0*)?", stored.strip()):
            return read(datetime.fromisoformat(stored.strip()))
        if isinstance(stored, (int, float, str)) and not isinstance(stored, bool):
            return _EPOCH + timedelta(milliseconds=float(stored))
    except (ValueError, OverflowError):
        return None
    return None


def written(instant: datetime, connection: Connection) -> int | str:
    """`instant` as the table writes its times: like its newest row that has one, else by the declared type."""
    sample = connection.execute(
        text('SELECT "createdAt" FROM "RLModel" WHERE "createdAt" IS NOT NULL ORDER BY id DESC LIMIT 1')
    ).scalar()
    if sample is None:
        sample = 0 if _declared_integer(connection) else _DEFAULT_TEXT
    return _like(sample, instant.astimezone(UTC))


def _declared_integer(connection: Connection) -> bool:
    columns = connection.exec_driver_sql("PRAGMA table_info('RLModel')").all()
    return any(column.name == "createdAt" and "INT" in column.type.upper() for column in columns)


def _like(sample: object, instant: datetime) -> int | str:
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
