"""Exported trades of freqtrade, backtesting.py, vectorbt and nautilus, joined with their features.

Headers and first rows have the shape that backtesting.py 0.6.6 and vectorbt 1.2.0 wrote, and that the code of freqtrade
2026.9 and nautilus 1.221 writes; prices are made up, outcomes worked out by hand.
"""

import io
import json
import zipfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from market_bars import utc, write

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

HOURLY = pd.date_range("2024-01-05T00:00Z", periods=96, freq="h")
DAILY = pd.date_range("2024-01-01", periods=90, freq="D")


def features(folder: Path, symbols: list[str], times: pd.DatetimeIndex) -> str:
    """One row a bar; rsi14 counts the rows, so that a test sees which one was joined."""
    parts = [
        pd.DataFrame({"symbol": symbol, "time": times, "rsi14": range(len(times))} | dict.fromkeys(FEATURES[1:-1], 0.5))
        for symbol in symbols
    ]
    return write(folder, "features.parquet", pd.concat(parts))


def read(folder: Path, source: str, features: str, as_of: datetime, **settings: object) -> Dataset:
    return load(f"ideas:{source}", as_of, Settings(idea_features=features, **settings))


# freqtrade

TRADE = {
    "pair": "BTC/USDT:USDT", "stake_amount": 100.0, "max_stake_amount": 100.0, "amount": 0.01,
    "open_date": "2024-01-05 10:00:00+00:00", "close_date": "2024-01-05 13:00:00+00:00",
    "open_rate": 10000.0, "close_rate": 10100.0, "fee_open": 0.0005, "fee_close": 0.0005, "trade_duration": 180,
    "profit_ratio": 0.02694, "profit_abs": 2.69, "exit_reason": "roi", "initial_stop_loss_abs": 9000.0,
    "initial_stop_loss_ratio": -0.1, "stop_loss_abs": 9000.0, "stop_loss_ratio": -0.1, "min_rate": 9990.0,
    "max_rate": 10120.0, "is_open": False, "enter_tag": "", "leverage": 3.0, "is_short": False,
    "open_timestamp": 1704448800000, "close_timestamp": 1704459600000,
    "orders": [{"amount": 0.01, "ft_is_entry": True}, {"amount": 0.01, "ft_is_entry": False}], "funding_fees": -0.001,
}  # fmt: skip
SHORT = TRADE | {"is_short": True, "pair": "ETH/USDT:USDT", "leverage": 1.0, "profit_ratio": -0.011}
FORCED = TRADE | {
    "close_date": "2024-01-06 09:00:00+00:00",
    "exit_reason": "force_exit",
    "open_date": "2024-01-06 08:00:00+00:00",
}
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]


def exported(folder: Path, *trades: dict[str, object], name: str = "backtest-result.zip", **more: object) -> str:
    """What `freqtrade backtesting --export trades` leaves; more: another strategy's trades by its name."""
    result = {"strategy": {"Mine": {"trades": list(trades), "timeframe": "1h"}}, "strategy_comparison": []}
    for other, theirs in more.items():
        result["strategy"][other] = {"trades": theirs, "timeframe": "5m"}
    if name.endswith(".json"):
        (folder / name).write_text(json.dumps(result))
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("backtest-result_config.json", json.dumps({"strategy": "Mine", "timeframe": "1h"}))
            archive.writestr("backtest-result_Mine.py", "class Mine: ...")
            archive.writestr("backtest-result.json", json.dumps(result))
        (folder / name).write_bytes(packed.getvalue())
    return str(folder / name)


@pytest.mark.parametrize("name", ["backtest-result.zip", "backtest-result.json"])
def test_freqtrade(tmp_path: Path, name: str) -> None:
    """Leverage divides; a close within a candle is known an hour later; a forced exit at the end is still open."""
    source = exported(tmp_path, TRADE, SHORT, FORCED, name=name)
    data = read(tmp_path, source, features(tmp_path, PAIRS, HOURLY), utc("2024-01-08T02:00"))
    ideas = data.ideas
    assert list(zip(ideas.symbol, ideas.strategy, ideas.features[:, 6], strict=True)) == [
        ("BTC/USDT:USDT", "Mine", 1.0),
        ("ETH/USDT:USDT", "Mine", 0.0),
    ]
    assert ideas.outcome == pytest.approx([0.00898, -0.011])
    # .0005 + .0005 * 10100 / 10000, and 0.001 of funding for 0.01 * 10000
    assert ideas.costs is not None
    assert ideas.costs[:, 0] == pytest.approx([0.001015] * 2)
    assert ideas.closed_at.astype("datetime64[m]").astype(str).tolist() == ["2024-01-05T13:00"] * 2
    assert ideas.known_at.astype("datetime64[m]").astype(str).tolist() == ["2024-01-05T14:00"] * 2
    assert data.notes == ("1 idea still open left out",)
    # Entered at 10:00, the opening of the eleventh candle: known was the tenth, of 9:00.
    assert ideas.features[:, 0].tolist() == [9.0, 9.0]


