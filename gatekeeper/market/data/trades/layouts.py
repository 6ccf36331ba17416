"""Layouts of exported trades: freqtrade, backtesting.py, vectorbt and nautilus, one declaration each.

A layout is recognised by its columns. It turns them into those of labelled ideas, without the features: `symbol`,
`time`, `action`, `outcome`, `closed_at`, `known_at`, `is_open`, and where they can be known `strategy` and `cost`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers

Floats = NDArray[np.float64]

FORCED = "force_exit"
"""What freqtrade calls the exit of trades that are open when its backtest ends."""

_MONEY = r"(-?[\d_,]+(?:\.\d+)?) ([A-Z0-9]+)"
_ROUNDED = 1e-4  # nautilus writes a return to five decimals, and money to the cent


@dataclass(frozen=True, slots=True)
class TradeLayout:
    """How one vendor writes trades. columns: that all its files have. read: those of labelled ideas from them."""

    vendor: str
    columns: frozenset[str]
    read: Callable[[Table], pd.DataFrame]


def recognised(table: Table) -> Table:
    """The table with the columns of labelled ideas, and its vendor's name, if it has a layout of those known here.

    Raises DataError for trades whose outcome can't be known from what is there.
    """
    for layout in LAYOUTS:
        if layout.columns <= set(table.frame.columns):
            return replace(table, frame=layout.read(table), vendor=layout.vendor)
    return table


def _freqtrade(table: Table) -> pd.DataFrame:
    """`profit_ratio` is net of fees and a multiple of the stake, which leverage multiplies.

    A close is stamped with its candle's opening, whatever ended the trade within it.
    """
    frame = table.frame
    short = _true(frame["is_short"]) if "is_short" in frame.columns else np.zeros(len(frame), dtype=np.bool_)
    leverage = numbers(frame["leverage"]) if "leverage" in frame.columns else np.ones(len(frame))
    reason = next((name for name in ("exit_reason", "sell_reason") if name in frame.columns), None)
    forced = np.zeros(len(frame), dtype=np.bool_) if reason is None else (table.text(reason) == FORCED).to_numpy()
    columns = {
        "symbol": frame["pair"],
        "time": frame["open_date"],
        "action": np.where(short, "sell", "buy"),
        "outcome": numbers(frame["profit_ratio"]) / leverage,
        "closed_at": frame["close_date"],
        "is_open": forced | (_true(frame["is_open"]) if "is_open" in frame.columns else False),
    }
    if "strategy" in frame.columns:
        columns["strategy"] = frame["strategy"]
    if {"fee_open", "fee_close", "open_rate", "close_rate"} <= set(frame.columns) and not _scaled(frame):
        opened = numbers(frame["open_rate"])
        cost = numbers(frame["fee_open"]) + numbers(frame["fee_close"]) * numbers(frame["close_rate"]) / opened
        if {"funding_fees", "amount"} <= set(frame.columns):
            funding = np.nan_to_num(numbers(frame["funding_fees"]))
            cost -= funding / (numbers(frame["amount"]) * opened)
        columns["cost"] = cost
    if "timeframe" in frame.columns:
        length = pd.to_timedelta(frame["timeframe"].astype("str").str.replace("M", "D", regex=False)).to_numpy()
        length = length * np.where(frame["timeframe"].astype("str").str.endswith("M"), 31, 1)
    else:
        length = None
    return _known_after_exit(table, columns, length)


def _backtesting(table: Table) -> pd.DataFrame:
    """Signed size; `ReturnPct` is a fraction, net of the commission; the symbol is the file's name.

    Its columns `Entry_...` of indicators hold values of the entry bar's close, after the entry: never features.
    """
    frame = table.frame
    size = numbers(frame["Size"])
    columns = {
        "symbol": table.stem,
        "time": frame["EntryTime"],
        "action": np.where(size > 0, "buy", "sell"),
        "outcome": numbers(frame["ReturnPct"]),
        "closed_at": frame["ExitTime"],
        "is_open": False,
    }
    if "Tag" in frame.columns:
        columns["strategy"] = table.text("Tag")
    if "Commission" in frame.columns:
        columns["cost"] = numbers(frame["Commission"]) / (np.abs(size) * numbers(frame["EntryPrice"]))
    return _known_after_exit(table, columns, None)


def _vectorbt(table: Table) -> pd.DataFrame:
    """`Return` is net of both fees. An open trade has the last bar as its exit, and says so."""
    frame, column = table.frame, table.text("Column")
    if column.str.startswith("(").any():
        raise DataError(
            f"{table.name}: Column is {column.iloc[0]!r}, several levels. Export the trades of one column a symbol."
        )
    columns = {
        "symbol": column.where(~column.str.fullmatch(r"\d+"), table.stem),
        "time": frame["Entry Timestamp"],
        "action": table.text("Direction").str.lower().to_numpy(),
        "outcome": numbers(frame["Return"]),
        "closed_at": frame["Exit Timestamp"],
        "is_open": (table.text("Status").str.lower() == "open").to_numpy(),
    }
    if {"Entry Fees", "Exit Fees", "Size", "Avg Entry Price"} <= set(frame.columns):
        fees = numbers(frame["Entry Fees"]) + numbers(frame["Exit Fees"])
        columns["cost"] = fees / (numbers(frame["Size"]) * numbers(frame["Avg Entry Price"]))
    return _known_after_exit(table, columns, None)


def _nautilus(table: Table) -> pd.DataFrame:
    """`realized_return` is gross, by the prices alone; `realized_pnl` is net of the commissions."""
    frame = table.frame
    over = table.text("ts_closed").str.fullmatch(r"(?!<NA>|NaT|nan|None)\S.*").to_numpy()
    notional = numbers(frame["peak_qty"]) * numbers(frame["avg_px_open"])
    made = table.text("realized_pnl").str.extract(_MONEY)
    paid, mixed = _commissions(table, made[1])
    net, cost = _amount(made[0]) / notional, paid / notional
    gross = numbers(frame["realized_return"])
    wrong = np.flatnonzero(over & (mixed | ~(np.abs(net + cost - gross) <= _ROUNDED + 0.01 / notional)))
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f"{table.name}: realized_pnl {frame['realized_pnl'].iloc[row]} and commissions "
            f"{frame['commissions'].iloc[row]} don't make the realized_return {gross[row]:g} of row {row + 1} (a "
            "multiplier, another currency, or a position that grew?). Write `outcome` yourself: what each trade made, "
            "net, as a fraction of its entry price"
        )
    closed_at = frame["ts_closed"].astype("object").where(over, None)
    columns = {
        "symbol": frame["instrument_id"],
        "time": frame["ts_opened"],
        "action": table.text("entry").str.lower().to_numpy(),
        "outcome": net,
        "closed_at": closed_at,
        "known_at": closed_at,
        "is_open": ~over,
        "cost": cost,
    }
    if "strategy_id" in frame.columns:
        columns["strategy"] = frame["strategy_id"]
    return pd.DataFrame(columns, index=frame.index)


def _commissions(table: Table, currency: pd.Series) -> tuple[Floats, NDArray[np.bool_]]:
    """(n,) the sum of each position's commissions, and whether any is in another currency than its profit."""
    paid, mixed = np.zeros(len(currency)), np.zeros(len(currency), dtype=np.bool_)
    found = table.text("commissions").str.extractall(_MONEY)
    row = currency.index.get_indexer(found.index.get_level_values(0))
    np.add.at(paid, row, _amount(found[0]))
    mixed[row] |= found[1].to_numpy() != currency.to_numpy()[row]
    return paid, mixed


