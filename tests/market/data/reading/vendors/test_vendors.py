"""Every vendor's files, as it writes them, become the bars that they hold."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from vendor_files import BARS, TIMES, VendorFile, text, vendor_files

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers, tables
from gatekeeper.market.data.reading.vendors.bars import BARS as SHAPE
from gatekeeper.market.data.reading.vendors.bars import VENDORS

FILES = vendor_files()


def check(table: Table, file: VendorFile) -> None:
    """Its times, prices and volume are those that were written."""
    symbols = table.text("symbol") if "symbol" in table.frame.columns else pd.Series([table.stem] * len(table.frame))
    assert sorted(set(symbols)) == sorted(file.symbols)
    for symbol in file.symbols:
        rows = table.frame[(symbols == symbol).to_numpy()]
        instants, _ = times.parse(rows["time"], table.name)
        np.testing.assert_array_equal(instants, file.times)
        for column in ("open", "high", "low", "close"):
            np.testing.assert_allclose(numbers(rows[column]), file.bars[column], rtol=1e-6)
        if not file.source_has_no_volume:
            np.testing.assert_allclose(numbers(rows["volume"]), file.bars["volume"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.vendor}: {file.name}")
def test_a_vendors_file_becomes_its_bars(tmp_path: Path, file: VendorFile) -> None:
    (table,) = tables(file.write(tmp_path), SHAPE)
    assert table.vendor == file.vendor
    check(table, file)


def test_every_vendor_has_a_file_and_stands_on_the_page() -> None:
    """And what is from memory says so there."""
    assert {vendor.name for vendor in VENDORS} == {file.vendor for file in FILES}
    page = (Path(__file__).parents[5] / "docs" / "get-started" / "your-data.md").read_text()
    table = page[page.index("### Vendors") : page.index("*From memory*")]
    on_page = {
        line.split("|")[1].strip(): "from memory" in line for line in table.splitlines() if line.startswith("| ")
    }
    assert on_page.pop("vendor") is False
    assert on_page == {vendor.name: vendor.from_memory for vendor in VENDORS}


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
@pytest.mark.parametrize("file", FILES[::4], ids=lambda file: file.name)
def test_packed_or_not_it_is_the_same(tmp_path: Path, file: VendorFile, packing: str) -> None:
    name, content = file.name.removesuffix(".gz"), file.content
    if file.name.endswith(".gz"):
        content = gzip.decompress(content)
    if packing == "zip":
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(name, content)
        packed, target = whole.getvalue(), f"{Path(name).stem}.zip"
    else:
        packed = gzip.compress(content) if packing == "gz" else pa.compress(content, "zstd", asbytes=True)
        target = f"{name}.{packing}"
    (tmp_path / target).write_bytes(packed)
    (table,) = tables(str(tmp_path / target), SHAPE)
    check(table, file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_whatever_unicode_it_is_saved_in(tmp_path: Path, encoding: str) -> None:
    file = next(file for file in FILES if file.vendor == "Dukascopy")
    (tmp_path / file.name).write_bytes(file.content.decode().encode(encoding))
    (table,) = tables(str(tmp_path / file.name), SHAPE)
    check(table, file)


def test_the_close_times_of_a_vendor_are_the_ends_of_its_bars(tmp_path: Path) -> None:
    """Binance writes 23:59:59.999, or .999999 in microseconds."""
    for file in FILES:
        if file.vendor == "Binance":
            (table,) = tables(file.write(tmp_path), SHAPE)
            ends, naive = times.parse(table.frame["closes_at"], "ends")
            assert not naive.any()
            np.testing.assert_array_equal(ends[:-1], file.times[1:])


def test_prices_are_adjusted_by_an_adjusted_close_and_it_is_said(tmp_path: Path) -> None:
    for file in FILES:
        if file.vendor in ("yfinance (before 2025)", "qlib"):
            (table,) = tables(file.write(tmp_path), SHAPE)
            assert any(note.startswith("prices are adjusted by") for note in table.notes)
    plain = BARS.assign(Date=pd.date_range("2024-01-02", periods=len(BARS)), **{"Adj Close": BARS["close"]})
    plain.to_csv(tmp_path / "same.csv", index=False)
    (table,) = tables(str(tmp_path / "same.csv"), SHAPE)
    assert table.notes == ()
    assert table.frame["open"].tolist() == BARS["open"].tolist()


@pytest.mark.parametrize("by_ticker", [False, True])
def test_two_levels_of_columns_in_parquet(tmp_path: Path, by_ticker: bool) -> None:
    """yfinance's frames, by price or by ticker first; a ticker's day without a trade is no bar."""
    days = pd.DatetimeIndex(pd.date_range("2024-01-02", periods=len(BARS)), name="Date")
    frame = pd.concat({name: BARS.set_index(days).rename(columns=str.title) for name in ("AAPL", "MSFT")}, axis=1)
    frame.loc[days[3], "MSFT"] = np.nan
    frame = frame if by_ticker else frame.swaplevel(axis=1)
    frame.to_parquet(tmp_path / "both.parquet")
    (table,) = tables(str(tmp_path / "both.parquet"), SHAPE)
    assert table.frame["symbol"].value_counts().to_dict() == {"AAPL": len(BARS), "MSFT": len(BARS) - 1}
    assert table.vendor == "yfinance"


@pytest.mark.parametrize("name", ["time", "Date", None, "timestamp"])
def test_an_index_of_times_is_the_time(tmp_path: Path, name: str | None) -> None:
    days = pd.DatetimeIndex(pd.date_range("2024-01-02", periods=len(BARS), tz="UTC"), name=name)
    BARS.set_index(days).to_parquet(tmp_path / "X.parquet")
    BARS.set_index(days).to_csv(tmp_path / "Y.csv")
    for table in tables(str(tmp_path), SHAPE):
        instants, naive = times.parse(table.frame["time"], table.name)
        assert (str(instants[0])[:10], naive.any()) == ("2024-01-02", False)


def test_an_index_of_symbols_and_times(tmp_path: Path) -> None:
    """As Alpaca's client returns it."""
    days = pd.date_range("2024-01-02", periods=len(BARS), tz="UTC")
    index = pd.MultiIndex.from_product([["AAPL"], days], names=["symbol", "timestamp"])
    BARS.set_index(index).to_parquet(tmp_path / "X.parquet")
    (table,) = tables(str(tmp_path), SHAPE)
    assert set(table.frame["symbol"]) == {"AAPL"}


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_names_in_any_case_and_any_delimiter(tmp_path: Path, case: type[str], mark: str) -> None:
    named = BARS.assign(date=pd.date_range("2024-01-02", periods=len(BARS)).strftime("%Y-%m-%d"))
    named.rename(columns=case).to_csv(tmp_path / "X.csv", index=False, sep=mark)
    (table,) = tables(str(tmp_path / "X.csv"), SHAPE)
    np.testing.assert_array_equal(numbers(table.frame["close"]), BARS["close"])


