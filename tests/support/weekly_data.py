"""Made-up markets of the end-to-end tests: labelled ideas with an edge that is planted, or without one."""

from pathlib import Path

import numpy as np
import pandas as pd

SMALL_EDGE = 0.0005


def write_ideas(
    path: Path, *, start: str, end: str, edge_from: str | None, seed: int, edge: float = 0.006, a_day: int = 2
) -> str:
    """Labelled ideas, `a_day` each business day at 15:00 UTC, closed a day later; the URI to read them by.

    Every idea has a small gain on average and noise of 1 %. From `edge_from` on, a sign that RSI gives adds or takes
    `edge`: who learned it then keeps the winners.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range(start, end, tz="UTC") + pd.Timedelta(hours=15)
    time = np.repeat(days, a_day)
    count = len(time)
    rsi = rng.uniform(20, 80, count)
    outcome = 0.0015 + rng.normal(0, 0.01, count)
    if edge_from is not None:
        outcome += np.where(time >= pd.Timestamp(edge_from, tz="UTC"), edge * np.sign(rsi - 50), 0.0)
    frame = pd.DataFrame(
        {
            "symbol": [f"S{number % a_day}" for number in range(count)],
            "time": time,
            "action": np.where(rng.random(count) < 0.5, "buy", "sell"),
            "rsi14": rsi,
            "adx14": rng.uniform(10, 40, count),
            "fastMASlowDelta": rng.normal(0, 0.02, count),
            "bbWidth": rng.uniform(0.02, 0.1, count),
            "avgSent": 0.0,
            "avgOB": 0.0,
            "outcome": outcome,
            "closed_at": time + pd.Timedelta(days=1),
        }
    )
    frame.to_csv(path, index=False)
    return f"ideas:{path}"
