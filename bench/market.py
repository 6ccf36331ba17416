"""How fast are market and scoring, beside what they are built on?"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import talib
from rich.console import Console
from timing import row, table

from gatekeeper.config import Settings
from gatekeeper.market import candles
from gatekeeper.market.candles import Candles
from gatekeeper.market.indicators import indicators
from gatekeeper.market.replay import replay
from gatekeeper.model.verify import verify

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def main(*, quick: bool) -> None:
    """Runs each pair and prints the table."""
    shown = table("market and scoring")
    for bars in (10_000,) if quick else (10_000, 100_000, 1_000_000):
        market = random_walk(bars)
        row(shown, "indicators / TA-Lib bare", bars, lambda m=market: ours(m), lambda m=market: bare(m))
        row(
            shown,
            "replay / its indicators",
            bars,
            lambda m=market: replay(m, LATER, Settings()),
            lambda m=market: ours(m),
        )
    score, session = scorers()
    for count in (1, 1_000):
        rows = np.random.default_rng(0).uniform(0, 1, (count, 7)).astype(np.float32)
        row(
            shown,
            "score / onnxruntime bare",
            count,
            lambda r=rows: score(r),
            lambda r=rows: session.run(["score"], {"input": r}),
        )
    Console(width=120).print(shown)


def random_walk(bars: int) -> Candles:
    """One symbol's minute bars, seeded, read from a Parquet file as a user's would be."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    wide = np.abs(rng.normal(0, 0.0003, (2, bars)))
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2015-01-01", periods=bars, freq="min", tz="UTC"),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wide[0]),
            "low": np.minimum(opened, close) * (1 - wide[1]),
            "close": close,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.parquet"
        frame.to_parquet(path)
        return candles.read(str(path), LATER, "open").candles[0]


def ours(market: Candles) -> object:
    """The features' indicators as the project computes them."""
    return indicators(market.high, market.low, market.close)


def bare(market: Candles) -> object:
    """The same indicators by TA-Lib alone, nothing checked."""
    high, low, close = market.high, market.low, market.close
    return (
        talib.RSI(close, 14),
        talib.ADX(high, low, close, 14),
        talib.ATR(high, low, close, 14),
        talib.SMA(close, 50),
        talib.SMA(close, 200),
        talib.BBANDS(close, 20, 2, 2),
        talib.MIN(low, 50),
        talib.MAX(high, 50),
    )


def scorers() -> tuple[Callable[[np.ndarray], object], onnxruntime.InferenceSession]:
    """A logistic model, verified, and a bare session of the same bytes."""
    sys.path.append(str(Path(__file__).parent.parent / "tests"))
    from model_files import contract_model

    content = contract_model([0.01, 0.02, 0.5, 1.0, 0.0, 0.0, 0.1], -1.0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return verify(content, cap=len(content)).score, onnxruntime.InferenceSession(content, options)
