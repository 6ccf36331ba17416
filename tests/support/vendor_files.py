"""Files as vendors write them, header and first row letter for letter, with made-up prices."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from market_bars import random_bars

DAYS = 120
STARTS = np.datetime64("2024-01-02T00:00:00", "ns")
BARS = random_bars(DAYS, seed=7).drop(columns="time").round(2).assign(volume=np.arange(DAYS) * 1000 + 234567)
TIMES = STARTS + np.arange(DAYS) * np.timedelta64(1, "D")
HOURS = STARTS + np.arange(DAYS) * np.timedelta64(1, "h")


@dataclass(frozen=True, slots=True)
class VendorFile:
    """One file. bars: what it holds, as open, high, low, close and volume; times: its bars' stamps in UTC."""

    vendor: str
    name: str
    content: bytes
    symbols: tuple[str, ...] = ("AAPL",)
    times: np.ndarray = field(default_factory=lambda: TIMES)
    bars: pd.DataFrame = field(default_factory=lambda: BARS)
    source_has_no_volume: bool = False

    def write(self, folder: Path) -> str:
        path = folder / self.name
        path.write_bytes(self.content)
        return str(path)


def text(times: np.ndarray, form: str) -> list[str]:
    return pd.DatetimeIndex(times).strftime(form).tolist()


def lines(header: str, row: Callable[[str, dict[str, float]], str], stamps: list[str], end: str = "\n") -> bytes:
    """The header and a line for each bar."""
    rows = [row(stamp, bar) for stamp, bar in zip(stamps, BARS.to_dict("records"), strict=True)]
    return (end.join([header, *rows] if header else rows) + end).encode()


def ohlcv(stamp: str, bar: dict[str, float], between: str = ",") -> str:
    cells = [stamp, *(f"{bar[name]:.2f}" for name in ("open", "high", "low", "close")), f"{bar['volume']:.0f}"]
    return between.join(cells)


def epochs(times: np.ndarray, unit: str) -> list[str]:
    return [str(value) for value in times.astype(f"datetime64[{unit}]").astype(np.int64)]


def binance(times: np.ndarray, unit: str, step: np.timedelta64) -> bytes:
    last = np.timedelta64(1, unit)
    ends = epochs(times.astype(f"datetime64[{unit}]") + step - last, unit)
    stamps = [f"{start}|{end}" for start, end in zip(epochs(times, unit), ends, strict=True)]

    def row(stamp: str, bar: dict[str, float]) -> str:
        start, _, end = stamp.partition("|")
        prices = ",".join(f"{bar[name]:.8f}" for name in ("open", "high", "low", "close"))
        return f"{start},{prices},{bar['volume']:.5f},{end},1983.12,43,0.5,21.5,0"

    return lines("", row, stamps)


def old_yfinance() -> VendorFile:
    """Unadjusted prices, of which the adjusted close is a quarter."""
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    content = lines(
        header,
        lambda day, bar: f"{ohlcv(day, bar).rpartition(',')[0]},{bar['close'] / 4:.6f},{bar['volume']:.0f}",
        text(TIMES, "%Y-%m-%d"),
    )
    quarter = BARS.assign(**{name: BARS[name] / 4 for name in ("open", "high", "low", "close")})
    return VendorFile("yfinance (before 2025)", "AAPL.csv", content, bars=quarter)


def yfinance(tickers: tuple[str, ...]) -> VendorFile:
    """Three header rows; the columns repeat by ticker."""
    fields = ["Close", "High", "Low", "Open", "Volume"]
    heads = [
        ",".join(["Price", *(field for field in fields for _ in tickers)]),
        ",".join(["Ticker", *(ticker for _ in fields for ticker in tickers)]),
        ",".join(["Date", *("" for _ in fields for _ in tickers)]),
    ]

    def row(day: str, bar: dict[str, float]) -> str:
        cells = [f"{bar[field.lower()]:.2f}" for field in fields[:-1] for _ in tickers]
        return ",".join([day, *cells, *(f"{bar['volume']:.0f}" for _ in tickers)])

    content = lines("\n".join(heads), row, text(TIMES, "%Y-%m-%d"))
    return VendorFile("yfinance", "download.csv", content, symbols=tickers)