def test_freqtrade_several_strategies_and_parts(tmp_path: Path) -> None:
    """A trade that was entered in parts has no cost that its two rates would tell, so none has."""
    source = exported(tmp_path, TRADE, Other=[SHORT | {"orders": [{}, {}, {}]}])
    ideas = read(tmp_path, source, features(tmp_path, PAIRS, HOURLY), utc("2024-01-08T02:00")).ideas
    assert ideas.strategy.tolist() == ["Mine", "Other"]
    assert ideas.known_at.astype("datetime64[m]").astype(str).tolist() == ["2024-01-05T14:00", "2024-01-05T13:05"]
    assert ideas.costs is None


@pytest.mark.parametrize("content", [b"{}", b"[[1, 2]]", b'{"strategy": {"S": {"trades": []}}}'])
def test_json_that_holds_no_trades(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DataError, match=r"x.json (can't be read as json: it holds no (list|trade)|has no column)"):
        read(tmp_path, str(tmp_path / "x.json"), features(tmp_path, PAIRS, HOURLY), utc("2024-01-08T02:00"))


# backtesting.py

BACKTESTING = """\
Size,EntryBar,ExitBar,EntryPrice,ExitPrice,SL,TP,PnL,Commission,ReturnPct,EntryTime,ExitTime,Duration,Tag,"Entry_SMA(C,10)"
-5,63,75,100.0,102.0,,,-12.02,2.02,-0.02404,2024-01-10,2024-01-12,2 days,,175.809
5,75,76,102.0,105.06,,,12.9,2.0706,0.02594,2024-01-12,2024-01-13,1 days,up,176.58
5,80,95,100.0,101.0,,,3.0,2.01,0.00598,2024-01-20,2024-02-04,15 days,up,176.58
"""


def test_backtesting(tmp_path: Path) -> None:
    """The symbol is the file's name. Known a bar after the exit's; its bars are a day, since two times are a day apart.

    Of the first exit that isn't known yet: two days before is the nearest time.
    """
    (tmp_path / "GOOG.csv").write_text(BACKTESTING)
    rows = features(tmp_path, ["GOOG"], DAILY)
    ideas = read(tmp_path, f"{tmp_path}/GOOG.csv", rows, utc("2024-02-06T02:00")).ideas
    assert ideas.symbol.tolist() == ["GOOG"] * 3
    assert ideas.strategy.tolist() == ["", "up", "up"]
    assert ideas.features[:, 6].tolist() == [0, 1, 1]
    assert ideas.outcome.tolist() == [-0.02404, 0.02594, 0.00598]
    assert ideas.costs is not None
    assert ideas.costs[:, 0] == pytest.approx([0.00404, 0.00406, 0.00402])
    assert ideas.known_at.astype("datetime64[D]").astype(str).tolist() == ["2024-01-14", "2024-01-14", "2024-02-05"]
    # Rows 0, 1, ... are of January 1, 2, ...: entered at the opening of the 10th, the row of the 9th was known.
    assert ideas.features[:, 0].tolist() == [8, 10, 18]
    early = read(tmp_path, f"{tmp_path}/GOOG.csv", rows, utc("2024-02-04T02:00"))
    assert (len(early.ideas), early.notes[-1]) == (2, "1 idea still open left out")


# vectorbt

