"""JSON of the documents: the one way to write a record, the one way to read it, and what a damaged one is told by."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NoReturn, TypeVar

import msgspec

from gatekeeper.errors import DataError

JsonObject = dict[str, object]
"""A JSON object as `json.loads` gives it: what hashes are taken over, and what XCom carries."""

Record = TypeVar("Record", bound=msgspec.Struct)

Older = Mapping[int, Callable[[JsonObject], JsonObject]]
"""By the number of an older format: from its JSON to that of today. Raises ValueError."""

FIRST_YEAR, LAST_YEAR = 1900, 2300  # a century around the as-ofs that a run takes
DEEPEST = 64  # levels of a stored document; ours have fewer than ten


class _Form(msgspec.Struct):
    format: object = None


def written(record: object, what: str) -> str:
    """The record as JSON: keys in the order of its fields, instants in ISO 8601, every number finite or null.

    Raises DataError for what JSON can't hold.
    """
    try:
        return json.dumps(_builtins(record), default=_iso, allow_nan=False)
    except (TypeError, ValueError) as fault:
        raise DataError(f"{what} can't be stored as JSON: {fault}") from None


def as_object(record: msgspec.Struct) -> JsonObject:
    """The same as `json.loads` would give it back: for XCom, `--json` and receipts. Raises DataError."""
    found: JsonObject = json.loads(written(record, f"a {type(record).__name__}"))
    return found


def read(
    content: str | bytes, kind: type[Record], what: str, known: int | None = None, older: Older | None = None
) -> Record:
    """The record that `content` holds. Raises DataError for a format that nothing reads, and for a damaged one."""
    try:
        if known is not None:
            found = msgspec.json.decode(content, type=_Form).format
            if _checked_format(found, what, known, older) != known:
                return of_object(msgspec.json.decode(content), kind, what, known, older)
        return _checked(msgspec.json.decode(content, type=kind))
    except (ValueError, RecursionError) as fault:
        raise damaged(what, fault, known) from None


def of_object(
    value: object, kind: type[Record], what: str, known: int | None = None, older: Older | None = None
) -> Record:
    """The record that a JSON value holds. Raises DataError as `read` does."""
    form = known
    try:
        if known is not None and isinstance(value, dict):
            form = _checked_format(value.get("format"), what, known, older)
            if older is not None and form in older:
                value = older[form](value)
        return converted(value, kind)
    except (ValueError, RecursionError) as fault:
        raise damaged(what, fault, form) from None


def converted(value: object, kind: type[Record]) -> Record:
    """The record that a JSON value holds. Raises ValueError or RecursionError for any other value."""
    return _checked(msgspec.convert(value, kind))


def read_object(content: str | bytes, what: str) -> JsonObject:
    """The JSON object that `content` holds, as it is hashed. Raises DataError for what canonical JSON can't hold."""
    try:
        found = json.loads(content, parse_float=_finite, parse_constant=_refuse_constant)
        if not isinstance(found, dict):
            raise ValueError(f"Expected `object`, got `{type(found).__name__}`")
        _refuse_deep(found)
    except (ValueError, RecursionError) as fault:
        raise DataError(
            f"{what} is damaged ({fault}): it was changed or cut off since it was written; "
            "restore its row from a backup"
        ) from None
    return found


def damaged(what: str, fault: object, known: int | None = None) -> DataError:
    """The error for a document of another structure."""
    form = "" if known is None else f" of format {known}, which this version reads"
    return DataError(
        f"{what} isn't one{form} ({fault}): it was changed or cut off since it was written; "
        "restore it from a backup, or make it anew"
    )


def _checked_format(found: object, what: str, known: int, older: Older | None) -> int:
    formats = [*(older or ()), known]
    if type(found) is not int or found not in formats:  # 1.0 and true are no format
        reads = " and ".join(", ".join(map(str, some)) for some in (formats[:-1], formats[-1:]) if some)
        raise DataError(
            f"{what} of format {found!r}, this version reads {reads}; read it with the version that wrote it"
        )
    return found


def _checked(record: Record) -> Record:
    """The record. Raises ValueError for an instant without an offset, or so far off that no arithmetic holds it."""
    for instant in _instants(record):
        if instant.tzinfo is None:
            raise ValueError(f"the instant {instant.isoformat()} has no offset from UTC")
        if not FIRST_YEAR <= instant.year <= LAST_YEAR:
            raise ValueError(f"the instant {instant.isoformat()} lies outside {FIRST_YEAR} to {LAST_YEAR}")
    return record


def _instants(value: object) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
        return
    inner: Iterable[object] = ()
    if isinstance(value, msgspec.Struct):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    for each in inner:
        if not isinstance(each, float | int | str | None):
            yield from _instants(each)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _refuse_deep(found: object) -> None:
    level = [found]
    for _ in range(DEEPEST):
        inner = (list(each.values()) if isinstance(each, dict) else each for each in level)
        level = [one for each in inner if isinstance(each, list) for one in each if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError(f"nested over {DEEPEST} levels deep")


def _builtins(record: object) -> object:
    return msgspec.to_builtins(record, builtin_types=(datetime, date), enc_hook=_plain)


def _plain(value: object) -> object:
    """NumPy's float64 is a float, and written as one."""
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _iso(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
