"""Kinds of table files by their endings, and what is in packed ones: gzip, zip and zstd."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import freqtrade_results

KINDS = {
    **{".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"},
    **{".txt": "text", ".tsv": "text", ".json": "json", ".jsonl": "json", ".xlsx": "excel", ".xls": "excel"},
}
FORMATS = ".arrow, .csv, .feather, .json, .parquet, .pq, .tsv, .txt, .xlsx"
# A folder may hold notes and settings in these: they count only if it has no table of another kind.
_OFTEN_OTHERWISE = frozenset({"text", "json", "excel"})
_PACKED = (".gz", ".zst", ".zip")


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table of a file: a packed archive may have several."""

    name: str
    stem: str
    kind: str
    content: bytes


def kind_of(file: str) -> tuple[str, str, str]:
    """(name without endings, the packing's ending or "", kind of table or "")."""
    path = PurePosixPath(file.partition("?")[0] if "://" in file else file)  # a URL may have options behind the name
    packing = path.suffix.lower() if path.suffix.lower() in _PACKED else ""
    if packing:
        path = path.with_suffix("")
    kind = KINDS.get(path.suffix.lower(), "")
    if packing == ".zip":  # what is in it has names of its own
        return (path.stem if kind else path.name), packing, kind or "zip"
    return path.stem, packing, kind


def counts_in_folder(files: list[str]) -> list[str]:
    """Those of a folder's files that are its tables."""
    kinds = {file: kind_of(file)[2] for file in files}
    usual = [file for file, kind in kinds.items() if kind and kind not in _OFTEN_OTHERWISE]
    return usual or [file for file, kind in kinds.items() if kind]


def parts(name: str, file: str, content: bytes) -> Iterator[TableFile]:
    """The tables in a file. Raises DataError (no kind that can be read, empty, or not packed as its name says)."""
    stem, packing, kind = kind_of(file)
    if not kind:
        raise DataError(f"{name} is of no kind that can be read; convert it to one of {FORMATS}")
    if not content or content.isspace():
        raise DataError(f"{name} is empty (0 bytes of data); remove it or fill it")
    if packing == ".zip":
        yield from _members(name, content)
        return
    try:
        yield TableFile(name, stem, kind, _unpacked(content, packing))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} can't be read as {kind}: {str(error).splitlines()[0]}; export it again") from error


def _unpacked(content: bytes, packing: str) -> bytes:
    if packing == ".gz":
        return gzip.decompress(content)
    if packing == ".zst":
        import pyarrow as pa

        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            return bytes(stream.read())
    return content


def _is_hidden(file: str) -> bool:
    """Whether an archive's file is one that desktops add, such as `._AAPL.csv`, as hidden files of a folder are."""
    path = PurePosixPath(file)
    return path.parts[0] == "__MACOSX" or path.name.startswith(".")


def _members(name: str, content: bytes) -> Iterator[TableFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tables = [file for file in archive.namelist() if not file.endswith("/") and kind_of(file)[2]]
            tables = counts_in_folder([file for file in tables if not _is_hidden(file)])
            read = [(file, archive.read(file)) for file in sorted(tables)]
            texts = [file for file in archive.namelist() if file.endswith(".json")]
            if result := freqtrade_results.among((file, archive.read(file)) for file in texts):
                read = [result]
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{name} can't be read as zip: {str(error).splitlines()[0]}; export it again") from error
    if not read:
        raise DataError(f"{name} holds no table; put files of {FORMATS} into it")
    for file, inside in read:
        yield from parts(f"{name}/{file}", file, inside)
