"""Time of the data checks of a book of bars, next to the replay of the same bars."""

from dataclasses import replace

import numpy as np
from market import LATER, walk
from results import ITS_TIME, Result, pair

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.untraded import untraded
from gatekeeper.market.data.checks.all import run
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.replay.kernel import replay
from gatekeeper.settings import Settings

SYMBOLS, DAYS = 100, 2_500
SETTINGS = Settings()
NOTE = "splits, twins, repeated, stale and constant bars, volumes; a weekly run checks once, a rehearsal once in all"


def main(*, quick: bool) -> list[Result]:
    """All checks beside the replay."""
    book = tuple(daily(seed, DAYS) for seed in range(10 if quick else SYMBOLS))
    checked = Checked(book, None, LATER, SETTINGS)
    return [
        pair(
            "Data checks",
            f"all checks of {DAYS:,} daily bars each",
            f"{len(book):,} symbols",
            "the replay of the same bars",
            lambda: run(checked),
            lambda: [replay(bars, LATER, SETTINGS) for bars in book],
            as_=ITS_TIME,
            at_most=0.05,
            rounds=2 if quick else 7,
            note=NOTE,
        )
    ]


def daily(seed: int, bars: int) -> Candles:
    """One symbol's days, as a source hands them to the checks, with a volume that varies."""
    days = np.busday_offset("2010-01-04", np.arange(bars)).astype("datetime64[ns]")
    volume = np.random.default_rng(seed).lognormal(10, 0.5, bars).round()
    dated = replace(walk(bars, seed), opens_at=days, closes_at=days + np.timedelta64(1, "D"), volume=volume)
    return replace(dated, session=dated.days, untraded=untraded(dated))
