"""Files of no known shape: refused with what was seen and a mapping that, once it is pasted, loads them."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_bars import random_bars
from vendor_files import BARS, TIMES, text

from gatekeeper.config import load, override
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers, tables
from gatekeeper.market.data.reading.vendors.bars import BARS as SHAPE
from gatekeeper.pipeline import start
from gatekeeper.settings import Settings

Row = Callable[[str, dict[str, float]], str]


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def investing(day: str, bar: dict[str, float]) -> str:
    shown = ",".join(f'"{bar[name] * 100:,.2f}"' for name in ("close", "open", "high", "low"))
    return f'"{day}",{shown},"{bar["volume"] / 1000:.2f}K","-0.31%"'


def german(day: str, bar: dict[str, float]) -> str:
    shown = ";".join(comma(bar[name]) for name in ("open", "high", "low", "close"))
    return f"{day};{shown};{bar['volume']:.0f};1"


def plain(
    day: str, bar: dict[str, float], mark: str = ";", order: tuple[str, ...] = ("open", "high", "low", "close")
) -> str:
    return mark.join([day, *(f"{bar[name]:.2f}" for name in order), f"{bar['volume']:.0f}"])


def chinese(day: str, bar: dict[str, float]) -> str:
    return plain(day, bar, ",", ("open", "close", "high", "low"))


# header, row, form of the date, encoding, factor of the prices
SHAPES = {
    "Investing.com": ('"Date","Price","Open","High","Low","Vol.","Change %"', investing, "%m/%d/%Y", "utf-8", 100),
    "German": ("Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen", german, "%Y-%m-%d", "utf-8", 1),
    "German, old": ("Datum;Erster;Hoch;Tief;Schlußkurs;Stücke;Volumen", german, "%d.%m.%Y", "cp1252", 1),
    "French": ("date;ouv;haut;bas;clot;vol", plain, "%d/%m/%Y", "utf-8", 1),
    "Chinese": ("日期,开盘,收盘,最高,最低,成交量", chinese, "%Y-%m-%d", "utf-8", 1),
    "Chinese, old": ("日期,开盘,收盘,最高,最低,成交量", chinese, "%Y-%m-%d", "gbk", 1),
    "Chinese, API": ("trade_date,a,b,c,d,vol", chinese, "%Y%m%d", "utf-8", 1),
    "no header": ("", plain, "%Y-%m-%d %H:%M", "utf-8", 1),
    "nothing known": ("k;z;q;r;s;w", plain, "%Y-%m-%d", "utf-16", 1),
}


def content(shape: str) -> bytes:
    header, row, form, encoding, _ = SHAPES[shape]
    rows = [row(day, bar) for day, bar in zip(text(TIMES, form), BARS.to_dict("records"), strict=True)]
    rows = rows[::-1] if shape == "Investing.com" else rows
    return ("\n".join([header, *rows] if header else rows) + "\n").encode(encoding)


def refused(path: Path, columns: dict[str, object] | None = None) -> DataError:
    with pytest.raises(DataError) as error:
        list(tables(str(path), SHAPE, columns, "fx"))
    return error.value


def refusal(path: Path, columns: dict[str, object] | None = None) -> str:
    return str(refused(path, columns))


def pasted(message: str) -> dict[str, object]:
    """The mapping that a refusal ends with, as desks.toml reads it."""
    return tomllib.loads(message[message.index("columns = {") :])["columns"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mapping_of_a_refusal_loads_the_file(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "X.csv"
    path.write_bytes(content(shape))
    message = refusal(path)
    assert "X.csv has no column" in message
    assert "First lines: " in message
    (table,) = tables(str(path), SHAPE, pasted(message))
    instants, _ = times.parse(table.frame["time"], "time")
    in_order = np.argsort(instants)
    np.testing.assert_array_equal(instants[in_order], TIMES)
    for name in ("open", "high", "low", "close"):
        found = numbers(table.frame[name])[in_order]
        np.testing.assert_allclose(found, BARS[name] * SHAPES[shape][4], rtol=1e-9, err_msg=name)


def test_what_the_bars_dont_show_is_left_to_fill_in(tmp_path: Path) -> None:
    """Ten rows of unknown names show nothing; an empty name is refused with how to write it."""
    path = tmp_path / "X.csv"
    path.write_bytes(b"\n".join(content("nothing known").decode("utf-16").encode().split(b"\n")[:11]))
    message = refusal(path)
    assert 'close = ""' in message
    assert tomllib.loads(refused(path).mapping) == {"fx": {"columns": pasted(message)}}
    assert pasted(message)["time"] == "k"
    with pytest.raises(ConfigError, match="open = '' is not the name of a column"):
        list(tables(str(path), SHAPE, pasted(message)))


@pytest.mark.parametrize(("one", "other"), [("open", "close"), ("high", "low"), ("open", "high")])
def test_a_wrong_mapping_is_refused(tmp_path: Path, one: str, other: str) -> None:
    path = tmp_path / "X.csv"
    path.write_bytes(content("French"))
    right = pasted(refusal(path))
    message = refusal(path, {**right, one: right[other], other: right[one]})
    assert "say which column holds what in [columns]" in message


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"opne": "ouv"}, "opne is not known for bars"),
        ({"open": 3}, "not the name of a column"),
        ({"date_order": "year"}, "Write one of 'day', 'month'"),
        ({"zone": "Mars"}, "is not a time zone"),
        ({"encoding": "latin-99"}, "one that Python knows"),
        ({"header": "no"}, "Write true or false"),
        ({"file_name": "x"}, "where the symbol stands"),
    ],
)
def test_a_mapping_that_cant_be_used_is_refused(tmp_path: Path, columns: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        list(tables(str(tmp_path), SHAPE, columns))


def test_an_encoding_that_no_letter_tells_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    rows = plain_csv().replace("volume\n", "volume,Börse\n", 1).replace("\n2024", ",x\n2024")
    path.write_bytes(rows.encode("cp1252"))
    message = refusal(path)
    assert "it is not UTF-8 (byte 0xF6 in line 1)" in message
    assert 'encoding = "cp1252"' in message


def plain_csv() -> str:
    return BARS.assign(date=text(TIMES, "%Y-%m-%d"))[["date", *BARS.columns]].to_csv(index=False)


def test_doubtful_numbers_and_dates_are_refused_until_they_are_told(tmp_path: Path) -> None:
    """1.234 may be 1234; 01/02/2024 may be in January."""
    path = tmp_path / "X.csv"
    rows = [f"{day:02}/02/2024;1.234;1.250;1.200;1.240" for day in range(1, 13)]
    path.write_text("\n".join(["date;open;high;low;close", *rows]) + "\n")
    assert "'1.234' may be 1.234 or 1234" in refusal(path)
    assert 'date_order = "day" or "month"' in refusal_of_time(path, {"decimal": "."})
    (table,) = tables(str(path), SHAPE, {"decimal": ",", "date_order": "day"})
    assert numbers(table.frame["open"]).tolist() == [1234.0] * 12
    assert str(times.parse(table.frame["time"], "t")[0][-1])[:10] == "2024-02-12"


def refusal_of_time(path: Path, columns: dict[str, object]) -> str:
    with pytest.raises(DataError) as error:
        times.parse(next(iter(tables(str(path), SHAPE, columns))).frame["time"], "t")
    return str(error.value)


def symbols(folder: Path, pattern: str = "*") -> list[str]:
    return [table.stem for table in tables(f"{folder}/{pattern}", SHAPE)]


def save(folder: Path, name: str, start: str, n: int = 30) -> None:
    days = np.datetime64(start, "ns") + np.arange(n) * np.timedelta64(1, "D")
    random_bars(n, 1, days).to_csv(folder / name, index=False)


def test_files_of_one_symbol_are_one_symbol(tmp_path: Path) -> None:
    """Cases 81 and 82. A year is a date if the bars are of it: RUSSELL_2000 is an index."""
    for name, first in (
        ("AAPL-1d-2005.csv", "2005-01-03"),
        ("AAPL-1d-2006.csv", "2006-01-02"),
        ("BTC.csv", "2024-01-01"),
        ("BTC (1).csv", "2024-01-20"),
        ("MSFT_2024-01.csv", "2024-01-02"),
        ("RUSSELL_2000.csv", "2024-01-01"),
        ("sample-2.csv", "2024-01-01"),
    ):
        save(tmp_path, name, first)
    assert symbols(tmp_path) == ["AAPL", "AAPL", "BTC", "BTC", "MSFT", "RUSSELL_2000", "sample-2"]


def test_one_symbol_in_bars_of_two_lengths_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "AAPL-1d-2005.csv", "2005-01-03")
    save(tmp_path, "AAPL-1h-2005.csv", "2005-01-03")
    with pytest.raises(DataError, match=r"AAPL in bars of two lengths, 1d and 1h; name one length by a glob"):
        symbols(tmp_path)
    assert symbols(tmp_path, "*1h*") == ["AAPL"]


def test_a_symbol_by_a_pattern_of_the_file_name(tmp_path: Path) -> None:
    save(tmp_path, "BINANCE_BTCUSDT, 1D.csv", "2024-01-01")
    (table,) = tables(str(tmp_path), SHAPE, {"file_name": "{}_{symbol}, {}"})
    assert table.stem == "BTCUSDT"


def test_two_columns_of_times_must_agree(tmp_path: Path) -> None:
    frame = BARS.assign(date=text(TIMES, "%Y-%m-%d"), timestamp=TIMES.astype("datetime64[s]").astype(np.int64))
    frame.to_csv(tmp_path / "X.csv", index=False)
    (table,) = tables(str(tmp_path), SHAPE)
    assert len(table.frame) == len(BARS)
    frame.assign(timestamp=frame["timestamp"] + 3600).to_csv(tmp_path / "X.csv", index=False)
    assert "timestamp and date may each be the bar's time and differ" in refusal(tmp_path / "X.csv")
    assert isinstance(next(iter(tables(str(tmp_path), SHAPE, {"time": "date"}))), Table)


def test_columns_from_a_file_or_from_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's table wins; a file may have its header or not; both are in the run key, which else stays as it was."""
    monkeypatch.chdir(tmp_path)
    Path("map.toml").write_text('[fx.columns]\ntime = ["Datum", "Zeit"]\nopen = "Erster"\n')
    monkeypatch.setenv("GATEKEEPER_COLUMNS", "map.toml")
    of_file = load()
    assert of_file.columns == {"time": ["Datum", "Zeit"], "open": "Erster"}
    Path("desks.toml").write_text('[default.columns]\nopen = "ouv"\nheader = true\n')
    assert load().columns == {"open": "ouv", "header": True}
    Path("desks.toml").unlink()
    as_of, now = pd.Timestamp("2018-11-05T02:00Z"), pd.Timestamp("2026-01-01T00:00Z")
    keys = {
        start(as_of.to_pydatetime(), now=now.to_pydatetime(), settings=one).key
        for one in (Settings(), override(Settings(), {"columns": {}}), of_file)
    }
    assert len(keys) == 2
    monkeypatch.setenv("GATEKEEPER_COLUMNS", "nowhere.toml")
    with pytest.raises(ConfigError, match=r"GATEKEEPER_COLUMNS.*can't be read"):
        load()
    Path("desks.toml").write_text("[default]\ncolumns = 3\n")
    with pytest.raises(ConfigError, match="is a value, not a table"):
        load()
    Path("desks.toml").write_text("[default.columns]\nopen = 3\n")
    with pytest.raises(ConfigError, match="open = 3 in columns of desk default is not text"):
        load()
