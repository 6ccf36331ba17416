"""Table files: CSV, Parquet and other tables behind a URI, local or on any store that fsspec reaches.

A URI is a file, a folder or a glob.
"""

import gzip
import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal
from zipfile import BadZipFile

import fsspec
import fsspec.core
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import ConfigError, DataError, Unavailable
from gatekeeper.logs import clear_stores
from gatekeeper.market.data import freqtrade_results
from gatekeeper.secret_urls import SecretUrl, shown

_KINDS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"}
_KINDS |= {".json": "json", ".zip": "zip"}  # of freqtrade
_UNREADABLE = (ValueError, TypeError, KeyError, OSError, EOFError, zlib.error, BadZipFile, pd.errors.ParserWarning)
_FORMATS = ", ".join(sorted(_KINDS))
# Columns that stay text, so that the ticker NA is no missing value and 007 keeps its zeros.
_TEXT = ("time", "symbol", "strategy", "action", "closed_at", "known_at", "path")
_MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "None"]


@dataclass(frozen=True, slots=True)
class Table:
    """The content of one file. The frame's index counts its data rows from 0.

    written: when the file was written (modification time, `Last-Modified`); None if its store doesn't say.
    vendor: the name of its vendor, "" if none is recognised. stamp: what its times stand for, zone: where times without
    an offset are of; None if the vendor doesn't say. notes: what people should know of how it was read.
    """

    name: str
    stem: str
    frame: pd.DataFrame
    written: datetime | None = None
    vendor: str = ""
    stamp: Literal["open", "close"] | None = None
    zone: str | None = None
    notes: tuple[str, ...] = ()

    def require(self, columns: tuple[str, ...]) -> None:
        """Raises DataError if the file lacks one of `columns`, or has no rows."""
        missing = [column for column in columns if column not in self.frame.columns]
        if missing:
            found = ", ".join(str(column) for column in self.frame.columns) or "none"
            raise DataError(f"{self.name} has no column {', '.join(missing)}; it has: {found}. Rename or add columns")
        if self.frame.empty:
            raise DataError(f"{self.name} has a header and no rows; remove the file or fill it")

    def text(self, column: str) -> pd.Series:
        """A column as stripped text, "" for an empty cell."""
        values = self.frame[column]
        return values.astype("str").where(values.notna(), "").str.strip()


def tables(uri: str) -> Iterator[Table]:
    """The tables of all files that `uri` names, in order of their paths.

    Raises DataError (missing, empty, unreadable), ConfigError (no such kind of store), Unavailable (can't be reached).
    """
    filesystem, path = _store(uri)
    for file in _expand(filesystem, path, uri):
        stem, packed, kind = _kind(file)
        yield Table(shown(file), stem, _frame(shown(file), _read(filesystem, file), kind, packed=packed))


def _url(text: str) -> SecretUrl:
    """`text` as a URL; if no parser reads it surely, all of it is a secret."""
    try:
        return SecretUrl.store(text)
    except ValueError:
        return SecretUrl(text, shown(text), {text}, {text})


def _store(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    if not uri:
        raise ConfigError("GATEKEEPER_DATA names no file: write candles:PATH, a file, folder or glob")
    clear_stores()
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"no store for {shown(uri)!r}: {_url(uri).hide(error)}; use a path, or install fsspec's back end for it"
        ) from _url(uri).harmless(error)
    except Exception as error:  # noqa: BLE001  # some connect already: FTP, or an archive behind a URL
        raise Unavailable(
            f"can't open {shown(uri)}: {_url(uri).hide(error)}; is it there, and is the store up?"
        ) from _url(uri).harmless(error)
    return filesystem, str(path)


