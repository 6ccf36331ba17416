"""Corporate actions: the splits of the file that GATEKEEPER_SPLITS names."""

import csv
import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.errors import ConfigError

COLUMNS = ["symbol", "date", "ratio"]
SETTING = "GATEKEEPER_SPLITS"
LARGEST = 1e6

_RATIO = re.compile(r"(\d+(?:\.\d+)?)(?:\s*[:/]\s*(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class Split:
    """One split. date: of the first bar in new shares, a day or an instant in UTC. new, old: 2 and 1 for a 2:1."""

    symbol: str
    date: str
    new: float
    old: float = 1.0

    def __str__(self) -> str:
        return f"{self.symbol},{self.date},{self.new:g}" + (f":{self.old:g}" if self.old != 1 else "")

    @property
    def ratio(self) -> float:
        """New shares per old one."""
        return self.new / self.old

    @property
    def instant(self) -> datetime:
        """The date as an instant in UTC."""
        return datetime.fromisoformat(self.date).replace(tzinfo=UTC)


def read(path: str) -> tuple[Split, ...]:
    """The splits of a CSV file, by symbol and date; none for an empty path. Raises ConfigError, with the line."""
    if not path:
        return ()
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{SETTING}={path} can't be read: {fault}. Name a CSV file of symbol,date,ratio.") from None
    found: dict[tuple[str, str], Split] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or [cell.lower() for cell in cells] == COLUMNS:
            continue
        split = _split(cells, f"{SETTING}={path}, line {number}")
        if found.setdefault((split.symbol, split.date), split) != split:
            raise ConfigError(
                f"{SETTING}={path}, line {number}: {split.symbol} has two ratios on {split.date}. Keep one."
            )
    return tuple(found[key] for key in sorted(found))


def digest(splits: Iterable[Split], as_of: datetime) -> str | None:
    """sha256 (hex) of the splits up to the as-of; None without any: later ones change nothing of it."""
    known = [str(split) for split in splits if split.instant <= as_of]
    return hashlib.sha256("\n".join(known).encode()).hexdigest() if known else None


def _split(cells: list[str], where: str) -> Split:
    if len(cells) != len(COLUMNS):
        raise ConfigError(
            f"{where}: {','.join(cells)!r} is not symbol,date,ratio. Write, for example, AAPL,2005-02-28,2."
        )
    symbol, date, ratio = cells
    parts = _RATIO.fullmatch(ratio)
    new, old = (float(parts[1]), float(parts[2] or 1)) if parts else (0.0, 1.0)
    if not symbol or not new or not old or not 1 / LARGEST <= new / old <= LARGEST or math.isclose(new, old):
        raise ConfigError(
            f"{where}: {symbol!r} with ratio {ratio!r} is no split. Write new shares per old one: 2, 0.1, 3:2 or 1:3."
        )
    try:
        at = datetime.fromisoformat(date)
    except ValueError:
        raise ConfigError(f"{where}: {date!r} is not a date. Write it as 2005-02-28.") from None
    if "T" not in date and " " not in date:
        return Split(symbol, at.date().isoformat(), new, old)
    at = at.astimezone(UTC) if at.tzinfo else at
    return Split(symbol, f"{at.replace(tzinfo=None).isoformat(timespec='minutes')}Z", new, old)
