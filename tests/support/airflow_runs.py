"""DAG runs for tests, one after the other in one Airflow process, since its start is what takes time.

What a run printed is kept for the failing case.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

HOUSE = Path(__file__).parents[2]
DAGS = HOUSE / "dags"
CHILD = Path(__file__).with_name("airflow_child.py")
LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the DAG ended, and all that it printed."""

    state: str
    log: str


class Runs:
    """An Airflow process, started by `with`; every run gets the settings of Gatekeeper that its test has set."""

    def __init__(self, home: Path) -> None:
        self._log = home / "runs.log"

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                [sys.executable, str(CHILD), str(writing)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                text=True,
            )
        os.close(writing)
        self._answers = os.fdopen(reading)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._answers.close()
        try:
            self._child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def monday(self, monday: datetime, conf: dict[str, object] | None = None) -> Ended:
        """One `dag.test()` of the weekly DAG."""
        return self.run(DAGS, "gatekeeper_weekly", monday, conf)

    def run(self, dags: Path, dag_id: str, at: datetime, conf: dict[str, object] | None = None) -> Ended:
        """One `dag.test()` of a DAG in the folder `dags`."""
        return self._ask(dags, [str(dags), dag_id, at.isoformat(), conf or {}])

    def parse(self, dags: Path, settings: Mapping[str, str]) -> Ended:
        """Takes the DAGs of the folder `dags` into Airflow's database, as its DAG processor does."""
        return self._ask(dags, None, settings)

    def _ask(self, dags: Path, run: list[object] | None, more: Mapping[str, str] | None = None) -> Ended:
        settings = {name: value for name, value in os.environ.items() if name.startswith("GATEKEEPER_")}
        settings.update(more or {})
        # The folder of DAGs is read once, when Airflow starts, but the list of bundles before each run.
        bundle = {"name": "dags-folder", "classpath": LOCAL, "kwargs": {"path": str(dags)}}
        settings["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle])
        before = self._log.stat().st_size
        if self._child.poll() is None:
            assert self._child.stdin is not None
            print(json.dumps({"run": run, "environment": settings}), file=self._child.stdin, flush=True)
        state = self._answers.readline().strip()
        return Ended(state or f"exit code {self._child.wait()}", self._log.read_bytes()[before:].decode())