def _expand(filesystem: fsspec.AbstractFileSystem, path: str, uri: str) -> list[str]:
    try:
        if filesystem.isfile(path):
            return [path]
        folder = bool(filesystem.isdir(path))
        found = filesystem.ls(path, detail=False) if folder else filesystem.glob(path)
        files = sorted(str(file) for file in found if filesystem.isfile(file))
        if not files:
            _refuse_unreachable(filesystem, path)
    except Exception as error:  # noqa: BLE001  # every back end has errors of its own, and each means the same here
        raise Unavailable(
            f"can't list {shown(uri)}: {_url(uri).hide(error)}; is the store up, and are you allowed to read it?"
        ) from _url(uri).harmless(error)
    usable = [file for file in files if not PurePosixPath(file).name.startswith(".")]
    if folder:
        usable = [file for file in usable if _kind(file)[2]]
    if not usable:
        seen = f"{len(files)} other files" if files else "nothing"
        raise DataError(f"no data at {shown(uri)}: found {seen}. Name a file, folder or glob of {_FORMATS}")
    return usable


def _refuse_unreachable(filesystem: fsspec.AbstractFileSystem, path: str) -> None:
    """Raise what the store says of the path, or of the folder of its glob, if it says anything but that it isn't there.

    To `isfile` and `glob` of some back ends, a connection that was refused is a file that isn't there.
    """
    plain = path[: min((at for mark in "*?[" if (at := path.find(mark)) >= 0), default=len(path))]
    with suppress(FileNotFoundError, NotADirectoryError):
        filesystem.info(plain if plain == path else plain.rpartition("/")[0])


def _kind(file: str) -> tuple[str, bool, str]:
    """(name without endings, compressed?, kind of table or "")."""
    path = PurePosixPath(file.partition("?")[0] if "://" in file else file)  # a URL may have options behind the name
    packed = path.suffix.lower() == ".gz"
    if packed:
        path = path.with_suffix("")
    return path.stem, packed, _KINDS.get(path.suffix.lower(), "")


def _read(filesystem: fsspec.AbstractFileSystem, file: str) -> bytes:
    try:
        return bytes(filesystem.cat_file(file))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        url = _url(file)
        raise DataError(
            f"can't read {url}: {url.hide(error)}; name another file or allow reading it"
        ) from url.harmless(error)
    except Exception as error:  # noqa: BLE001  # every back end has errors of its own, and each means the same here
        url = _url(file)
        raise Unavailable(f"can't read {url}: {url.hide(error)}; is the store up?") from url.harmless(error)


def _frame(file: str, content: bytes, kind: str, *, packed: bool = False) -> pd.DataFrame:
    if not kind:
        raise DataError(f"{file} is of no kind that can be read; convert it to one of {_FORMATS}")
    if not content.strip():
        raise DataError(f"{file} is empty (0 bytes of data); remove it or fill it")
    try:
        frame = _parse(gzip.decompress(content) if packed else content, kind)
    except _UNREADABLE as error:
        # pandas, pyarrow and gzip raise these, or what derives from them, for content that isn't what it should be
        raise DataError(f"{file} can't be read as {kind}: {str(error).splitlines()[0]}; export it again") from error
    frame = frame.reset_index() if frame.index.name == "time" else frame.reset_index(drop=True)
    return frame.set_axis([str(column).strip() for column in frame.columns], axis=1)


def _parse(content: bytes, kind: str) -> pd.DataFrame:
    if kind == "parquet":
        return pd.read_parquet(io.BytesIO(content))
    if kind == "feather":
        return pd.read_feather(io.BytesIO(content))
    if kind in ("json", "zip"):
        return freqtrade_results.trades(content, packed=kind == "zip")
    first = pd.read_csv(io.BytesIO(content), header=None, nrows=1, dtype="str", encoding="utf-8-sig").iloc[0]
    # An unnamed column is the index that pandas writes: nobody asks for it.
    names = [f"unnamed {i}" if pd.isna(name) else str(name).strip() for i, name in enumerate(first)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"it has the column {twice[0]} twice")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose data
        return pd.read_csv(
            io.BytesIO(content),
            header=0,
            names=names,
            index_col=False,
            dtype={name: "str" for name in names if name in _TEXT},
            na_values={name: [""] if name in _TEXT else _MISSING for name in names},
            keep_default_na=False,
            encoding="utf-8-sig",
            low_memory=False,  # else a column's type may differ from chunk to chunk
        )


def numbers(column: pd.Series) -> NDArray[np.float64]:
    """A column as float64, NaN for a cell that doesn't hold a number."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
