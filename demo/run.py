"""Demo: the weekly DAG under Airflow for eight Mondays of 2018, on real bars, in a fresh registry each time.

Meanwhile `gatekeeper rehearse` simulates the Mondays of three years under each policy, on the core that Airflow leaves.

Usage: run.py [FOLDER [MONDAY]]     (default: build/demo, which is emptied first; the rehearsal begins in 2016)
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from table import HEAD, MONDAYS, line

from gatekeeper import registry
from gatekeeper.registry import Registry

HOUSE = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
REHEARSED_FROM = "2016-01-04"

FEATURES = {"rsi14": 28, "adx14": 22, "fastMASlowDelta": 0.02, "bbWidth": 0.05, "avgSent": 0, "avgOB": 0}
IDEA = {"symbol": "SPX", "features": {**FEATURES, "action": "buy"}}


@dataclass(frozen=True, slots=True)
class Place:
    """The demo's folders: its registry, its files and its Airflow."""

    folder: Path

    @property
    def log(self) -> Path:
        """The log of Airflow's output."""
        return self.folder / "airflow.log"

    @property
    def url(self) -> str:
        """The demo's registry."""
        return f"sqlite:///{self.folder / 'registry.db'}"

    @property
    def models(self) -> Path:
        """The demo's model files."""
        return self.folder / "models"

    @property
    def rehearsed(self) -> Path:
        """The rehearsal's output."""
        return self.folder / "rehearsal.txt"

    @property
    def spool(self) -> Path:
        """The spool of a server on the demo's registry: decisions not yet delivered."""
        return self.folder / "spool"

    def exports(self) -> list[str]:
        """The commands that point a shell at the demo's registry, whatever characters its path has."""
        settings = {"DB": self.url, "MODELS": str(self.models), "SPOOL": str(self.spool)}
        words = " ".join(f"GATEKEEPER_{name}={shlex.quote(value)}" for name, value in settings.items())
        return [f"export {words}", f'export PATH={shlex.quote(str(BIN))}:"$PATH"']

    def environment(self) -> dict[str, str]:
        """Environment variables of the demo, without the caller's own settings of Airflow and Gatekeeper."""
        theirs = ("AIRFLOW", "GATEKEEPER_")
        return {name: value for name, value in os.environ.items() if not name.startswith(theirs)} | {
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HOUSE / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOUSE / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder / 'airflow.db'}",
            "GATEKEEPER_DB": self.url,
            "GATEKEEPER_MODELS": str(self.models),
            "GATEKEEPER_WORK": str(self.folder / "work"),
            "GATEKEEPER_REPORTS": str(self.folder / "reports"),
            "GATEKEEPER_DATA": "demo:",
        }


def main(place: Place, rehearsed_from: str) -> None:
    """Set up, run, and print the results of the registry and the rehearsal."""
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(parents=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as shown, rehearsal(place, rehearsed_from) as rehearsed:
        task = shown.add_task("Airflow's own database", total=len(MONDAYS))
        registry.upgrade(place.url, models=place.models)
        migrate(place)
        shown.update(task, description=f"the run of {MONDAYS[0]:%Y-%m-%d} (the first one also starts Airflow)")
        for number, monday in enumerate(runs(place), start=1):
            done = number == len(MONDAYS)
            text = (
                "eight Mondays are done; the rehearsal of three years"
                if done
                else f"the run of {monday + timedelta(weeks=1):%Y-%m-%d}"
            )
            shown.update(task, completed=number, description=text)
        if rehearsed.wait():
            sys.exit(f"`gatekeeper rehearse` failed; its log is {place.log}")
        shown.update(task, description="all done")
    with Registry.open(place.url, models=place.models) as opened:
        say(opened, place, rehearsed_from)


def migrate(place: Place) -> None:
    """Create Airflow's own tables; its output goes into the log."""
    with place.log.open("a") as log:
        command = [str(BIN / "airflow"), "db", "migrate"]
        ended = subprocess.run(  # noqa: S603  # our own command
            command, env=place.environment(), stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode:
        sys.exit(f"`airflow db migrate` failed; its log is {place.log}")


def runs(place: Place) -> Iterator[datetime]:
    """Each Monday whose run succeeded, as soon as it has ended."""
    reading, writing = os.pipe()
    command = [sys.executable, str(HOUSE / "demo" / "mondays.py"), str(writing), *(m.isoformat() for m in MONDAYS)]
    with (
        place.log.open("a") as log,
        subprocess.Popen(  # noqa: S603  # our own command
            command, env=place.environment(), stdout=log, stderr=subprocess.STDOUT, pass_fds=(writing,)
        ) as child,
        os.fdopen(reading) as results,
    ):
        os.close(writing)
        for line in results:
            monday, state = line.split()
            if state == "success":
                yield datetime.fromisoformat(monday)
    if child.returncode:
        sys.exit(f"a run did not succeed; Airflow's log is {place.log}")


@contextmanager
def rehearsal(place: Place, first: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the rehearsal on one core while the context lasts; it touches no registry."""
    command = [str(BIN / "gatekeeper"), "rehearse", "--from", first, "--jobs", "1"]
    with (
        place.log.open("a") as log,
        place.rehearsed.open("w") as output,
        subprocess.Popen(command, env=place.environment(), stdout=output, stderr=log) as child,  # noqa: S603  # our own
    ):
        try:
            yield child
        finally:
            child.terminate()


def say(opened: Registry, place: Place, rehearsed_from: str) -> None:
    """Print the tables and the next commands."""
    print(HEAD)
    evaluations = list(reversed(opened.evaluations()))
    for evaluation in evaluations:
        print(line(evaluation))
    last = evaluations[-1]
    print("\n$ gatekeeper active", flush=True)
    subprocess.run([str(BIN / "gatekeeper"), "active"], env=place.environment(), check=True)  # noqa: S603  # our own
    print(f"\nreport of the last Monday: {last.report}")
    print(f"\n$ gatekeeper rehearse --from {rehearsed_from}\n{place.rehearsed.read_text()}\nnext, with this registry:")
    print("\n".join(f"  {command}" for command in place.exports()))
    print(f"  gatekeeper list\n  gatekeeper explain {last.challenger}\n  gatekeeper history")
    print("\nserve the primary, and ask it from another shell:\n  gatekeeper serve")
    print(f"  curl -s http://127.0.0.1:8055/v1/score -H 'Content-Type: application/json' -d '{json.dumps(IDEA)}'")


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    try:
        main(Place(Path(given.get(1, HOUSE / "build" / "demo")).resolve()), given.get(2, REHEARSED_FROM))
    except KeyboardInterrupt:
        print("\nInterrupted. `make demo` begins anew.", file=sys.stderr)
        sys.exit(130)
