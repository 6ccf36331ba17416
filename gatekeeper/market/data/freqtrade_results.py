"""Trades of `freqtrade backtesting --export trades`, in its zip or in the JSON that older versions write."""

import io
import json
import zipfile
from typing import Any

import pandas as pd


def trades(content: bytes, *, packed: bool) -> pd.DataFrame:
    """The trades of all strategies of a result, with the strategy and its timeframe; `orders` is their number.

    Raises ValueError for anything else, zipfile.BadZipFile among them.
    """
    found = _unpacked(content) if packed else json.loads(content)
    if not isinstance(found, dict) or not isinstance(found.get("strategy"), dict):
        raise ValueError('it is no backtest result of freqtrade: "strategy" is missing, which holds the trades')
    parts = [_trades(name, strategy) for name, strategy in found["strategy"].items()]
    if not any(len(part) for part in parts):
        raise ValueError("it holds no trade")
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _trades(name: str, strategy: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame([{**trade, "orders": len(trade.get("orders") or [])} for trade in strategy["trades"]])
    if len(frame):
        frame["strategy"] = name
        if "timeframe" in strategy:
            frame["timeframe"] = strategy["timeframe"]
    return frame


def _unpacked(content: bytes) -> Any:
    """The JSON with the results; beside it lie the configuration and the strategy's parameters."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                found = json.loads(archive.read(name))
                if isinstance(found, dict) and isinstance(found.get("strategy"), dict):
                    return found
    raise ValueError("it holds no backtest result of freqtrade")
