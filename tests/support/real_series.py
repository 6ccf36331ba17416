"""Real series for the data checks: daily bars as their vendors publish them, not adjusted for splits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from gatekeeper.market.data.bars import tapes
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.corporate_actions import Split
from gatekeeper.market.data.bars.untraded import untraded
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.data.reading.files import Table
from gatekeeper.settings import Settings

LATE = datetime(2030, 1, 1, tzinfo=UTC)


def checked(*bars: Candles, accept: Sequence[str] = (), splits: tuple[Split, ...] = ()) -> Checked:
    """The bars as the checks get them."""
    ready = tuple(replace(each, untraded=untraded(each)) for each in bars)
    return Checked(ready, None, LATE, Settings(accept=tuple(accept)), splits)


def bars(frame: pd.DataFrame, symbol: str = "X") -> Candles:
    """One symbol's bars of a frame with the columns of a file."""
    (found,) = tapes.book([Table(symbol, symbol, frame)], LATE, "open", "test").candles
    return found


@cache
def indices() -> tuple[Candles, ...]:
    """S&P 500 and NASDAQ from 1999 to 2018, with volume; before 2006 the S&P's opens are the closes before."""
    from arch.data import nasdaq, sp500

    return tuple(bars(_lower(load()), name) for name, load in (("SP500", sp500.load), ("NASDAQ", nasdaq.load)))


@cache
def single_prices() -> tuple[Candles, ...]:
    """VIX and crude oil, of one price a day: as bars that open at the close before, and as bars of one price."""
    from arch.data import crude, vix, wti

    found = []
    for load in (vix.load, wti.load, crude.load):
        for name, column in load().items():
            price = column[column > 0].dropna()
            before = price.shift(1).fillna(price.iloc[0])
            ranged = {"high": np.maximum(price, before), "low": np.minimum(price, before)}
            time = {"time": price.index.strftime("%Y-%m-%d")}
            found.append(bars(pd.DataFrame({**time, "open": before, **ranged, "close": price}), f"{name} ranged"))
            flat = dict.fromkeys(("open", "high", "low", "close"), price)
            found.append(bars(pd.DataFrame({**time, **flat}), f"{name} flat"))
    return tuple(found)


@cache
def stocks() -> tuple[Candles, ...]:
    """AAPL, FB, GOOG, IBM and MSFT from 2000 on: prices as traded, volume in shares of 2013."""
    return tapes.book([Table("stocks", "stocks", _stocks())], LATE, "open", "test").candles


def adjusted_closes(symbol: str) -> np.ndarray:
    """The closes of a stock as their vendor adjusts them, for splits and dividends."""
    frame = _stocks()
    return frame.loc[frame["symbol"] == symbol, "adj close"].to_numpy()


def _stocks() -> pd.DataFrame:
    frame = pd.read_csv(str(files("bokeh_sampledata") / "_data" / "stocks.csv.gz")).rename(columns=str.lower)
    return frame.rename(columns={"ticker": "symbol", "date": "time"})


def without_volume(found: Sequence[Candles]) -> tuple[Candles, ...]:
    return tuple(replace(each, volume=None) for each in found)


def _lower(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.rename(columns=str.lower)
    return frame.assign(time=frame.index.strftime("%Y-%m-%d")).reset_index(drop=True)
