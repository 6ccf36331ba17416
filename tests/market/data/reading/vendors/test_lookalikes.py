"""Files that look like another kind are read as what they are, or refused: never wrongly without a word."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_bars import utc
from vendor_files import BARS, HOURS, TIMES, text, vendor_files

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.tapes import tape
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers, tables
from gatekeeper.market.data.reading.vendors.bars import BARS as SHAPE

HEADER = "Date,Open,High,Low,Close,Volume"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"


def read(path: Path) -> Table:
    (table,) = tables(str(path), SHAPE)
    return table


def save(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def rows(form: str = "%Y-%m-%d", between: str = ",", scale: float = 1.0) -> list[str]:
    """A line a bar: time, prices, volume."""
    prices = BARS[["open", "high", "low", "close"]] * scale
    return [
        between.join([t, *(f"{price:.2f}" for price in own), f"{volume:.0f}"])
        for t, own, volume in zip(text(TIMES, form), prices.to_numpy(), BARS["volume"], strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "minutes", "symbol"),
    [
        ("US500", 1440, "US500"),
        ("NAS100", 60, "NAS100"),
        ("GER40", 1440, "GER40"),
        ("US30", 1440, "US30"),
        ("JPN225", 60, "JPN225"),
        ("US3030", 30, "US30"),
        ("NAS10060", 60, "NAS100"),
        ("EURUSD1440", 1440, "EURUSD"),
        ("EURUSD_60", 60, "EURUSD"),
        ("EURUSD10080", 10080, "EURUSD"),
    ],
)
def test_metatraders_minutes_are_told_from_digits_of_the_symbol(
    tmp_path: Path, name: str, minutes: int, symbol: str
) -> None:
    """The bars themselves say how long they are."""
    stamps = np.datetime64("2024-01-01", "m") + np.arange(40) * np.timedelta64(minutes, "m")
    lines = [f"{str(t)[:10].replace('-', '.')},{str(t)[11:16]},1.1,1.2,1.0,1.1,5" for t in stamps]
    table = read(save(tmp_path / f"{name}.csv", lines))
    assert (table.vendor, table.stem) == ("MetaTrader 4", symbol)


@pytest.mark.parametrize("price", ["110'16", "110'165", "110'317", "-110'16"])
def test_thirty_seconds_of_bonds_are_no_thousands(tmp_path: Path, price: str) -> None:
    """110'16 is 110.5, never 11016."""
    table = read(
        save(
            tmp_path / "ZN.csv", [HEADER, *(f"{t},{price},{price},{price},{price},5" for t in text(TIMES, "%Y-%m-%d"))]
        )
    )
    assert np.isnan(numbers(table.frame["open"])).all()


def test_thousands_with_apostrophes(tmp_path: Path) -> None:
    """As the Swiss write them."""
    lines = [f"{t},11'016.5,11'456,10'999.25,11'098,1'234'567" for t in text(TIMES, "%Y-%m-%d")]
    frame = read(save(tmp_path / "SMI.csv", [HEADER, *lines])).frame
    first = [numbers(frame[name])[0] for name in ("open", "high", "low", "close", "volume")]
    assert first == [11016.5, 11456, 10999.25, 11098, 1234567]


@pytest.mark.parametrize(
    ("prices", "right"),
    [
        ("100000000000,101000000000,99000000000,100500000000", [100, 101, 99, 100.5]),
        ("100.25,101.5,99,100.5", [100.25, 101.5, 99, 100.5]),
        ("100.25,102,99,100.5", [100.25, 102, 99, 100.5]),
        ("100.000000000,101.000000000,99.000000000,100.000000000", [100, 101, 99, 100]),
    ],
)
def test_databentos_billionths_are_told_from_whole_dollars(tmp_path: Path, prices: str, right: list[float]) -> None:
    """A column of whole dollars beside others with decimals isn't raw."""
    lines = [f"{t},35,1,1,{prices},5,ES" for t in text(TIMES, "%Y-%m-%dT00:00:00Z")]
    frame = read(save(tmp_path / "X.csv", [DATABENTO, *lines])).frame
    assert [numbers(frame[name])[0] for name in ("open", "high", "low", "close")] == right


def test_a_price_that_databento_leaves_out_changes_no_other(tmp_path: Path) -> None:
    """An empty cell makes pandas read whole numbers as floats."""
    raw = "100000000000,101000000000,99000000000"
    lines = [f"{t},35,1,1,{raw},{'' if i == 50 else 100500000000},5,ES" for i, t in enumerate(text(TIMES, "%Y-%m-%d"))]
    frame = read(save(tmp_path / "X.csv", [DATABENTO, *lines])).frame
    assert [numbers(frame[name])[0] for name in ("open", "high", "low", "close")] == [100, 101, 99, 100.5]
    assert np.isnan(numbers(frame["close"])[50])


