"""Time of reading files of bars: what recognising them adds to the bare reader, and ten million rows by column."""

import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from results import ITS_TIME, Result, pair

from gatekeeper.market.data.bars import tapes
from gatekeeper.market.data.demo import demo_last_monday, demo_tables
from gatekeeper.market.data.reading.files import tables
from gatekeeper.market.data.reading.vendors.bars import BARS

BINANCE, PARQUET, LARGE = 100_000, 1_000_000, 10_000_000
WEEKS = 520
MINUTE = 60_000  # ms
SECTION = "Reading"


def main(*, quick: bool) -> list[Result]:
    """Each file beside its bare reader, and each as-of of a tape beside reading its tables anew."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        binance, parquet = (1_000, 1_000) if quick else (BINANCE, PARQUET)
        csv = _binance(folder, binance)
        found = [
            _beside("Binance's CSV", csv, binance, lambda: pd.read_csv(csv, header=None, low_memory=False), quick=quick)
        ]
        for rows in (parquet,) if quick else (parquet, LARGE):
            file = _parquet(folder, rows)
            found.append(_beside("Parquet", file, rows, lambda file=file: pd.read_parquet(file), quick=quick))
        if not quick:
            found[-1] = _with_memory(found[-1], folder)
    return [*found, _as_ofs(20 if quick else WEEKS, quick=quick)]


def _beside(kind: str, file: Path, rows: int, bare: Callable[[], object], *, quick: bool) -> Result:
    return pair(
        SECTION,
        f"{kind} recognised and read",
        f"{rows:,} rows",
        "pandas alone",
        lambda: list(tables(str(file), BARS)),
        bare,
        as_=ITS_TIME,
        at_most=1.05,
        rounds=2 if quick else 7,
        cpu=True,
    )


def _as_ofs(weeks: int, *, quick: bool) -> Result:
    """The bars of one as-of after the other, as a rehearsal takes them from a tape that was read once."""
    tape = tapes.tape(demo_tables(), "open", "demo:")
    as_ofs = [demo_last_monday() - timedelta(weeks=back) for back in range(weeks)]
    return pair(
        SECTION,
        "bars known at each as-of, from a tape",
        f"{weeks} as-ofs",
        "reading the files anew, a tenth of the as-ofs",
        lambda: [tape.book(as_of) for as_of in as_ofs],
        lambda: [tapes.book(demo_tables(), as_of, "open", "demo:") for as_of in as_ofs[::10]],
        as_=ITS_TIME,
        rounds=2 if quick else 7,
        cpu=True,
    )


def _with_memory(result: Result, folder: Path) -> Result:
    """The result, with the most memory that a process takes for reading the file in its note."""
    peaks = []
    for work in (_read_whole, _read_bare):
        with get_context("spawn").Pool(1) as alone:
            peaks.append(alone.apply(work, (str(folder / f"{LARGE}.parquet"),)))
    ours, bare = (peak / 1e9 for peak in peaks)
    return replace(result, note=f"at most {ours:.2f} GB of memory, {bare:.2f} GB for pandas alone")


def _read_whole(file: str) -> int:
    held = list(tables(file, BARS))
    return _peak(len(held))


def _read_bare(file: str) -> int:
    return _peak(len(pd.read_parquet(file)))


def _peak(_: int) -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _binance(folder: Path, rows: int) -> Path:
    """A month of minutes as Binance writes it: no header, twelve columns, closes at the last millisecond."""
    opened = 1_609_459_200_000 + MINUTE * np.arange(rows)
    o, h, lo, c, volume = _prices(rows)
    columns = [opened, o, h, lo, c, volume, opened + MINUTE - 1, volume * c, 100, volume / 2, volume * c / 2, 0]
    file = folder / "BTCUSDT-1m-2021-01.csv"
    pd.DataFrame(dict(enumerate(columns))).to_csv(file, header=False, index=False)
    return file


def _parquet(folder: Path, rows: int) -> Path:
    """Minutes under names that are known, and not ours."""
    o, h, lo, c, volume = _prices(rows)
    times = pd.date_range("2004-01-01", periods=rows, freq="min", tz="UTC")
    file = folder / f"{rows}.parquet"
    frame = {"timestamp": times, "Open": o, "High": h, "Low": lo, "Close": c, "Volume": volume}
    pd.DataFrame(frame).to_parquet(file)
    return file


def _prices(rows: int) -> tuple[np.ndarray, ...]:
    """Open, high, low, close and volume, rounded as vendors round them."""
    random = np.random.default_rng(17)
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-4, rows)))
    opened = np.append(100, close[:-1])
    high, low = np.maximum(opened, close) * 1.0005 + 0.01, np.minimum(opened, close) * 0.9995 - 0.01
    volume = random.lognormal(5, 1, rows).round(3)
    return opened.round(2), high.round(2), low.round(2), close.round(2), volume
