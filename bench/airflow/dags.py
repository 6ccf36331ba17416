"""Costs of our DAG files and weekly run in Airflow, next to an empty file and to the same DAG with empty tasks."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from results import ITS_TIME, Result, compared, in_turns, missing

from gatekeeper import registry

if TYPE_CHECKING:
    from airflow_server import Airflow

HOUSE = Path(__file__).parents[2]
OURS, BESIDE = HOUSE / "dags", Path(__file__).with_name("airflow_dags")
BIN = Path(sys.executable).parent
PARSE, WEEKLY = "DAG file", "Weekly run"
FILES = ("gatekeeper_weekly", "gatekeeper_monitor", "gatekeeper_promote")
DAGS = ("gatekeeper_weekly", "empty_weekly")
FIRST, ROUNDS, PARSES = date(2018, 3, 5), 4, 5
IMPORTS = (
    "; each of our tasks imports what it needs anew, in a process of its own: a fit and its export scikit-learn and "
    "skops, four fifths of all tasks' processor time; the import of skops alone, which looks through each module that "
    "Airflow has loaded for each function of SciPy's, is a quarter"
)
NOT_ASKED = "not asked in a quick run"
ALONE = "as Airflow's documentation measures a file: `python FILE`, the import of Airflow included"
FORKED = (
    "as the DAG processor does: a fork that has Airflow already; what is left is the file's own, so the ratio is of "
    "milliseconds, and `ours` is what counts. An empty DAG has no tasks: for the first one Airflow imports what it "
    "looks for among them, and each is written out"
)
OF_FIVE = "the same five tasks, empty; ours has a form besides, which comes of the desk's settings, and checks those"


def main(*, quick: bool) -> list[Result]:
    """The files, then the runs, in an Airflow of their own."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        settings = environment(place)
        if quick:
            parsed(OURS / f"{FILES[0]}.py", settings)
            return [
                missing(PARSE, f"{FILES[0]}.py", "an empty DAG", NOT_ASKED),
                missing(WEEKLY, "a run", "the same DAG with empty tasks", NOT_ASKED),
            ]
        migrate(settings, place)
        return [*alone(settings), *forked(settings), *in_one_process(settings, place), *scheduled(settings, place)]