VECTORBT = """\
Exit Trade Id,Column,Size,Entry Timestamp,Avg Entry Price,Entry Fees,Exit Timestamp,Avg Exit Price,Exit Fees,PnL,Return,Direction,Status,Position Id
0,AAA,10,2024-01-02 00:00:00+00:00,11.0,0.11,2024-01-05 00:00:00+00:00,10.0,0.1,-10.21,-0.0928181818,Long,Closed,0
1,AAA,10,2024-01-07 00:00:00+00:00,10.0,0.1,2024-01-12 00:00:00+00:00,11.0,0.0,9.9,0.099,Long,Open,1
2,BBB,10,2024-01-03 00:00:00+00:00,11.0,0.11,2024-01-05 00:00:00+00:00,10.0,0.1,9.79,0.089,Short,Closed,2
"""  # noqa: E501  # its header, letter for letter


def test_vectorbt(tmp_path: Path) -> None:
    """An open trade's exit is the last bar: it is left out, however long ago, and counted."""
    (tmp_path / "trades.csv").write_text(VECTORBT)
    rows = features(tmp_path, ["AAA", "BBB"], DAILY)
    data = read(tmp_path, f"{tmp_path}/trades.csv", rows, utc("2024-02-05T02:00"))
    assert data.ideas.symbol.tolist() == ["AAA", "BBB"]
    assert data.ideas.features[:, 6].tolist() == [1, 0]
    assert data.ideas.outcome.tolist() == [-0.0928181818, 0.089]
    assert data.ideas.costs is not None
    assert data.ideas.costs[:, 0] == pytest.approx([0.21 / 110] * 2)
    assert data.notes == ("1 idea still open left out",)
    assert data.ideas.features[:, 0].tolist() == [0, 1]


def test_vectorbt_of_one_column_or_several_levels(tmp_path: Path) -> None:
    """A Series has the column 0: the symbol is the file's name."""
    rows = features(tmp_path, ["AAA"], DAILY)
    (tmp_path / "AAA.csv").write_text(VECTORBT.replace("AAA", "0").replace("BBB", "0"))
    ideas = read(tmp_path, f"{tmp_path}/AAA.csv", rows, utc("2024-02-05T02:00")).ideas
    assert ideas.symbol.tolist() == ["AAA", "AAA"]
    (tmp_path / "AAA.csv").write_text(VECTORBT.replace("AAA", "\"(10, 'AAA')\""))
    with pytest.raises(DataError, match=r"several levels\. Export the trades of one column a symbol"):
        read(tmp_path, f"{tmp_path}/AAA.csv", rows, utc("2024-02-05T02:00"))


# nautilus

NAUTILUS = """\
position_id,trader_id,strategy_id,instrument_id,account_id,opening_order_id,closing_order_id,entry,side,quantity,peak_qty,ts_init,ts_opened,ts_last,ts_closed,duration_ns,avg_px_open,avg_px_close,commissions,realized_return,realized_pnl,is_snapshot
P-1,T-1,EMA-1,AAA.SIM,SIM-1,O-1,O-2,BUY,FLAT,0,"1_000",0,2024-01-10 10:00:00+00:00,0,2024-01-11 15:30:00+00:00,1,100.0,102.0,"['20.00 USD', '20.40 USD']",0.02,"1_959.60 USD",False
P-2,T-1,EMA-1,AAA.SIM,SIM-1,O-3,O-4,SELL,FLAT,0,500,0,2024-01-12 10:00:00+00:00,0,2024-01-12 15:30:00+00:00,1,100.0,102.0,['20.20 USD'],-0.02,-1020.20 USD,False
P-3,T-1,EMA-1,AAA.SIM,SIM-1,O-5,,BUY,LONG,500,500,0,2024-01-13 10:00:00+00:00,0,,,100.0,,['10.00 USD'],0.0,-10.00 USD,False
"""  # noqa: E501  # its header, letter for letter


def test_nautilus(tmp_path: Path) -> None:
    """Net of commissions, by the money that was made; times of fills are exact."""
    (tmp_path / "positions.csv").write_text(NAUTILUS.replace('"1_000"', "1000"))
    rows = features(tmp_path, ["AAA.SIM"], DAILY)
    data = read(tmp_path, f"{tmp_path}/positions.csv", rows, utc("2024-02-05T02:00"), ideas_freshness_days=60)
    assert data.ideas.outcome == pytest.approx([0.019596, -0.020404])
    assert data.ideas.costs is not None
    assert data.ideas.costs[:, 0] == pytest.approx([0.000404, 0.000404])
    assert data.ideas.strategy.tolist() == ["EMA-1"] * 2
    assert data.ideas.features[:, 6].tolist() == [1, 0]
    assert (data.ideas.known_at == data.ideas.closed_at).all()
    assert data.notes == ("1 idea still open left out",)


