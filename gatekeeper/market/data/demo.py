"""Demo data: the daily bars of S&P 500 and NASDAQ in the package `arch`, and the last Monday that they can serve.

Importing this is cheap: a DAG file asks for the last Monday whenever it is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from gatekeeper.market.data.reading.files import Table

# Before 2006 the S&P's opens are just the previous closes.
FIRST_BAR = datetime(2006, 1, 3, tzinfo=UTC)
LAST_CLOSE = datetime(2019, 1, 1, tzinfo=UTC)


def demo_last_monday() -> datetime:
    """The last Monday 02:00 UTC within the demo's bars; a week later, a week of bars is missing. Reads no file."""
    monday = (LAST_CLOSE - timedelta(days=LAST_CLOSE.weekday())).replace(hour=2)
    return monday if monday <= LAST_CLOSE else monday - timedelta(days=7)


def demo_tables() -> Iterator[Table]:
    """Daily bars of the S&P 500 and the NASDAQ, as they are (not adjusted), from 2006 to 2018.

    Raises ConfigError if `arch` isn't installed.
    """
    import pandas as pd

    from gatekeeper.market.data.reading.files import Table

    for symbol in ("NASDAQ", "SP500"):
        frame = pd.read_csv(_file(symbol.lower()), usecols=["Date", "Open", "High", "Low", "Close"])
        frame = frame.assign(Date=pd.to_datetime(frame["Date"], utc=True)).rename(columns=str.lower)
        frame = frame.rename(columns={"date": "time"})
        yield Table(f"arch.data.{symbol.lower()}", symbol, frame[frame["time"] >= FIRST_BAR].reset_index(drop=True))


def _file(name: str) -> Path:
    """Read without importing `arch.data`, which would load all of arch's statistics and take two seconds."""
    spec = find_spec("arch")  # an extra: only the demo needs it
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(place) / "data" / name / f"{name}.csv.gz").is_file():
            return path
    raise ConfigError(f"demo: needs arch with its data/{name}; install gatekeeper[demo], or set GATEKEEPER_DATA")