def metatrader(times: np.ndarray, name: str, symbol: str) -> VendorFile:
    daily = times is TIMES
    clock = "" if daily else "\t<TIME>"
    header = f"<DATE>{clock}\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    stamps = text(times, "%Y.%m.%d" if daily else "%Y.%m.%d\t%H:%M:%S")
    content = lines(header, lambda stamp, bar: ohlcv(stamp, bar, "\t") + "\t0\t7", stamps, end="\r\n")
    return VendorFile("MetaTrader 5", name, content, symbols=(symbol,), times=times)


def alpaca_json() -> VendorFile:
    midnights = text(TIMES + np.timedelta64(5, "h"), "%Y-%m-%dT%H:%M:%SZ")
    bars = [
        {
            **{"t": stamp, "n": 4, "vw": bar["low"], "v": bar["volume"]},
            **{name[0]: bar[name] for name in BARS.columns[:4]},
        }
        for stamp, bar in zip(midnights, BARS.to_dict("records"), strict=True)
    ]
    content = json.dumps({"bars": {"AAPL": bars}, "next_page_token": None}).encode()
    return VendorFile("Alpaca", "bars.json", content, times=TIMES + np.timedelta64(5, "h"))


def feather(frame: pd.DataFrame) -> bytes:
    whole = io.BytesIO()
    frame.to_feather(whole)
    return whole.getvalue()


def databento(raw: bool) -> VendorFile:
    header = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"

    def row(stamp: str, bar: dict[str, float]) -> str:
        prices = (bar[name] for name in ("open", "high", "low", "close"))
        shown = ",".join(f"{round(price * 1e9)}" if raw else f"{price:.9f}" for price in prices)
        return f"{stamp},35,40,11667,{shown},{bar['volume']:.0f},AAPL"

    stamps = epochs(TIMES, "ns") if raw else text(TIMES, "%Y-%m-%dT%H:%M:%S.000000000Z")
    return VendorFile("Databento", "glbx-mdp3.ohlcv-1d.csv", lines(header, row, stamps))


def nasdaq() -> VendorFile:
    """Month first, newest first, dollar signs; one volume is empty."""

    def row(day: str, bar: dict[str, float]) -> str:
        o, h, lo, c = (f"${bar[name]:,.2f}" for name in ("open", "high", "low", "close"))
        return f"{day},{c},{bar['volume']:.0f},{o},{h},{lo}"

    head, *rows = lines("Date,Close/Last,Volume,Open,High,Low", row, text(TIMES, "%m/%d/%Y")).decode().splitlines()
    content = "\n".join([head, *reversed(rows)]) + "\n"
    return VendorFile("Nasdaq.com", "AAPL.csv", content.encode(), times=TIMES[::-1], bars=BARS[::-1])


def qlib() -> VendorFile:
    def row(day: str, bar: dict[str, float]) -> str:
        o, h, lo, c = (bar[name] * 2 for name in ("open", "high", "low", "close"))
        return f"AAPL,{day},{o:.2f},{c:.2f},{h:.2f},{lo:.2f},{bar['volume']:.0f},0.5"

    header = "symbol,date,open,close,high,low,volume,factor"
    return VendorFile("qlib", "sh600000.csv", lines(header, row, text(TIMES, "%Y-%m-%d")))