def test_databentos_whole_dollars_alone_are_refused(tmp_path: Path) -> None:
    lines = [f"{t},35,1,1,100,101,99,100,5,ES" for t in text(TIMES, "%Y-%m-%dT00:00:00Z")]
    with pytest.raises(DataError, match=r"X\.csv: its prices are whole numbers around 100, too small for billionths"):
        read(save(tmp_path / "X.csv", [DATABENTO, *lines]))


@pytest.mark.parametrize(
    "numbers",
    [range(43831, 43891), range(60), range(2020001, 2020061), range(26297280, 26297340), range(240101, 240161)],
    ids=["spreadsheet days", "row numbers", "year and day", "minutes since 1970", "years of two digits"],
)
def test_small_numbers_are_no_epochs(numbers: range) -> None:
    column = pd.Series(list(numbers))
    with pytest.raises(DataError, match="as epochs is of 1970 to 1973 in all rows"):
        times.parse(column, "X.csv: time")
    instants, _ = times.parse(column, "X.csv: time", unit="s")
    assert instants[0] == np.datetime64(numbers[0], "s")


def test_old_epochs_beside_newer_ones_and_before_1970_are_read() -> None:
    seconds = pd.Series([-1325583000, 0, 86400, 1700000000])
    instants, _ = times.parse(seconds, "X.csv: time")
    np.testing.assert_array_equal(instants, seconds.to_numpy().astype("datetime64[s]"))


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n"])
def test_any_end_of_line(tmp_path: Path, end: str) -> None:
    frame = read(save(tmp_path / "X.csv", [HEADER, *rows()], end)).frame
    np.testing.assert_array_equal(times.parse(frame["time"], "time")[0], TIMES)


def test_a_clock_with_half_days_in_a_column_of_its_own(tmp_path: Path) -> None:
    lines = ["Date,Time,Open,High,Low,Close,Volume", *rows("%m/%d/%Y,%I:%M %p")]
    frame = read(save(tmp_path / "X.csv", lines)).frame
    np.testing.assert_array_equal(times.parse(frame["time"], "time")[0], TIMES)


def test_json_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "X.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"X\.json can't be read as json"):
        read(tmp_path / "X.json")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """It would be a symbol that no report can show."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/A\xff.csv")).write_text("\n".join([HEADER, *rows()]))
    with pytest.raises(DataError, match=r"the name of .*A\\udcff\.csv is not UTF-8"):
        read(tmp_path)


def test_hidden_files_of_an_archive_are_no_data(tmp_path: Path) -> None:
    """As those of a folder are none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bars/AAA.csv", "\n".join([HEADER, *rows()]))
        for name in ("bars/._AAA.csv", "__MACOSX/bars/._AAA.csv", "bars/.~AAA.csv"):
            archive.writestr(name, b"\0\5\x16\7")
    (tmp_path / "all.zip").write_bytes(packed.getvalue())
    assert read(tmp_path).stem == "AAA"


def test_a_setting_that_the_vendors_opens_deny_is_refused(tmp_path: Path) -> None:
    """Around the clock no session shows it: each bar of Binance would be used an hour ahead of its close."""
    (file,) = (each for each in vendor_files() if each.name.startswith("BTCUSDT-1h"))
    found = list(tables(file.write(tmp_path), SHAPE))
    with pytest.raises(DataError, match=r"are a bar's opens \(Binance\), and GATEKEEPER_BAR_STAMP=close would use"):
        tape(found, "close", "x")
    (mapped,) = tables(str(tmp_path / file.name), SHAPE, {"stamp": "close"})
    assert tape([mapped], "close", "x").series[0].stamp == "close"


@pytest.mark.parametrize("late", [0, -3_600_000, -86_400_000])
def test_a_bar_that_closes_before_it_opens_is_refused(tmp_path: Path, late: int) -> None:
    """As if its close were of another zone: each bar would be known before it began."""
    opens = HOURS.astype("datetime64[ms]").astype(np.int64)
    lines = [f"{t},1,1,1,1,5,{t + late}" for t in opens]
    header = "open_time,open,high,low,close,volume,close_time"
    found = read(save(tmp_path / "BTCUSDT-1h-2024-01.csv", [header, *lines]))
    with pytest.raises(DataError, match=r"own close is not after the open in .* row 1 \(BTCUSDT 2024-01-02T00"):
        tape([found], "open", "x").book(utc("2026-01-05T02:00"))
    whole = read(
        save(tmp_path / "BTCUSDT-1h-2024-01.csv", [header, *(f"{t},1,1,1,1,5,{t + 3_599_999}" for t in opens)])
    )
    (bars,) = tape([whole], "open", "x").book(utc("2026-01-05T02:00")).candles
    np.testing.assert_array_equal(bars.closes_at, HOURS + np.timedelta64(1, "h"))
