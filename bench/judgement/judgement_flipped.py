"""Weeks without a verdict for want of trades, where the market's sign flips under a champion that learned the old one.

`gatekeeper rehearse` follows 312 Mondays of made-up labelled ideas with the recipe `logistic`: what a feature foretold
for four years turns round, so the champion goes on approving losers, and challengers, trained on both, approve almost
nothing. Printed: the weeks that no policy could judge (gates `enough` and `defined`), and what became of the champion.

Usage: judgement_flipped.py [--weeks N] [--floor N]
"""

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import judgement_rehearsed as rehearsal
import numpy as np

FIRST, FLIP = datetime(2014, 1, 6, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
A_WEEK, EDGE = 5, 0.35


def ideas(file: Path, weeks: int, seed: int = 0) -> None:
    """Five ideas a week from FIRST on; bbWidth foretells the outcome, and from FLIP on its opposite."""
    rng = np.random.default_rng(seed)
    end = FLIP + timedelta(weeks=weeks + 60)
    with file.open("w") as out:
        out.write("symbol,time,strategy,action,rsi14,adx14,fastMASlowDelta,bbWidth,avgSent,avgOB,outcome,closed_at\n")
        week = FIRST
        while week < end:
            for number in range(A_WEEK):
                begun = week + timedelta(days=number)
                signal = rng.standard_normal()
                made = 0.01 * ((EDGE if begun < FLIP else -EDGE) * signal + rng.standard_normal())
                others = f"{rng.uniform(20, 80):.4f},{rng.uniform(10, 40):.4f},{rng.normal():.4f},{signal:.4f},0,0"
                ended = begun + timedelta(days=2)
                out.write(
                    f"S{number},{begun:%Y-%m-%dT%H:%M:%SZ},made_up,buy,{others},{made:.6f},{ended:%Y-%m-%dT%H:%M:%SZ}\n"
                )
            week += timedelta(weeks=1)


def main() -> None:
    """Prints the weeks by policy and deciding gate."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--weeks", type=int, default=312)
    words.add_argument("--floor", type=int, help="another floor of the weeks in which two models must differ")
    given = words.parse_args()
    first = FLIP + timedelta(weeks=60)
    last = first + timedelta(weeks=given.weeks - 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ideas(folder / "ideas.csv", given.weeks)
        document = rehearsal.rehearsed(
            f"ideas:{folder}/ideas.csv",
            folder,
            "--starts",
            "1",
            first=first,
            last=last,
            floor=given.floor,
            GATEKEEPER_RECIPE="logistic",
        )
        rehearsal.show(document)


if __name__ == "__main__":
    main()
