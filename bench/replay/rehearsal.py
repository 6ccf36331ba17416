"""Time of a rehearsal, next to the same Mondays' weekly runs, one `gatekeeper run` at a time.

Each policy needs a registry of its own, so three policies are three runs a Monday. Those are measured on a few Mondays
and multiplied: each takes as long as the one before. The rehearsal runs whole. A run also keeps registry, files and a
report, which a rehearsal doesn't; what both say of the same Mondays is compared.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from results import FASTER, Result, compared, processor

from gatekeeper import registry
from gatekeeper.registry import Registry

BIN = Path(sys.executable).parent
FIRST = date(2009, 1, 19)
LIVE = date(2009, 3, 23)
"""The first Monday whose training data suffice on the demo's bars."""
WEEK = timedelta(weeks=1)
MONDAYS, ROUNDS = 520, 3
SAID = ("answer", "decided_by", "gain", "bound")


@dataclass(slots=True)
class Side:
    """What each call of one side took, in seconds on the clock and of processors."""

    alone: bool
    """Each call in a process of its own, as a user's is; else in this one, to prove that the benchmark runs."""
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def call(self, place: Path, *words: str) -> Any:
        """`gatekeeper WORDS --json` in a house of its own: what it printed."""
        house = {
            "GATEKEEPER_DATA": "demo:",
            "GATEKEEPER_RECIPE": "logistic",
            "GATEKEEPER_DB": url(place),
            "GATEKEEPER_MODELS": str(place / "models"),
            "GATEKEEPER_WORK": str(place / "work"),
            "GATEKEEPER_REPORTS": str(place / "reports"),
        }
        started, before = time.perf_counter(), processor()
        printed = (process if self.alone else within)([*words, "--json"], house)
        self.clock.append(time.perf_counter() - started)
        self.processor.append(processor() - before)
        return json.loads(printed)


def process(words: list[str], house: dict[str, str]) -> str:
    """As from a shell."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")} | house
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [BIN / "gatekeeper", *words]
    ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return ended.stdout.decode()


def within(words: list[str], house: dict[str, str]) -> str:
    """The same, but for the start of a process."""
    from click.testing import CliRunner

    from gatekeeper.cli.main import gatekeeper

    return CliRunner().invoke(gatekeeper, words, env=house, catch_exceptions=False).stdout


def main(*, quick: bool) -> list[Result]:
    """Both sides in turns."""
    policies = ("safe",) if quick else ("better", "safe", "proven")
    mondays, rounds = (2, 1) if quick else (MONDAYS, ROUNDS)
    first = LIVE if quick else FIRST
    ours, theirs = Side(not quick), Side(not quick)
    same = 0
    with tempfile.TemporaryDirectory() as name:
        houses = {policy: Path(name) / policy for policy in policies}
        for place in houses.values():
            place.mkdir()
            registry.upgrade(url(place), models=place / "models")
        for number in range(rounds):
            monday = LIVE + number * WEEK
            ran = {policy: ran_by_itself(theirs, place, policy, monday) for policy, place in houses.items()}
            words = [f"--from={first}", f"--to={first + (mondays - 1) * WEEK}"]
            words += [f"--policy={policy}" for policy in policies] + (["--jobs=1"] if quick else [])
            document = ours.call(Path(name) / f"rehearsal{number}", "rehearse", *words)
            same += sum(rehearsed(document, policy, monday) == verdict for policy, verdict in ran.items())
    return beside(ours, theirs, mondays, len(policies), same)


def beside(ours: Side, theirs: Side, mondays: int, policies: int, same: int) -> list[Result]:
    """The rehearsal as it took, beside its round's runs multiplied to all that it stands for."""
    runs = mondays * policies
    note = (
        f"beside: a round's median run (of all {statistics.median(theirs.clock):.1f} s on the clock) times {runs:,}; a "
        f"run also keeps registry, files and a report; {same} of {len(theirs.clock)} verdicts compared were the same"
    )
    results = []
    for unit, one, each in (("s", ours.clock, theirs.clock), ("CPU s", ours.processor, theirs.processor)):
        rounds = [statistics.median(each[at : at + policies]) * runs for at in range(0, len(each), policies)]
        target = 20 if unit == "s" else None
        about = ("Rehearsal", f"rehearse, policies: {policies}", f"{mondays:,} Mondays", "as many gatekeeper run")
        results.append(compared(*about, one, rounds, as_=FASTER, at_least=target, unit=unit, note=note))
    return results


def ran_by_itself(side: Side, place: Path, policy: str, monday: date) -> list[object]:
    """What the weekly run of this policy's registry says on this Monday."""
    number = side.call(place, "run", f"--as-of={monday}", "--param", f"policy={policy}")["evaluation_id"]
    with Registry.open(url(place), models=place / "models") as opened:
        verdict = opened.evaluation(number).document.verdict
    return [getattr(verdict, name) for name in SAID]


def rehearsed(document: Any, policy: str, monday: date) -> list[object]:
    """What the rehearsal says of it."""
    (holdout,) = document["holdouts"].values()
    (look,) = (each for each in holdout["policies"][policy]["looks"] if each["as_of"].startswith(monday.isoformat()))
    return [look[name] for name in SAID]


def url(place: Path) -> str:
    """The registry of a house."""
    return f"sqlite:///{place / 'registry.db'}"
