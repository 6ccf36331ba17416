"""Bars for tests of the market room and others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from gatekeeper.market.data.bars.candles import Candles

DAY = np.timedelta64(1, "D")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(n: int, start: str = "2016-01-04") -> np.ndarray:
    """n working days from `start`, at 00:00."""
    return np.busday_offset(start, np.arange(n)).astype("datetime64[ns]")


def random_bars(n: int, seed: int, times: np.ndarray | None = None) -> pd.DataFrame:
    """A random walk with consistent highs and lows, as a source's frame (times at the bars' open, as ISO text)."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opened = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, 0.003, n))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.004, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.004, n)))
    stamps = daily(n) if times is None else times
    text = [f"{str(stamp)[:19]}Z" for stamp in stamps]
    return pd.DataFrame({"time": text, "open": opened, "high": high, "low": low, "close": close})


def write(folder: Path, name: str, frame: pd.DataFrame) -> str:
    """Write `frame` as the kind that `name` ends in; returns the path."""
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False)
    return str(path)


def candles(rows: Sequence[Sequence[float]], times: np.ndarray, length: np.timedelta64 = DAY) -> Candles:
    """Candles of (open, high, low, close) rows that open at `times`."""
    prices = np.array(rows, dtype=np.float64)
    zeros = np.zeros(len(prices))
    opens_at = times.astype("datetime64[ns]")
    return Candles("X", opens_at, opens_at + length, *prices.T, zeros, zeros)