def environment(place: Path) -> dict[str, str]:
    """Nothing of the caller's own Airflow or Gatekeeper."""
    theirs = ("AIRFLOW", "GATEKEEPER_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(theirs)} | {
        "AIRFLOW_HOME": str(place / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(place / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOUSE / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place / 'airflow.db'}?timeout=60",
        # Airflow puts its plugins there by itself; a bare Python doesn't.
        "PYTHONPATH": os.pathsep.join([str(HOUSE / "plugins"), str(HOUSE / "bench")]),
        **house(place),
    }


def house(place: Path) -> dict[str, str]:
    """Where the runs keep what is theirs."""
    return {
        "GATEKEEPER_DB": f"sqlite:///{place / 'registry.db'}",
        "GATEKEEPER_MODELS": str(place / "models"),
        "GATEKEEPER_WORK": str(place / "work"),
        "GATEKEEPER_REPORTS": str(place / "reports"),
        "GATEKEEPER_DATA": "demo:",
        "GATEKEEPER_RECIPE": "logistic",
    }


def migrate(settings: Mapping[str, str], place: Path) -> None:
    """Airflow's tables and ours, and a folder with both DAGs."""
    (place / "dags").mkdir()
    for file in (OURS / "gatekeeper_weekly.py", BESIDE / "empty_weekly.py"):
        shutil.copy(file, place / "dags")
    registry.upgrade(settings["GATEKEEPER_DB"], models=place / "models")
    airflow(settings, "db", "migrate")


def airflow(settings: Mapping[str, str], *words: str) -> None:
    """One command, to its end."""
    ended = subprocess.run([BIN / "airflow", *words], env=dict(settings), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"`airflow {' '.join(words)}` failed: {ended.stderr[-2000:]}")


def parsed(file: Path, settings: Mapping[str, str]) -> None:
    """The file by itself."""
    command = [sys.executable, str(file)]
    subprocess.run(command, env=dict(settings), check=True, capture_output=True)


def alone(settings: Mapping[str, str]) -> list[Result]:
    """Each file by Python, beside an empty DAG's."""
    files = [*(OURS / f"{name}.py" for name in FILES), BESIDE / "empty.py"]
    *ours, empty = in_turns([partial(parsed, file, settings) for file in files], rounds=PARSES, cpu=True)
    return [
        compared(
            PARSE,
            f"python {name}.py",
            "",
            "an empty DAG",
            times,
            empty,
            as_=ITS_TIME,
            at_most=1.2,
            unit="CPU s",
            note=ALONE,
        )
        for name, times in zip(FILES, ours, strict=True)
    ]


def forked(settings: Mapping[str, str]) -> list[Result]:
    """Each file as Airflow's DAG processor looks at it, again and again."""
    peers = [str(BESIDE / "empty.py"), str(BESIDE / "empty_weekly.py")]
    files = [*(str(OURS / f"{name}.py") for name in FILES), *peers]
    child = [sys.executable, str(Path(__file__).with_name("dag_parses.py")), "15", *files]
    stdout = subprocess.run(child, env=dict(settings), check=True, capture_output=True, text=True).stdout
    took = json.loads(stdout.splitlines()[-1])
    *ours, empty, tasks = (took[file] for file in files)

    def look(name: str, peer: str, times: list[float], theirs: list[float], note: str) -> Result:
        return compared(PARSE, f"a look at {name}.py", "", peer, times, theirs, as_=ITS_TIME, unit="CPU s", note=note)

    return [
        *(look(name, "an empty DAG", times, empty, FORKED) for name, times in zip(FILES, ours, strict=True)),
        look(FILES[0], "the same DAG with empty tasks", ours[0], tasks, OF_FIVE),
    ]


def in_one_process(settings: Mapping[str, str], place: Path) -> list[Result]:
    """Whole runs by `dag.test()`: every task in the same process, which has imported all that they need."""
    reading, writing = os.pipe()
    child = [sys.executable, str(Path(__file__).with_name("dag_runs.py")), str(writing), "7", str(place / "dags")]
    with (place / "runs.log").open("w") as log, os.fdopen(reading) as stream:
        running = subprocess.Popen(child, env=dict(settings), stdout=log, stderr=log, pass_fds=(writing,))
        os.close(writing)
        results = stream.read()
        if running.wait():
            raise RuntimeError((place / "runs.log").read_text()[-2000:])
    ours, empty = json.loads(results)
    return [
        row("one process", [run[which] for run in ours], [run[which] for run in empty], unit)
        for which, unit in ((1, "CPU s"), (0, "s"))
    ]


def row(where: str, ours: Sequence[float], empty: Sequence[float], unit: str, more: str = "") -> Result:
    """With our share in words."""
    share = 1 - statistics.median(empty) / statistics.median(ours)
    note = f"our share is {share:.0%}, the rest is Airflow's{more}"
    work = f"a run of five tasks, {where}"
    return compared(WEEKLY, work, "", "the same DAG with empty tasks", ours, empty, as_=ITS_TIME, unit=unit, note=note)


def scheduled(settings: Mapping[str, str], place: Path) -> list[Result]:
    """Whole runs by scheduler and LocalExecutor: every task is a process that imports what it needs."""
    sys.path.append(str(HOUSE / "tests" / "support"))
    from airflow_server import Airflow

    airflow(settings, "dags", "reserialize")
    home = Path(settings["AIRFLOW_HOME"])
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in DAGS}
    server = Airflow(home, place, {**settings, **house(place)})
    (home / "config" / "airflow_local_settings.py").unlink()  # it imports beforehand what tasks need, as few do
    with server as started:
        for name in DAGS:
            started.unpause(name)
        for run in started.runs(DAGS[0]):  # unpausing makes one of last Monday, for which the demo has no bars
            started.ended(DAGS[0], run["dag_run_id"])
        for number in range(1 + ROUNDS):
            for name in DAGS:
                monday = FIRST + number * timedelta(weeks=1)
                started.trigger(name, {"as_of": f"{monday:%Y-%m-%d}"}, run_id=f"run_{number}")
                took[name].append(ran(started, name, f"run_{number}"))
    ours, empty = ([took[name][number] for number in range(1, 1 + ROUNDS)] for name in DAGS)
    return [
        row(f"scheduler, {what}", [run[which] for run in ours], [run[which] for run in empty], "s", IMPORTS)
        for which, what in ((0, "its tasks"), (1, "start to end"))
    ]


def ran(started: "Airflow", name: str, run_id: str) -> tuple[float, float]:
    """Seconds of its tasks together, and from its start to its end, as Airflow has them."""
    if (state := started.ended(name, run_id)) != "success":
        raise RuntimeError(f"{run_id} of {name} ended as {state}: {started.tasks(name, run_id)}")
    run = started.run(name, run_id)
    tasks = started.call("GET", f"/api/v2/dags/{name}/dagRuns/{run_id}/taskInstances")["task_instances"]
    start, end = (datetime.fromisoformat(run[at]) for at in ("start_date", "end_date"))
    return sum(task["duration"] for task in tasks), (end - start).total_seconds()