def test_a_decimal_comma_and_thousands(tmp_path: Path) -> None:
    rows = ["Date;Open;High;Low;Close;Volume"]
    for day, bar in enumerate(BARS.head(28).to_dict("records"), start=1):
        shown = (f"{bar[name] * 100:,.2f}".translate(str.maketrans(",.", ".,")) for name in list(bar)[:4])
        rows.append(";".join([f"2024-01-{day:02}", *shown, f"{bar['volume']:,.0f}".replace(",", ".")]))
    (tmp_path / "DAX.csv").write_text("\n".join(rows))
    (table,) = tables(str(tmp_path / "DAX.csv"), SHAPE)
    np.testing.assert_allclose(numbers(table.frame["open"]), BARS["open"].head(28) * 100)
    np.testing.assert_array_equal(numbers(table.frame["volume"]), BARS["volume"].head(28))


def test_written_is_the_files_modification_time(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    BARS.assign(time=range(len(BARS))).to_csv(path, index=False)
    (table,) = tables(str(path))
    assert table.written is not None
    assert table.written.timestamp() == pytest.approx(path.stat().st_mtime, abs=1e-3)


def rows(header: str, form: str, row: str) -> bytes:
    """A line a bar. row: the line's form, with o h l c v and t, the time in `form`."""
    whole = [
        row.format(t=t, o=bar["open"], h=bar["high"], l=bar["low"], c=bar["close"], v=int(bar["volume"]))
        for t, bar in zip(text(TIMES, form), BARS.to_dict("records"), strict=True)
    ]
    return "\n".join([*([header] if header else []), *whole, ""]).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "web.csv",
            rows("Date,Open,High,Low,Close*,Adj Close**,Volume", "%b %d, %Y", '"{t}",{o},{h},{l},{c},{c},"{v:,}"'),
        ),
        ("ib.csv", rows("date,open,high,low,close,volume,average", "%Y%m%d  %H:%M:%S", "{t},{o},{h},{l},{c},{v},1")),
        ("am.csv", rows("Date,Open,High,Low,Close,Volume", "%m/%d/%Y %I:%M %p", "{t},{o},{h},{l},{c},{v}")),
        ("ami.csv", rows("Ticker,Date/Time,Open,High,Low,Close,Volume", "%m/%d/%Y", "X,{t},{o},{h},{l},{c},{v}")),
        ("two.csv", rows("Date, Time, Open, High, Low, Close, Volume", "%Y/%-m/%-d, %H:%M", "{t},{o},{h},{l},{c},{v}")),
        (
            "note.csv",
            rows(
                "# by me, at home, on a day, of May\nDate,Open,High,Low,Close,Volume",
                "%d-%b-%Y",
                "{t},{o},{h},{l},{c},{v}",
            ),
        ),
        (
            "above.csv",
            rows("AAPL\nDaily bars\n\nDate;Open;High;Low;Close;Volume", "%Y-%m-%d", "{t};{o};{h};{l};{c};{v}"),
        ),
        ("sep.csv", rows("sep=|\nDate|Open|High|Low|Close|Volume", "%Y-%m-%d", "{t}|{o}|{h}|{l}|{c}|{v}")),
        (
            "list.json",
            json.dumps(
                {
                    "symbol": "X",
                    "values": [
                        {"datetime": t, **{name: str(value) for name, value in bar.items()}}
                        for t, bar in zip(text(TIMES, "%Y-%m-%d"), BARS.to_dict("records"), strict=True)
                    ],
                }
            ).encode(),
        ),
        (
            "by_day.json",
            json.dumps(
                {
                    "Meta Data": {"2. Symbol": "IBM"},
                    "Time Series (Daily)": {
                        t: {f"{i}. {name}": str(value) for i, (name, value) in enumerate(bar.items(), start=1)}
                        for t, bar in zip(text(TIMES, "%Y-%m-%d"), BARS.to_dict("records"), strict=True)
                    },
                }
            ).encode(),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_shapes_that_no_vendor_declares(tmp_path: Path, name: str, content: bytes) -> None:
    """Each was a stumble of somebody who brought files of their own."""
    (tmp_path / name).write_bytes(content)
    (table,) = tables(str(tmp_path / name), SHAPE)
    instants, _ = times.parse(table.frame["time"], "time")
    np.testing.assert_array_equal(instants, TIMES)
    for column in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(numbers(table.frame[column]), BARS[column], rtol=1e-9)


def test_excel_with_its_extra_and_the_way_out_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = BARS.assign(Datum=pd.DatetimeIndex(TIMES))
    frame.rename(columns={"Datum": "Date"}).to_excel(tmp_path / "X.xlsx", index=False)
    (table,) = tables(str(tmp_path), SHAPE)
    np.testing.assert_array_equal(times.parse(table.frame["time"], "time")[0], TIMES)
    np.testing.assert_allclose(numbers(table.frame["close"]), BARS["close"])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"X\.xlsx is an Excel file.*install gatekeeper\[excel\], or save it as CSV"):
        list(tables(str(tmp_path), SHAPE))


def test_a_folders_notes_are_no_data(tmp_path: Path) -> None:
    """A README or settings beside the bars, and text files that hold bars where nothing else does."""
    (tmp_path / "README.txt").write_text("Bars, as they were.\n")
    (tmp_path / "aapl.us.txt").write_bytes(next(file.content for file in FILES if file.name == "aapl.us.txt"))
    assert [table.vendor for table in tables(str(tmp_path), SHAPE)] == ["Stooq (bulk)"]
    BARS.assign(time=range(len(BARS))).to_csv(tmp_path / "X.csv", index=False)
    (tmp_path / "settings.json").write_text("{}")
    assert [table.stem for table in tables(str(tmp_path), SHAPE)] == ["X"]