@pytest.mark.parametrize(
    ("old", "new"), [("['20.20 USD']", "['20.20 EUR']"), ("-1020.20 USD", "-10202.00 USD"), ("-0.02,", "-0.04,")]
)
def test_nautilus_of_which_the_return_cannot_be_known(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "positions.csv").write_text(NAUTILUS.replace('"1_000"', "1000").replace(old, new))
    with pytest.raises(DataError, match=r"don't make the realized_return -0.0[24] of row 2 .*Write `outcome` yourself"):
        read(tmp_path, f"{tmp_path}/positions.csv", features(tmp_path, ["AAA.SIM"], DAILY), utc("2024-02-05T02:00"))


# The join.


def test_without_features_the_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "trades.csv").write_text(VECTORBT)
    with pytest.raises(DataError, match=r"trades.csv \(vectorbt\) has trades and no features.*_IDEA_FEATURES"):
        load(f"ideas:{tmp_path}/trades.csv", utc("2024-02-05T02:00"), Settings())


def own(folder: Path, times: list[str]) -> str:
    """Trades of one's own without features, each held for an hour."""
    time = pd.to_datetime(pd.Series(times), utc=True, format="ISO8601")
    frame = pd.DataFrame({"symbol": "AAA", "time": time, "action": "-1", "outcome": 0.01})
    return write(folder, "own.csv", frame.assign(closed_at=time + pd.Timedelta("1h")))


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        ("2024-01-05T10:00", 9),  # the row of 9:00 is known at 10:00, that of 10:00 isn't
        ("2024-01-05T10:59", 9),
        ("2024-01-05T09:59:59", 8),
        ("2024-01-08T23:00", 94),  # the opening of the last row: the one before it ends there
        ("2024-01-08T23:59", 94),
    ],
)
def test_a_row_is_known_when_the_next_bar_begins(tmp_path: Path, entry: str, row: int) -> None:
    rows = features(tmp_path, ["AAA"], HOURLY)
    data = read(tmp_path, own(tmp_path, [entry]), rows, utc("2024-01-09T02:00"))
    assert data.ideas.features[:, [0, 6]].tolist() == [[row, 0]]
    by_close = read(tmp_path, own(tmp_path, [entry]), rows, utc("2024-01-09T02:00"), bar_stamp="close")
    assert by_close.ideas.features[0, 0] == row + 1


@pytest.mark.parametrize("entry", ["2024-01-05T00:30", "2024-01-09T00:01", "2024-01-20T10:00"])
def test_no_row_known_within_a_bar(tmp_path: Path, entry: str) -> None:
    """Before the first row ends; after the last; long after it."""
    rows = features(tmp_path, ["AAA"], HOURLY)
    with pytest.raises(DataError, match=r"1 of 1 ideas, over 5%, have no row .*\(the first: AAA 2024-01-"):
        read(tmp_path, own(tmp_path, [entry]), rows, utc("2024-01-21T02:00"))
    some = [*HOURLY[2:-2].astype(str), entry]
    data = read(tmp_path, own(tmp_path, some), rows, utc("2024-01-21T02:00"))
    assert len(data.ideas) == len(some) - 1
    assert data.notes == ("1 idea without features known at the entry left out",)


def test_symbols_that_are_written_otherwise(tmp_path: Path) -> None:
    rows = features(tmp_path, ["AAA.US"], HOURLY)
    with pytest.raises(DataError, match=r"It has rows of AAA\.US: write symbols alike in both"):
        read(tmp_path, own(tmp_path, ["2024-01-05T10:00"]), rows, utc("2024-01-09T02:00"))


def test_a_column_known_at_says_it_all(tmp_path: Path) -> None:
    rows = pd.DataFrame({"symbol": "AAA", "time": HOURLY, "known_at": HOURLY + pd.Timedelta("90min")})
    rows = rows.assign(rsi14=range(len(rows)), **dict.fromkeys(FEATURES[1:-1], 0.5))
    data = read(tmp_path, own(tmp_path, ["2024-01-05T10:29", "2024-01-05T10:30"]), write(tmp_path, "f.csv", rows),
                utc("2024-01-09T02:00"))  # fmt: skip
    assert data.ideas.features[:, 0].tolist() == [8, 9]


