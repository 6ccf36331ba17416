"""How do the tests run a DAG? In a child process, whose log is kept for the failing case."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

HOUSE = Path(__file__).parents[1]
DAGS = HOUSE / "dags"

_CHILD = """
import json, sys
from datetime import datetime
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(dag_folder=sys.argv[1]).get_dag(sys.argv[2])
run = dag.test(logical_date=datetime.fromisoformat(sys.argv[3]), run_conf=json.loads(sys.argv[4]))
print("STATE", getattr(run.state, "value", run.state))
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the DAG ended, and all that it printed."""

    state: str
    log: str


def monday_run(monday: datetime, conf: dict[str, object] | None = None) -> Ended:
    """One `dag.test()` of the weekly DAG, in the environment that the test has set."""
    return run_of(DAGS, "gatekeeper_weekly", monday, conf)


def run_of(dags: Path, dag_id: str, at: datetime, conf: dict[str, object] | None = None) -> Ended:
    """One `dag.test()` of a DAG in the folder `dags`."""
    ended = subprocess.run(
        [sys.executable, "-c", _CHILD, str(dags), dag_id, at.isoformat(), json.dumps(conf or {})],
        env={**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(dags)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    states = [line.split()[1] for line in ended.stdout.splitlines() if line.startswith("STATE ")]
    return Ended(states[-1] if states else f"exit code {ended.returncode}", ended.stdout)