def _amount(text: pd.Series) -> Floats:
    return numbers(text.str.replace(r"[_,]", "", regex=True))


def _known_after_exit(table: Table, columns: dict[str, object], length: NDArray[np.timedelta64] | None) -> pd.DataFrame:
    """The columns with `known_at`, one bar after an exit that is stamped with its bar's opening.

    length: (n,) of the bars; None: the smallest distance of two of the file's times so far, which is no shorter.
    """
    frame = pd.DataFrame(columns, index=table.frame.index)
    closed_at, naive = times.parse(frame["closed_at"], f"{table.name}: exit time", optional=True)
    if length is None:
        opened_at, _ = times.parse(frame["time"], f"{table.name}: entry time")
        length = _bar_lengths(np.concatenate([opened_at, closed_at]), closed_at)
    known_at = pd.Series(closed_at + length, index=frame.index)
    # Written as text, so that a time without offset stays one and is told of.
    ends = np.where(naive, "", "Z")
    frame["known_at"] = (known_at.dt.strftime("%Y-%m-%dT%H:%M:%S.%f") + ends).where(known_at.notna(), None)
    return frame


def _bar_lengths(stamps: NDArray[np.datetime64], at: NDArray[np.datetime64]) -> NDArray[np.timedelta64]:
    """(n,) the smallest distance between two of the stamps up to each of `at`; if there is none, to the next stamp."""
    known = np.unique(stamps[~np.isnat(stamps)])
    if len(known) < 2:
        return np.full(len(at), "NaT", dtype="timedelta64[ns]")
    gaps = np.diff(known)
    smallest = np.minimum.accumulate(gaps)
    last = np.searchsorted(known, at, side="right") - 2
    return np.where(np.isnat(at), np.timedelta64("NaT"), np.where(last >= 0, smallest[np.maximum(last, 0)], gaps[0]))


def _true(column: pd.Series) -> NDArray[np.bool_]:
    return column.astype("str").str.lower().isin(("true", "1", "1.0")).to_numpy(dtype=np.bool_)


def _scaled(frame: pd.DataFrame) -> bool:
    """Whether any trade was entered or left in parts, so that its fees can't be known from its two rates."""
    return "orders" in frame.columns and bool((numbers(frame["orders"]) > 2).any())


LAYOUTS = (
    TradeLayout("freqtrade", frozenset({"pair", "open_date", "close_date", "profit_ratio"}), _freqtrade),
    TradeLayout(
        "backtesting.py",
        frozenset({"Size", "EntryBar", "ExitBar", "EntryPrice", "ReturnPct", "EntryTime", "ExitTime"}),
        _backtesting,
    ),
    TradeLayout(
        "vectorbt",
        frozenset({"Column", "Entry Timestamp", "Exit Timestamp", "Return", "Direction", "Status"}),
        _vectorbt,
    ),
    TradeLayout(
        "nautilus",
        frozenset(
            {
                "instrument_id",
                "entry",
                "peak_qty",
                "ts_opened",
                "ts_closed",
                "avg_px_open",
                "realized_return",
                "realized_pnl",
                "commissions",
            }
        ),
        _nautilus,
    ),
)