def test_rows_that_are_no_bars_are_refused(tmp_path: Path) -> None:
    """One row a trade, stamped with its entry: the row before it is that of another trade."""
    times = pd.DatetimeIndex(HOURLY[[0, 1, 3, 4, 7, 9, 12, 18, 20, 23, 28, 29, 33, 40, 41, 47, 50, 58, 61, 68, 70, 79]])
    rows = features(tmp_path, ["AAA"], times)
    source = own(tmp_path, times[3:].astype(str).tolist())
    with pytest.raises(DataError, match=r"only \d of the 21 distances .*so they aren't one row a bar"):
        read(tmp_path, source, rows, utc("2024-01-09T02:00"))
    data = read(tmp_path, source, rows, utc("2024-01-09T02:00"), bar_stamp="close")
    assert data.ideas.features[:, 0].tolist() == list(range(3, 22))


def test_nothing_later_matters(tmp_path: Path) -> None:
    """The same ideas, whatever is added to trades or features after the as-of."""
    as_of = utc("2024-01-06T12:00")
    times = HOURLY[2:80].astype(str).tolist()
    first = read(tmp_path, own(tmp_path, times), features(tmp_path, ["AAA"], HOURLY), as_of)
    for count in (36, 37, 40, 60):
        cut = HOURLY[: count + 1]
        entries = [time for time in times if pd.Timestamp(time) < HOURLY[count]]
        again = read(tmp_path, own(tmp_path, entries), features(tmp_path, ["AAA"], cut), as_of)
        assert again.fingerprint() == first.fingerprint(), count
    with pytest.raises(AsOfError):
        read(tmp_path, own(tmp_path, times), features(tmp_path, ["AAA"], HOURLY), utc("2024-01-05T01:00"))


def test_fees_in_money_and_open_marks_of_ones_own_files(tmp_path: Path) -> None:
    time = pd.to_datetime(pd.Series(["2024-01-05T10:00Z", "2024-01-05T11:00Z", "2024-01-05T12:00Z"]))
    frame = pd.DataFrame(
        {"symbol": "AAA", "time": time, "action": ["long", "SHORT", "1"], "outcome": [0.01, 0.02, 0.03]}
    )
    frame = frame.assign(closed_at=time + pd.Timedelta("1h"), **dict.fromkeys(FEATURES[:-1], 0.5))
    frame = frame.assign(
        fees=[2.0, 3.0, 4.0], size=[10, -10, 10], entry_price=100.0, status=["closed", "Closed", "open"]
    )
    data = load(f"ideas:{write(tmp_path, 'own.csv', frame)}", utc("2024-01-09T02:00"), Settings())
    assert data.ideas.outcome.tolist() == [0.01, 0.02]
    assert data.ideas.features[:, 6].tolist() == [1, 0]
    assert data.ideas.costs is not None
    assert data.ideas.costs[:, 0].tolist() == [0.002, 0.003]
    assert data.notes == ("1 idea still open left out",)
    rebate = load(
        f"ideas:{write(tmp_path, 'own.csv', frame.assign(fees=[-2.0, 3.0, 4.0]))}", utc("2024-01-09T02:00"), Settings()
    )
    assert rebate.ideas.costs is None


def test_excursions_in_another_unit(tmp_path: Path) -> None:
    time = pd.to_datetime(pd.Series(HOURLY[:20].astype(str)), utc=True)
    frame = pd.DataFrame({"symbol": "AAA", "time": time, "action": "buy", "outcome": [0.01, -0.02] * 10})
    frame = frame.assign(closed_at=time + pd.Timedelta("1h"), **dict.fromkeys(FEATURES[:-1], 0.5))
    for mae, mfe, noted in ((-0.02, 0.012, False), (0.021, 0.01, False), (-2.0, 1.2, False), (-0.0002, 0.0001, True)):
        uri = f"ideas:{write(tmp_path, 'own.csv', frame.assign(mae=mae, mfe=mfe))}"
        notes = load(uri, utc("2024-01-09T02:00"), Settings()).notes
        assert notes == (("20 outcomes lie outside of their MAE and MFE: are the three in one unit?",) if noted else ())
