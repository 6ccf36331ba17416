"""Concurrent promotions by eight processes: promotions a second, and rounds that end right.

In a round each process promotes a model of its own at the same moment. Unguarded, each may go in, and the round is
right where one is the primary in the end and every call succeeded. Guarded, each has seen the same state before; the
round is right where exactly one is told that it went in, and that one is the primary.
"""

import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mlflow_side
import registry
from databases import POSTGRESQL, SQLITE, DatabaseOf, postgresql, sqlite
from results import ITS_RATE, Result, compared, missing

SECTION = "Promotions at once"
PEERS = {"alias": "MLflow, alias", "stage": "MLflow, stage"}
PROCESSES, PROMOTIONS, ROUNDS, REPEATS = 8, 5, 5, 2  # ten rounds in all
NOTE = "ours writes the file that serves and an audit row; MLflow's sets a row"
GUARDED = "MLflow takes no condition: each looks once more before it sets"


def main(*, quick: bool) -> list[Result]:
    """On each database."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        results = measured(Path(name), SQLITE, sqlite, quick=quick)
        if not quick:
            results += measured(Path(name), POSTGRESQL, stack.enter_context(postgresql()), quick=quick)
        return results


def measured(folder: Path, kind: str, database: DatabaseOf, *, quick: bool) -> list[Result]:
    """All sides in turns. MLflow's two share a registry, long in the making: neither sees the other's mark."""
    peers = [] if quick or not mlflow_side.installed() else list(PEERS)
    ran: dict[str, list[dict[str, Any]]] = {side: [] for side in ("ours", *peers)}
    counts = (2, 2, 1) if quick else (PROCESSES, PROMOTIONS, ROUNDS)
    place = folder / kind
    place.mkdir()
    urls = {"ours": database(place, "ours")} | dict.fromkeys(peers, database(place, "mlflow"))
    registry.real(place, urls["ours"], 2 * counts[0]).close()
    if peers:
        mlflow_side.filled(urls[peers[0]], 2 * counts[0], (place / "mlflow_model").as_uri())
    for _ in range(1 if quick else REPEATS):
        for side in ran:
            ran[side].append(summed(race(side, urls[side], place, counts)))
    size = f"{counts[0]} processes"
    if not peers:
        return [missing(SECTION, f"promote at once, {kind}", "MLflow", mlflow_side.ABSENT, size)]
    return [row for side in peers for row in against(kind, size, PEERS[side], ran["ours"], ran[side])]


def race(side: str, url: str, folder: Path, counts: tuple[int, int, int]) -> list[dict[str, Any]]:
    """What each process outcomes."""
    words = [side, url, str(folder), *(str(count) for count in counts)]
    child = [sys.executable, str(Path(__file__).with_name("racers.py")), *words]
    outcomes: list[dict[str, Any]] = json.loads(
        subprocess.run(child, stdout=subprocess.PIPE, check=True, timeout=600).stdout
    )
    return outcomes


def summed(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Promotions a second, which rounds ended right, and how often each fault was raised."""
    took = max(one["ended"] for one in outcomes) - min(one["began"] for one in outcomes)
    faults: Counter[str] = Counter()
    for one in outcomes:
        faults.update(one["faults"])
    return {
        "rate": sum(one["promoted"] for one in outcomes) / took,
        "unguarded": [
            right(turn, wins=len(outcomes)) for turn in zip(*(one["unguarded"] for one in outcomes), strict=True)
        ],
        "guarded": [right(turn, wins=1) for turn in zip(*(one["guarded"] for one in outcomes), strict=True)],
        "faults": faults,
    }


def right(turn: tuple[Mapping[str, Any], ...], *, wins: int) -> bool:
    """So many were told that they went in, and everybody sees one of them, and nobody else, as the primary."""
    won = [one["won"] for one in turn if one["won"] is not None]
    seen = {tuple(one["primaries"]) for one in turn}
    return len(won) == wins and len(seen) == 1 and seen <= {(winner,) for winner in won}


def against(kind: str, size: str, peer: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[Result]:
    """Three rows: the rate, and how many rounds end right without and with a guard."""
    rates = [[one["rate"] for one in side] for side in (ours, theirs)]
    results = [rate(kind, size, peer, rates, f"{NOTE}; ours raised {raised(ours)}, theirs {raised(theirs)}")]
    for what, note in (("unguarded", ""), ("guarded", GUARDED)):
        good = [sum(sum(one[what]) for one in side) for side in (ours, theirs)]
        of = sum(len(one[what]) for one in ours)
        results.append(rounds(kind, size, peer, what, good, of, note))
    return results


def rate(kind: str, size: str, peer: str, rates: list[list[float]], note: str) -> Result:
    """Promotions a second, of those that went in."""
    shown = f"promote at once, {kind}"
    return compared(SECTION, shown, size, peer, *rates, as_=ITS_RATE, unit="promotions/s", note=note)


def rounds(kind: str, size: str, peer: str, what: str, good: list[int], of: int, note: str) -> Result:
    """How many ended right. Ours have to."""
    numbers = (float(good[0]), float(good[1]), f"right of {of} rounds", *[math.nan] * 3)
    target = f"{of} of {of}"
    return Result(SECTION, f"rounds, {what}, {kind}", size, peer, *numbers, "", target, good[0] == of, note)


def raised(ran: list[dict[str, Any]]) -> str:
    """Which faults, and how often."""
    faults: Counter[str] = Counter()
    for one in ran:
        faults.update(one["faults"])
    return ", ".join(f"{name} {count} times" for name, count in sorted(faults.items())) or "nothing"
