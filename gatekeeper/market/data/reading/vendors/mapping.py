"""Column mapping of a desk, `[fx.columns]`: which column holds what, and how dates and numbers are written."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from gatekeeper.errors import ConfigError
from gatekeeper.market.data.reading.times import DateOrder, Unit, region
from gatekeeper.market.data.reading.vendors.declaration import Shape

_CHOICES = {
    "date_order": ("day", "month"),
    "time_unit": ("s", "ms", "us", "ns"),
    "decimal": (".", ","),
    "stamp": ("open", "close"),
}
OPTIONS = (*_CHOICES, "zone", "encoding", "delimiter", "header", "file_name")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """columns: by role, the file's column, or several that are joined by a space. The others: None if not set."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    date_order: DateOrder | None = None
    time_unit: Unit | None = None
    decimal: Literal[".", ","] | None = None
    stamp: Literal["open", "close"] | None = None
    zone: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    file_name: str | None = None

    def symbol_of(self, stem: str) -> str | None:
        """The symbol in a file's name by `file_name`, such as `{}_{symbol}, {}`; None without one."""
        if self.file_name is None:
            return None
        parts = re.split(r"(\{\}|\{symbol\})", self.file_name)
        pattern = "".join({"{}": ".*?", "{symbol}": "(?P<symbol>.+?)"}.get(part) or re.escape(part) for part in parts)
        found = re.fullmatch(pattern, stem)
        return found["symbol"] if found else None


def mapping_of(given: Mapping[str, object], shape: Shape) -> ColumnMapping:
    """The mapping that `columns` describes. Raises ConfigError for an unknown role or option, or a wrong value."""
    columns: dict[str, tuple[str, ...]] = {}
    options: dict[str, object] = {}
    for key, value in given.items():
        if key in OPTIONS:
            options[key] = _option(key, value)
        elif key not in shape.roles:
            raise ConfigError(
                f"columns: {key} is not known for {shape.what}. Map {', '.join(shape.roles)}; options are "
                f"{', '.join(OPTIONS)}."
            )
        else:
            columns[key] = _names(key, value)
    return ColumnMapping(columns, **options)  # type: ignore[arg-type]  # each was checked above


def _names(key: str, value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list | tuple) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(
            f'columns: {key} = {value!r} is not the name of a column. Write {key} = "Name", ["Date", "Time"] for two '
            'that belong together, or "1" for the first column of a file without a header.'
        )
    return tuple(cast("list[str]", names))


def _option(key: str, value: object) -> object:
    if key == "header":
        fault = "" if isinstance(value, bool) else "Write true or false."
    elif not isinstance(value, str) or not value:
        fault = "Write it as text, in quotes."
    elif key in _CHOICES:
        fault = "" if value in _CHOICES[key] else f"Write one of {', '.join(map(repr, _CHOICES[key]))}."
    elif key == "zone":
        region(value)
        fault = ""
    elif key == "encoding":
        fault = "" if _is_encoding(value) else "Write one that Python knows, such as cp1252 or gb18030."
    elif key == "delimiter":
        fault = "" if len(value) == 1 else "Write one character."
    else:
        fault = "" if "{symbol}" in value else "Write where the symbol stands, such as '{symbol}_{}'."
    if fault:
        raise ConfigError(f"columns: {key} = {value!r} can't be used. {fault}")
    return value


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
