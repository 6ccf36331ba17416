"""Table files, folders and globs of every kind, and unreadable ones."""

import gzip
import os
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pandas as pd
import pytest
from market_bars import random_bars, write

from gatekeeper.errors import ConfigError, DataError, Unavailable
from gatekeeper.market.data.reading.files import tables

BARS = random_bars(20, seed=0)


def stems(uri: Path | str) -> list[str]:
    return [table.stem for table in tables(str(uri))]


@pytest.mark.parametrize("name", ["X.csv", "X.parquet", "X.pq", "X.feather"])
def test_each_kind_gives_the_same_table(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "X.parquet" if name == "X.pq" else name, BARS)
    if name == "X.pq":
        path = str(Path(path).rename(tmp_path / name))
    (table,) = tables(path)
    assert table.stem == "X"
    pd.testing.assert_frame_equal(table.frame.astype({"time": object}), BARS.astype({"time": object}), rtol=1e-12)


def test_a_packed_file_reads_as_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "X.csv.gz").write_bytes(gzip.compress(BARS.to_csv(index=False).encode()))
    (table,) = tables(str(tmp_path / "X.csv.gz"))
    assert (table.stem, len(table.frame)) == ("X", 20)


def test_a_web_server_says_when_a_file_was_written(tmp_path: Path) -> None:
    """`Last-Modified`, which an HTTP server takes from the file."""
    path = Path(write(tmp_path, "X.csv", BARS))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        (table,) = tables(f"http://127.0.0.1:{server.server_port}/X.csv")
        server.shutdown()
    assert table.written == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_store_that_keeps_no_times_says_nothing_of_them() -> None:
    fsspec.filesystem("memory").pipe_file("/bars/X.csv", BARS.to_csv(index=False).encode())
    (table,) = tables("memory://bars/X.csv")
    assert table.written is None


def test_file_folder_glob_and_url(tmp_path: Path) -> None:
    for name in ("B.csv", "A.parquet", "C.csv"):
        write(tmp_path, name, BARS)
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / ".hidden.csv").write_text("not data")
    (tmp_path / "more").mkdir()
    write(tmp_path / "more", "D.csv", BARS)
    assert stems(tmp_path / "B.csv") == ["B"]
    assert stems(tmp_path) == ["A", "B", "C"]
    assert stems(tmp_path / "*.csv") == ["B", "C"]
    assert stems(tmp_path / "**" / "*.csv") == ["B", "C", "D"]
    assert stems(f"file://{tmp_path}/C.csv") == ["C"]


def test_a_name_with_glob_signs_is_a_name_first(tmp_path: Path) -> None:
    write(tmp_path, "X[1].csv", BARS)
    assert stems(tmp_path / "X[1].csv") == ["X[1]"]


def test_tickers_stay_text(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("\ufefftime,symbol,open\n2018-01-01,NA,1\n2018-01-02,007,\n2018-01-03,TRUE,nan\n")
    (table,) = tables(str(tmp_path / "all.csv"))
    assert table.frame["symbol"].tolist() == ["NA", "007", "TRUE"]
    assert table.frame["open"].isna().tolist() == [False, True, True]


def test_the_index_that_pandas_writes_is_no_trouble(tmp_path: Path) -> None:
    BARS.to_csv(tmp_path / "indexed.csv")
    BARS.set_index("time").to_parquet(tmp_path / "by_time.parquet")
    for table in tables(str(tmp_path)):
        table.require(("time", "open", "high", "low", "close"))
        assert len(table.frame) == 20


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n \n", "is empty"),
        ("x.csv", b"time,open\n1,2\n1,2,3\n", "can't be read as csv"),
        ("x.csv", b"time,open\n1,2,3\n1,2,3\n", "can't be read as csv"),
        ("x.csv", b"time,open,open\n1,2,3\n", "column open twice"),
        ("x.csv", b"\xff\xfe\x00", "it has no row"),
        ("x.csv.gz", b"time,open\n", "can't be read as csv"),
        ("x.parquet", b"version https://git-lfs.github.com/spec/v1\n", "can't be read as parquet"),
        ("x.parquet", b"", "is empty"),
        ("x.feather", b"<!DOCTYPE html>", "can't be read as feather"),
        ("x.csv.zst", b"time,open\n", "can't be read as csv"),
        ("x.zip", b"PK", "can't be read as zip"),
        ("x.dbn", b"DBN", "no kind that can be read"),
        ("x.json", b"{}", "no list of bars"),
        ("x.json", b"[", "can't be read as json"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fault) as error:
        list(tables(str(tmp_path / name)))
    assert str(tmp_path / name) in str(error.value)


def test_missing_columns_and_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("Date;Open\n1;2\n")
    (tmp_path / "y.csv").write_text("time,open\n")
    odd, bare = tables(str(tmp_path))
    with pytest.raises(DataError, match=r"x\.csv has no column time, open; it has: Date, Open"):
        odd.require(("time", "open"))
    with pytest.raises(DataError, match=r"y\.csv has a header and no rows"):
        bare.require(("time", "open"))


def test_no_data_is_an_error(tmp_path: Path) -> None:
    """Case 39: the export is missing. Nothing is made up."""
    (tmp_path / "notes.txt").write_text("hello")
    for uri in (tmp_path / "missing.csv", tmp_path, tmp_path / "*.parquet", tmp_path / "no" / "folder"):
        with pytest.raises(DataError, match="no data at"):
            list(tables(str(uri)))


def test_an_unknown_store_is_an_error_of_the_setting() -> None:
    for uri in ("", "nosuchstore://bucket/x.csv"):
        with pytest.raises(ConfigError):
            list(tables(uri))


@pytest.mark.parametrize("rest", ["x.csv", "folder", "*.csv", "folder/*/x[ab].csv"])
def test_a_store_that_refuses_the_connection_is_not_empty(rest: str) -> None:
    """To some back ends a refused connection is a file that isn't there: `found nothing`, and no second try."""
    with pytest.raises(Unavailable, match=r"can't list webhdfs://127.0.0.1:9/data/.* is the store up"):
        stems(f"webhdfs://127.0.0.1:9/data/{rest}")
