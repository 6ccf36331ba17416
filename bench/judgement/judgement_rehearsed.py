"""Rehearsals of the judgement benches: one in a process of its own, its weeks counted by the gate that decided."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

WANTING = {"enough", "defined"}
TRADES = re.compile(r"challenger approved (\d+)(?:[^;]*champion approved (\d+))?[^;]*\(floor (\d+)\);")
WEEKS = re.compile(r"in (\d+) distinct weeks? \(floor (\d+)")
FLOORED = """
from gatekeeper.judgement.statistics import pooled_error
pooled_error.FEWEST_WEEKS[True] = {floor}
"""
START = "from gatekeeper.cli import main; main()"


def rehearsed(
    data: str,
    folder: Path,
    *words: str,
    first: datetime | None = None,
    last: datetime | None = None,
    floor: int | None = None,
    **settings: str,
) -> Mapping[str, Any]:
    """The document of `gatekeeper rehearse`. floor: another one for the weeks in which two models must differ."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")},
        "GATEKEEPER_DATA": data,
        "GATEKEEPER_WORK": str(folder),
        "GATEKEEPER_REPORTS": str(folder),
        **settings,
    }
    code = START if floor is None else FLOORED.format(floor=floor) + START
    command = [sys.executable, "-c", code, "rehearse", "--json", "--jobs", "1", *words]
    command += [] if first is None else ["--from", f"{first:%Y-%m-%d}"]
    command += [] if last is None else ["--to", f"{last:%Y-%m-%d}"]
    ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr[-2000:])
    document: Mapping[str, Any] = json.loads(ended.stdout)
    return document


def wants_trades(message: str) -> bool:
    """Whether either model's trades are under the floor of the gate that decided; a first model has no champion."""
    told = TRADES.search(message)
    return told is not None and any(int(approved) < int(told[3]) for approved in told.group(1, 2) if approved)


def differing_weeks(message: str) -> int | None:
    """The weeks in which the two differ, if the floor on them is what isn't reached."""
    told = WEEKS.search(message)
    return int(told[1]) if told is not None and int(told[1]) < int(told[2]) else None


def show(document: Mapping[str, Any]) -> None:
    """Each policy's weeks without a verdict, by what is wanting, and all its weeks by answer and gate."""
    for holdout, part in document["holdouts"].items():
        for name, result in part["policies"].items():
            looks = result["looks"]
            stuck = [look for look in looks if look["answer"] == "undecided" and look["decided_by"] in WANTING]
            few = [look for look in stuck if wants_trades(look["message"])]
            alike = Counter(differing_weeks(look["message"]) for look in stuck if look not in few)
            other = alike.pop(None, 0)
            told = ", ".join(f"{count} of {weeks}" for weeks, count in sorted(alike.items()))
            print(
                f"\nholdout {holdout}, {name}, of {len(looks)} weeks: {len(few)} want trades; {alike.total()} differ",
                end="",
            )
            print(f" in too few weeks ({told}); {other} want something else", flush=True)
            by = Counter(f"{look['answer']} by {look['decided_by']}" for look in looks)
            print("    " + ", ".join(f"{count} {what}" for what, count in by.most_common()))
            promoted = [look["as_of"][:10] for look in looks if look["promoted"]]
            print(f"    {len(promoted)} promoted: {', '.join(promoted)}")
            made, error, tally = result["total_return"], result["return_error"] or 0.0, result["tally"]
            print(f"    made {100 * made:.1f} % ± {100 * error:.1f}; {tally}", flush=True)
        for result in part["references"]:
            made, error = result["total_return"], result["return_error"] or 0.0
            print(f"    beside it {result['name']} made {100 * made:.1f} % ± {100 * error:.1f}")
