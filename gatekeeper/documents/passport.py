"""Data passport: what was read of a source of market data, and what its checks found, as known at one as-of.

Instants are in ISO 8601 with their offset from UTC; null is not known, or not of this kind of source.
"""

import hashlib
import json
from datetime import datetime
from typing import Literal

from msgspec import Struct, structs

from gatekeeper.documents import serialization
from gatekeeper.documents.serialization import JsonObject

FORMAT = 1
WHAT = "data passport"

SeverityName = Literal["refused", "warning", "note"]


class FindingRecord(Struct, frozen=True, omit_defaults=True):
    """One thing that a check of the data found."""

    severity: SeverityName
    """refused: results would be wrong; warning: a person should look; note: worth knowing."""
    kind: str
    """The check's slug, such as `split`."""
    message: str
    """The value, the limit and the way out."""
    symbol: str = ""
    """Left out of a finding about the whole source."""
    at: str = ""
    """The time, in ISO 8601; left out if it isn't of one time."""
    key: str = ""
    """What the setting `accept` takes for it; left out if it can't be accepted."""
    numbers: dict[str, float] = {}
    """What was measured, by name."""
    accepted: bool = False
    """Whether the setting `accept` names it."""

    def __str__(self) -> str:
        if self.accepted:
            return f"{self.message} (accepted: {self.key})"
        return f'{self.message} If it is right as it is: accept = ["{self.key}"].' if self.key else self.message


class Layout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Files that were read in the same way."""

    files: int
    """Number of files."""
    first: str
    """Name of the first file, without its folder."""
    vendor: str = ""
    """Vendor by whose layout they were read; left out if none is recognised."""
    columns: list[str]
    """Columns of the first file, as they were mapped."""
    stamp: Literal["open", "close"] | None = None
    """What the vendor's times stand for; left out if it doesn't say."""
    zone: str | None = None
    """Zone of times without an offset; left out if the vendor doesn't say."""
    delimiter: str = ""
    """What stands between the columns; left out of files that aren't delimited text."""
    decimal: str = ""
    """Decimal mark; left out of files that aren't delimited text."""
    time_unit: str = ""
    """Unit of epochs: s, ms, us or ns; left out if times aren't epochs."""
    written_from: datetime | None = None
    """When the oldest file was written; left out if no file's time is known."""
    written_to: datetime | None = None
    """When the newest file was written."""
    unwritten: int = 0
    """Files whose store doesn't say when they were written."""
    notes: list[str]
    """What people should know of how they were read."""


class BarDigest(Struct, frozen=True, array_like=True):
    """One bar: its close, and a digest of its prices and volume."""

    closes_at: datetime
    """When it was known."""
    digest: str
    """First 16 hexadecimal digits of the sha256 of open, high, low, close and volume, to seven digits."""


class SymbolRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bars of one symbol."""

    symbol: str
    """Name of the symbol."""
    bars: int
    """Bars known by the as-of."""
    first: datetime
    """Open of the first bar."""
    last: datetime
    """Close of the last bar."""
    bar_seconds: float
    """Length of a bar: the median."""
    holes: int = 0
    """Distances between two bars of over five times the length of a bar, and over four days."""
    longest_hole_days: float = 0.0
    """The longest of them."""
    without_volume: int | None = None
    """Bars whose volume is 0 or missing; left out if the source has no volume."""
    volume: tuple[float, float, float] | None = None
    """Quartiles of the volume of the last 60 bars that have one; left out without volume."""
    newest_bars: list[BarDigest]
    """The last five bars, in the order of time."""
    last_bar_left_out: bool = False
    """Whether its last bar is left out, since an earlier last bar was changed after it had been used."""


class IdeaRecord(Struct, frozen=True, kw_only=True):
    """Trade ideas whose outcome was known by the as-of."""

    ideas: int
    """Number of ideas."""
    won: int
    """Ideas that made money, net of costs."""
    symbols: int
    """Symbols with an idea."""
    strategies: list[str]
    """Names of the strategies, at most ten."""
    first: datetime | None
    """Time of the first idea; null without any."""
    last: datetime | None
    """Time of the last idea; null without any."""
    a_year: float
    """Ideas a year, over the market days at hand."""


class Passport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A data passport."""

    format: int
    """Format of the passport: 1."""
    source: str
    """Name of the source."""
    as_of: datetime
    """The instant that it knows nothing beyond."""
    layouts: list[Layout]
    """How the files were read; empty for a source without files."""
    symbols: list[SymbolRecord]
    """Every symbol with bars; empty for a source without bars."""
    ideas: IdeaRecord | None = None
    """Left out if no ideas could be made of the data."""
    market_days: int = 0
    """Market days closed by the as-of."""
    notes: list[str]
    """Notes of the source on its data, such as what was left out."""
    findings: list[FindingRecord]
    """What the checks found, the most severe first."""
    more_findings: int = 0
    """Notes beyond those that are listed."""
    digest: str
    """sha256 of all of this but the digest, as canonical JSON: keys sorted, no space, ASCII."""

    @property
    def refused(self) -> list[FindingRecord]:
        """Findings for which a weekly run refuses the data."""
        return [each for each in self.findings if each.severity == "refused"]

    @property
    def warnings(self) -> list[FindingRecord]:
        """Findings that a person should look at."""
        return [each for each in self.findings if each.severity == "warning"]

    @property
    def without_last(self) -> tuple[str, ...]:
        """Symbols whose last bar is left out."""
        return tuple(each.symbol for each in self.symbols if each.last_bar_left_out)


def sealed(passport: Passport) -> Passport:
    """The passport with its digest."""
    return structs.replace(passport, digest=digest_of(passport))


def digest_of(passport: Passport) -> str:
    """The digest that the passport's content has."""
    content = as_object(passport)
    content.pop("digest", None)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def as_object(passport: Passport) -> JsonObject:
    """The passport as plain JSON."""
    return serialization.as_object(passport)


def of_object(value: object) -> Passport:
    """The passport that a JSON value holds. Raises DataError for one of another format, or a damaged one."""
    return serialization.of_object(value, Passport, WHAT, FORMAT)
