"""Weeks without a verdict for want of trades, where the market's sign flips under a champion that learned the old one.

`gatekeeper rehearse` follows 312 Mondays of made-up labelled ideas with the recipe `logistic`: what a feature foretold
for four years turns round, so the champion goes on approving losers, and challengers, trained on both, approve almost
nothing. Printed: the weeks that no policy could judge (gates `enough` and `defined`), and what became of the champion.

Usage: judgement_flipped.py [--weeks N]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

FIRST, FLIP = datetime(2014, 1, 6, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
A_WEEK, EDGE = 5, 0.35
WANTING = {"enough", "defined"}
TRADES = re.compile(r"challenger approved (\d+)[^;]*champion approved (\d+)[^;]*\(floor (\d+)\);")


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


def wants_trades(message: str) -> bool:
    """Whether either model's trades are under the floor of the gate that decided."""
    told = TRADES.search(message)
    return told is not None and min(int(told[1]), int(told[2])) < int(told[3])


def main() -> None:
    """Prints the weeks by policy and deciding gate."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--weeks", type=int, default=312)
    given = words.parse_args()
    first = FLIP + timedelta(weeks=60)
    last = first + timedelta(weeks=given.weeks - 1)
    with tempfile.TemporaryDirectory() as folder:
        ideas(Path(folder) / "ideas.csv", given.weeks)
        environment = {
            **os.environ,
            "GATEKEEPER_DATA": f"ideas:{folder}/ideas.csv",
            "GATEKEEPER_RECIPE": "logistic",
            "GATEKEEPER_WORK": folder,
            "GATEKEEPER_REPORTS": folder,
        }
        command = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "rehearse", "--json"]
        command += ["--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}"]
        ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(ended.stderr[-2000:])
        document = json.loads(ended.stdout)
    for holdout, part in document["holdouts"].items():
        for name, result in part["policies"].items():
            looks = result["looks"]
            by = Counter((look["answer"], look["decided_by"]) for look in looks)
            stuck = [look for look in looks if look["answer"] == "undecided" and look["decided_by"] in WANTING]
            few = [look for look in stuck if wants_trades(look["message"])]
            promoted = [look["as_of"][:10] for look in looks if look["promoted"]]
            print(f"holdout {holdout}, {name}, of {len(looks)} weeks:", end=" ")
            print(f"{len(few)} without a verdict for want of trades, {len(stuck) - len(few)} as the two hardly differ;")
            print(f"    promoted {', '.join(promoted)}; {by.most_common(5)}")


if __name__ == "__main__":
    main()
