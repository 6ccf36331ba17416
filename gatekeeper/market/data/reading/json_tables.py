"""JSON of market data APIs as rows: a list of records or of rows, by symbol or not, or one record a line."""

import json
from collections.abc import Mapping

import pandas as pd

from gatekeeper.market.data.reading import freqtrade_results

# Where APIs put the list: Alpaca's bars, Polygon's results.
_LISTS = ("bars", "results", "data", "values", "candles")
_SYMBOLS = ("symbol", "ticker")


def parse(content: bytes) -> tuple[pd.DataFrame, bool]:
    """The rows, and whether the columns have names. Raises ValueError if there is no list of rows."""
    try:
        document = json.loads(content)
    except json.JSONDecodeError:
        document = [json.loads(line) for line in content.splitlines() if line.strip()]
    if freqtrade_results.is_result(document):
        return freqtrade_results.trades(document), True
    rows = _rows(document)
    named = all(isinstance(row, Mapping) for row in rows)
    if not rows or not (named or all(isinstance(row, list) for row in rows)):
        raise ValueError("it holds no list of bars or ideas")
    frame = pd.DataFrame(rows)
    names = [str(name) if named else str(i + 1) for i, name in enumerate(frame.columns)]
    return frame.set_axis(names, axis=1), named


def _rows(document: object, symbol: str = "") -> list[object]:
    if isinstance(document, list):
        if symbol and all(isinstance(row, dict) for row in document):
            return [{"symbol": symbol, **row} for row in document]
        return document
    if not isinstance(document, dict):
        return []
    own = next((document[name] for name in _SYMBOLS if isinstance(document.get(name), str)), symbol)
    inner = next((document[name] for name in _LISTS if document.get(name)), None)
    if isinstance(inner, list):
        return _rows(inner, own)
    series = next((rows for name, rows in document.items() if str(name).startswith("Time Series")), None)
    if isinstance(series, dict):  # Alpha Vantage: by time, with names such as `1. open`
        return [
            {"time": time, **{str(name).partition(". ")[2] or str(name): value for name, value in bar.items()}}
            for time, bar in series.items()
        ]
    by_symbol = inner if isinstance(inner, dict) else document
    if all(isinstance(rows, list) for rows in by_symbol.values()):
        return [row for name, rows in by_symbol.items() for row in _rows(rows, str(name))]
    return []