def vendor_files() -> list[VendorFile]:
    """One file at least of every vendor."""
    dates = text(TIMES, "%Y-%m-%d")
    hour, day = np.timedelta64(1, "h"), np.timedelta64(1, "D")
    title = "Date,Open,High,Low,Close,Volume"
    bulk = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"
    alpaca = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap"
    polygon = "ticker,volume,open,close,high,low,window_start,transactions"
    headed = "open_time,open,high,low,close,volume,close_time,quote_volume,count"
    headed += ",taker_buy_volume,taker_buy_quote_volume,ignore"

    def polygon_row(stamp: str, bar: dict[str, float]) -> str:
        shown = ",".join(f"{bar[name]:.2f}" for name in ("open", "close", "high", "low"))
        return f"AAPL,{bar['volume']:.0f},{shown},{stamp},1045"

    aware = BARS.assign(date=pd.DatetimeIndex(HOURS, tz="UTC"))[["date", *BARS.columns]]
    return [
        old_yfinance(),
        yfinance(("AAPL",)),
        yfinance(("AAPL", "MSFT")),
        VendorFile("Stooq", "aapl_us_d.csv", lines(title, ohlcv, dates, end="\r\n"), symbols=("AAPL.US",)),
        VendorFile(
            "Stooq (bulk)",
            "aapl.us.txt",
            lines(bulk, lambda at, bar: ohlcv(f"AAPL.US,D,{at}", bar) + ",0", text(TIMES, "%Y%m%d,%H%M%S"), end="\r\n"),
            symbols=("AAPL.US",),
        ),
        VendorFile("Binance", "BTCUSDT-1d-2024-01.csv", binance(TIMES, "ms", day), symbols=("BTCUSDT",)),
        VendorFile("Binance", "BTCUSDT-1h-2025-01.csv", binance(HOURS, "us", hour), ("BTCUSDT",), HOURS),
        VendorFile(
            "Binance",
            "ETHUSDT-1d-2024-02.csv",
            f"{headed}\n".encode() + binance(TIMES, "ms", day),
            symbols=("ETHUSDT",),
        ),
        VendorFile(
            "Kraken",
            "XBTUSD_1440.csv",
            lines("", lambda at, bar: ohlcv(at, bar) + ",57", epochs(TIMES, "s")),
            symbols=("XBTUSD",),
        ),
        metatrader(HOURS, "EURUSD_H1_202401020000_202412312300.csv", "EURUSD"),
        metatrader(TIMES, "EURUSD_Daily_202401020000_202412310000.csv", "EURUSD"),
        VendorFile(
            "TradingView",
            "BINANCE_BTCUSDT, 1D.csv",
            lines("time,open,high,low,close,Volume,MA", lambda at, bar: ohlcv(at, bar) + ",", epochs(TIMES, "s")),
            symbols=("BINANCE_BTCUSDT, 1D",),
        ),
        VendorFile(
            "TradingView",
            "spx.csv",
            lines("time,open,high,low,close,Volume", ohlcv, text(TIMES, "%Y-%m-%dT%H:%M:%S+00:00")),
            symbols=("spx",),
        ),
        VendorFile(
            "Alpaca",
            "bars.csv",
            lines(
                alpaca, lambda at, bar: f"AAPL,{ohlcv(at, bar)},9,{bar['low']}", text(TIMES, "%Y-%m-%d %H:%M:%S+00:00")
            ),
        ),
        alpaca_json(),
        VendorFile("Polygon", "2024-01-02.csv.gz", gzip.compress(lines(polygon, polygon_row, epochs(TIMES, "ns")))),
        VendorFile(
            "Dukascopy",
            "EURUSD_Candlestick_1_D_BID_01.01.2024-31.12.2024.csv",
            lines("Gmt time,Open,High,Low,Close,Volume", ohlcv, text(TIMES, "%d.%m.%Y %H:%M:%S.000")),
            symbols=("EURUSD",),
        ),
        VendorFile("freqtrade", "BTC_USDT-1h.feather", feather(aware), ("BTC/USDT",), HOURS),
        VendorFile("freqtrade", "ETH_USDT_USDT-4h-futures.feather", feather(aware), ("ETH/USDT:USDT",), HOURS),
        qlib(),
        databento(raw=False),
        databento(raw=True),
        nasdaq(),
        VendorFile(
            "CryptoDataDownload",
            "Gemini_BTCUSD_d.csv",
            b"https://www.CryptoDataDownload.com\n"
            + lines(
                "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
                lambda at, bar: f"{at},BTC/USD,{ohlcv('', bar)[1:]},1",
                [
                    f"{unix},{date}"
                    for unix, date in zip(epochs(TIMES, "ms"), text(TIMES, "%Y-%m-%d %H:%M:%S"), strict=True)
                ],
            ),
            symbols=("BTC/USD",),
            source_has_no_volume=True,
        ),
        VendorFile(
            "HistData",
            "DAT_ASCII_EURUSD_M1_2024.csv",
            lines("", lambda at, bar: ohlcv(at, bar, ";"), text(HOURS, "%Y%m%d %H%M%S")),
            symbols=("EURUSD",),
            times=HOURS + 5 * hour,  # New York's winter time all year round
        ),
        VendorFile("MetaTrader 4", "EURUSD60.csv", lines("", ohlcv, text(HOURS, "%Y.%m.%d,%H:%M")), ("EURUSD",), HOURS),
    ]
