"""Table of the vendors whose bars are read without a setting. A new one is one entry here and one fixture in the tests.

The first whose columns fit is taken, so one that another contains stands before it.
"""

import re
from typing import Any

from gatekeeper.market.data.reading.vendors.declaration import Shape, Vendor
from gatekeeper.market.data.reading.vendors.reshapes import databento_units

_OHLC = {"open": "open", "high": "high", "low": "low", "close": "close"}
_OHLCV: dict[str, Any] = {**_OHLC, "volume": "volume?"}
_LETTERS: dict[str, Any] = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v?"}
_ANGLES: dict[str, Any] = {role: f"<{role}>" for role in ("open", "high", "low", "close")}


def _pair(name: re.Match[str]) -> str:
    """freqtrade's pair: BTC/USDT, with the settlement currency of a future ETH/USDT:USDT."""
    return f"{name['base']}/{name['quote']}" + (f":{name['settle']}" if name["settle"] else "")


def _upper(name: re.Match[str]) -> str:
    return name["symbol"].replace("_", ".").upper()


VENDORS = (
    Vendor(
        "yfinance",
        {"time": "date|datetime", **_OHLCV, "symbol": "ticker", "adj_close": "adj close?"},
        stacked=True,
    ),
    Vendor(
        "yfinance (before 2025)",
        {"time": "date|datetime", **_OHLCV, "adj_close": "adj close"},
    ),
    Vendor(
        "Stooq (bulk)",
        {"time": ("<date>", "<time>"), **_ANGLES, "volume": "<vol>", "symbol": "<ticker>"},
        also=("<per>", "<openint>"),
    ),
    Vendor(
        "MetaTrader 5",
        {"time": ("<date>", "<time>?"), **_ANGLES, "volume": "<tickvol>"},
        also=("<spread>",),
        names=(r"(?P<symbol>.+?)_(?P<bar>M\d+|H\d+|Daily|Weekly|Monthly|MN\d?|D1|W1)(?:_\d+_\d+)?",),
        stamp="open",
        notes=(
            "MetaTrader writes its broker's clock and not which zone that is: set zone in [columns] "
            '(many brokers: zone = "America/New_York+7")',
        ),
    ),
    Vendor(
        "CryptoDataDownload",
        {"time": "unix", **_OHLC, "symbol": "symbol"},
        also=("date",),
        from_memory=True,
    ),
    Vendor(
        "Stooq",
        {"time": "date", **_OHLCV},
        names=(r"(?P<symbol>[\w.^-]+?)_(?P<bar>[dwmqy])",),
        needs_name=True,
        symbol=_upper,
    ),
    Vendor(
        "Binance",
        {
            **{"time": "1", "open": "2", "high": "3", "low": "4", "close": "5", "volume": "6"},
            "closes_at": "7",
        },
        width=12,
        first=r"\d{13}|\d{16}",
        names=(r"(?P<symbol>[A-Z0-9_]+)-(?P<bar>\d+(?:s|m|h|d|w|mo))-\d{4}(?:-\d{2}){0,2}",),
        stamp="open",
        last_instant=True,
    ),
    Vendor(
        "Binance",
        {"time": "open_time", **_OHLCV, "closes_at": "close_time"},
        names=(r"(?P<symbol>[A-Z0-9_]+)-(?P<bar>\d+(?:s|m|h|d|w|mo))-\d{4}(?:-\d{2}){0,2}",),
        stamp="open",
        last_instant=True,
    ),
    Vendor(
        "Kraken",
        {"time": "1", "open": "2", "high": "3", "low": "4", "close": "5", "volume": "6"},
        width=7,
        first=r"\d{9,10}",
        names=(r"(?P<symbol>[A-Z0-9.]+)_(?P<bar>\d{1,5})",),
        stamp="open",
    ),
    Vendor(
        "TradingView",
        {"time": "time", **_OHLC, "volume": "Volume?"},
        names=(r"(?P<exchange>\w+)_(?P<symbol>[^,]+), (?P<bar>\w+)",),
        needs_name=True,
        symbol=lambda name: name[0],
        exact=True,
    ),
    Vendor("TradingView", {"time": "time", **_OHLC, "volume": "Volume"}, exact=True),
    Vendor(
        "Alpaca",
        {"time": "timestamp", **_OHLCV, "symbol": "symbol?"},
        also=("trade_count", "vwap"),
        stamp="open",
    ),
    Vendor("Alpaca", {"time": "t", **_LETTERS, "symbol": "symbol?"}, also=("n", "vw"), stamp="open"),
    Vendor(
        "Polygon",
        {"time": "window_start", **_OHLCV, "symbol": "ticker"},
        also=("transactions",),
        stamp="open",
    ),
    Vendor(
        "Dukascopy",
        {"time": "gmt time", **_OHLCV},
        names=(r"(?P<symbol>[^_]+)_Candlestick_(?P<bar>.+?)_(?:BID|ASK)_.*",),
        order="day",
        zone="UTC",
        stamp="open",
    ),
    Vendor(
        "freqtrade",
        {"time": "date", **_OHLCV},
        names=(
            r"(?P<base>[A-Za-z0-9.]+)_(?P<quote>[A-Z0-9]+)(?:_(?P<settle>[A-Z0-9]+))?-(?P<bar>\d+[smhdwMy]o?)(?:-futures)?",
        ),
        needs_name=True,
        symbol=_pair,
        stamp="open",
    ),
    Vendor("qlib", {"time": "date", **_OHLCV, "symbol": "symbol", "factor": "factor"}),
    Vendor(
        "Databento",
        {"time": "ts_event", **_OHLCV, "symbol": "symbol"},
        also=("rtype", "publisher_id", "instrument_id"),
        stamp="open",
        reshape=databento_units,
    ),
    Vendor(
        "Nasdaq.com",
        {"time": "date", "open": "open", "high": "high", "low": "low", "close": "close/last", "volume": "volume?"},
        order="month",
    ),
    Vendor(
        "HistData",
        {"time": "1", "open": "2", "high": "3", "low": "4", "close": "5", "volume": "6?"},
        width=6,
        first=r"\d{8} \d{6}",
        needs_name=True,
        names=(r"DAT_ASCII_(?P<symbol>[A-Z0-9]+)_(?P<bar>M1)_\d{4}(?:\d{2})?",),
        zone="Etc/GMT+5",  # New York's winter time all year round
        stamp="open",
        from_memory=True,
    ),
    Vendor(
        "MetaTrader 4",
        {"time": ("1", "2"), "open": "3", "high": "4", "low": "5", "close": "6", "volume": "7"},
        width=7,
        first=r"\d{4}\.\d{2}\.\d{2}",
        names=(r"(?P<symbol>.+?)_?(?P<bar>10080|43200|1440|240|60|30|15|5|1)",),
        bar_in_minutes=True,
        stamp="open",
        notes=("MetaTrader writes its broker's clock and not which zone that is: set zone in [columns]",),
        from_memory=True,
    ),
)

BARS = Shape(
    "bars",
    required=("time", "open", "high", "low", "close"),
    optional=("volume", "symbol", "closes_at", "adj_close", "factor"),
    numeric=("open", "high", "low", "close", "volume", "adj_close", "factor"),
    text=("time", "symbol", "closes_at"),
    vendors=VENDORS,
    known={
        "time": (
            "time",
            "timestamp",
            "datetime",
            "date",
            "ts",
            "ts_event",
            "open_time",
            "open time",
            "date/time",
            "gmt time",
            "t",
        ),
        "open": ("open", "o"),
        "high": ("high", "h"),
        "low": ("low", "l"),
        "close": ("close", "c", "close*"),
        "volume": ("volume", "vol", "v"),
        "symbol": ("symbol", "ticker", "instrument", "pair"),
        "adj_close": ("adj close", "adj close**", "adj_close", "adjclose", "adjusted close", "adjusted_close"),
    },
    prices=True,
)
