"""Which real bars come with the package `arch`, and up to which Monday do they carry a run?

Importing this is cheap: a DAG file asks for the last Monday whenever it is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from gatekeeper.market.files import Table

# Before 2006 the S&P's opens are just the previous closes.
FIRST_BAR = datetime(2006, 1, 3, tzinfo=UTC)
LAST_CLOSE = datetime(2019, 1, 1, tzinfo=UTC)


def demo_last_monday() -> datetime:
    """The last Monday 02:00 UTC within the demo's bars: a week later, a week's bars would be missing. Reads no file."""
    monday = (LAST_CLOSE - timedelta(days=LAST_CLOSE.weekday())).replace(hour=2)
    return monday if monday <= LAST_CLOSE else monday - timedelta(days=7)


def demo_tables() -> Iterator[Table]:
    """Daily bars of the S&P 500 and the NASDAQ, as they are (not adjusted), from 2006 to 2018.

    Raises ConfigError where `arch` isn't installed.
    """
    from gatekeeper.market.files import Table  # brings pandas

    try:
        from arch.data import nasdaq, sp500  # an extra: only the demo needs it
    except ImportError as error:
        raise ConfigError(f"demo: needs arch ({error}); install gatekeeper[demo], or set GATEKEEPER_DATA") from error
    for symbol, module in (("NASDAQ", nasdaq), ("SP500", sp500)):
        frame = module.load()
        frame = frame.loc[frame.index >= FIRST_BAR.replace(tzinfo=None), ["Open", "High", "Low", "Close"]]
        frame = frame.tz_localize("UTC").rename_axis("time").rename(columns=str.lower).reset_index()
        yield Table(f"arch.data.{symbol.lower()}", symbol, frame)
