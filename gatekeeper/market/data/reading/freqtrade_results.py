"""Trades of `freqtrade backtesting --export trades`, in its zip or in the JSON that older versions write."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd


def is_result(document: object) -> bool:
    """Whether a JSON document is a backtest's result, and not its configuration or anything else."""
    return isinstance(document, dict) and isinstance(document.get("strategy"), dict)


def among(files: Iterable[tuple[str, bytes]]) -> tuple[str, bytes] | None:
    """The result among the files of an archive, beside which the configuration, the strategy and prices lie."""
    for name, content in files:
        if name.endswith(".json"):
            try:
                if is_result(json.loads(content)):
                    return name, content
            except ValueError:
                continue
    return None


def trades(result: dict[str, Any]) -> pd.DataFrame:
    """The trades of all strategies of a result, with the strategy and its timeframe; `orders` is their number.

    Raises ValueError if there is none.
    """
    parts = [_trades(name, strategy) for name, strategy in result["strategy"].items()]
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
