"""Sample market data: two made-up symbols as daily bars, and the trade ideas that the built-in strategies find in them.

Writes candles.csv and ideas.csv beside this file. The same seed gives the same files.

Usage: make.py
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from gatekeeper.features import FEATURES
from gatekeeper.market import sources
from gatekeeper.settings import Settings

HERE = Path(__file__).parent
SEED = 7
AS_OF = datetime(2023, 7, 3, 2, tzinfo=UTC)
SYMBOLS = {"ACME": 80.0, "BOLT": 240.0}
"""Each symbol's first price."""


def candles() -> pd.DataFrame:
    """Bars of every weekday from 2019-07-01 to 2023-06-30, stamped at their open."""
    random = np.random.default_rng(SEED)
    days = pd.bdate_range("2019-07-01", "2023-06-30")
    return pd.concat([_bars(random, days, symbol, first) for symbol, first in SYMBOLS.items()], ignore_index=True)


def _bars(random: np.random.Generator, days: pd.DatetimeIndex, symbol: str, first: float) -> pd.DataFrame:
    moves = random.standard_t(5, size=len(days)) * 0.009 + 0.0003
    close = first * np.exp(np.cumsum(moves))
    before = np.append(first, close[:-1])
    opening = before * np.exp(random.normal(0, 0.002, size=len(days)))
    reach = np.abs(random.normal(0, 0.004, size=(2, len(days))))
    return pd.DataFrame(
        {
            "symbol": symbol,
            "time": days.strftime("%Y-%m-%d"),
            "open": opening.round(2),
            "high": (np.maximum(opening, close) * np.exp(reach[0])).round(2),
            "low": (np.minimum(opening, close) * np.exp(-reach[1])).round(2),
            "close": close.round(2),
            "volume": random.integers(200_000, 900_000, size=len(days)),
        }
    )


def ideas(bars: Path) -> pd.DataFrame:
    """The closed ideas of these bars, with features and outcomes rounded as a bot's own log would have them."""
    found = sources.load(f"candles:{bars}", AS_OF, Settings()).ideas
    columns: dict[str, object] = {"symbol": found.symbol, "time": _text(found.time), "strategy": found.strategy}
    columns["action"] = np.where(found.features[:, FEATURES.index("action")] == 1, "buy", "sell")
    for number, name in enumerate(FEATURES[:-1]):
        columns[name] = found.features[:, number].round(5)
    columns |= {
        "outcome": found.outcome.round(6),
        "closed_at": _text(found.closed_at),
        "known_at": _text(found.known_at),
    }
    return pd.DataFrame(columns)


def _text(instants: np.ndarray) -> pd.Series:
    return pd.Series(instants).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    candles().to_csv(HERE / "candles.csv", index=False)
    ideas(HERE / "candles.csv").to_csv(HERE / "ideas.csv", index=False)
