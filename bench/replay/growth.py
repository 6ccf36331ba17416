"""Growth in time, memory and disk by bars and decisions, the source of docs/why/scale.md.

Nothing is beside these figures. Bars are one symbol's minutes in a Parquet file, read by a process of its own as
`retrain` reads them: all bars, checked, replayed, and the dataset written. Decisions go into the database as a server's
delivery thread brings them, in its batches.

Usage: growth.py FILE DATASET, which prints what one such process took, as JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from results import Result, alone, missing, peak_memory, processor

BARS = (10_000, 100_000, 1_000_000)
ROWS = (10_000, 100_000, 300_000)
BATCH = 1_000
"""Decisions at a time: about what a server's delivery reads at once."""
FIRST = datetime(2012, 1, 2, tzinfo=UTC)


def main(*, quick: bool) -> list[Result]:
    """Bars, then decisions on each database that is here."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = [result for bars in (BARS[:1] if quick else BARS) for result in read(folder, bars, apart=not quick)]
        return results + decisions(folder, (1_000,) if quick else ROWS, others=not quick)


def read(folder: Path, bars: int, *, apart: bool) -> list[Result]:
    """What a process takes that makes a dataset of so many bars; in this one, to prove that it runs."""
    source, dataset = folder / f"{bars}.parquet", folder / f"{bars}.npz"
    walk(bars).to_parquet(source)
    if apart:
        command = [sys.executable, __file__, str(source), str(dataset)]
        measured = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    else:
        measured = loaded(source, dataset)
    size = f"{bars:,} bars"
    return [
        alone("Growth", "bars to a dataset: time", size, [measured["cpu"]], unit="CPU s"),
        alone("Growth", "bars to a dataset: peak memory", size, [measured["peak"]], unit="MB"),
        alone("Growth", "bars to a dataset: its file", size, [dataset.stat().st_size / 1e6], unit="MB"),
        alone("Growth", "bars to a dataset: ideas in it", size, [measured["ideas"]], unit="ideas"),
    ]


def walk(bars: int) -> Any:
    """One symbol's minutes, seeded."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    wide = np.abs(rng.normal(0, 0.0003, (2, bars)))
    high, low = np.maximum(opened, close) * (1 + wide[0]), np.minimum(opened, close) * (1 - wide[1])
    times = pd.date_range(FIRST, periods=bars, freq="min")
    return pd.DataFrame({"time": times, "open": opened, "high": high, "low": low, "close": close})


def loaded(source: Path, dataset: Path) -> dict[str, float]:
    """In this process: the dataset of these bars, written."""
    import pandas as pd

    from gatekeeper.market import sources
    from gatekeeper.settings import Settings

    last = pd.read_parquet(source, columns=["time"])["time"].max() + timedelta(days=1)
    before = processor()
    made = sources.load(f"candles:{source}", last.to_pydatetime(), Settings())
    made.save(dataset)
    return {"ideas": len(made.ideas), "cpu": processor() - before, "peak": peak_memory()}


def decisions(folder: Path, sizes: Sequence[int], *, others: bool) -> list[Result]:
    """How fast each database takes decisions when so many are there, and what they take on its disk."""
    from databases import POSTGRESQL, SQLITE, postgresql, sqlite

    with ExitStack() as stack:
        places = {SQLITE: sqlite(folder, "growth")}
        results = []
        if others:
            try:
                places[POSTGRESQL] = stack.enter_context(postgresql())(folder, "growth")
            except ImportError:
                results.append(missing("Growth", "decisions", POSTGRESQL, "no server of it is installed here"))
        for kind, url in places.items():
            results += filled(kind, url, folder / kind, sizes)
    return results


def filled(kind: str, url: str, models: Path, sizes: Sequence[int]) -> list[Result]:
    """One database, from empty to its last size."""
    from sqlalchemy import create_engine, text

    from gatekeeper import registry
    from gatekeeper.registry import Registry

    registry.upgrade(url, models=models)
    asked = {
        "SQLite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "PostgreSQL": "SELECT pg_database_size(current_database())",
    }[kind]
    results, there = [], 0
    engine = create_engine(url)
    with Registry.open(url, models=models) as opened:
        for size in sizes:
            rates = []
            while there < size:
                count = min(BATCH, size - there)
                rates.append(count / delivered(opened.log_decisions, there, count))
                there += count
            with engine.connect() as connection:
                taken = connection.execute(text(asked)).scalar_one()
            last, about = rates[-10:], f"{size:,} decisions"
            results.append(alone("Growth", f"decisions into {kind}: rate", about, last, unit="decisions/s"))
            results.append(alone("Growth", f"decisions into {kind}: its size", about, [taken / 1e6], unit="MB"))
    engine.dispose()
    return results


def delivered(log: Callable[[Sequence[Sequence[Any]]], int], first: int, count: int) -> float:
    """Seconds for so many decisions, from their lines on."""
    from gatekeeper.registry.decision_log.line_format import Decision, decision_lines, parse

    features = (41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0)
    made = [
        Decision(
            idea_id=f"{number * 2_654_435_761 % 2**64:032x}",  # in no order, as random ones are
            at=(at := FIRST + timedelta(milliseconds=number)),
            time=at,
            symbol=f"SYM{number % 1_000}",
            strategy="trend_pullback",
            features=features,
            score=0.51,
            threshold=0.55,
            approved=False,
            model_id=1,
            version="gatekeeper_primary1",
            sha256="0" * 64,
            degraded=False,
        )
        for number in range(first, first + count)
    ]
    lines = decision_lines(made).splitlines()
    start = time.perf_counter()
    log(parse(lines))
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(loaded(*map(Path, sys.argv[1:]))))
