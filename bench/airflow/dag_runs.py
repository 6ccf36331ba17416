"""Run times of the weekly DAG in one Airflow process, and of the same DAG with empty tasks. The child behind dags.py.

Usage: dag_runs.py PIPE_FD ROUNDS FOLDER [FOLDER ...]     (where the DAGs gatekeeper_weekly and empty_weekly are)
"""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from results import processor

FIRST = datetime(2018, 1, 1, 2, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def run(dag: Any, monday: datetime) -> tuple[float, float]:
    """Seconds on the clock and of processors. Raises SystemExit where it doesn't succeed."""
    began, before = time.perf_counter(), processor()
    ended = dag.test(logical_date=monday)
    took = time.perf_counter() - began, processor() - before
    if (state := str(getattr(ended.state, "value", ended.state))) != "success":
        sys.exit(f"the run of {dag.dag_id} at {monday} ended as {state}")
    return took


def main(pipe: int, rounds: int, folders: list[str]) -> None:
    """Both in turns, a Monday for each round; the first one warms up, and ours has no champion to face in it."""
    bags = [DagBag(dag_folder=folder) for folder in folders]
    dags = [bag.get_dag(name) for name in ("gatekeeper_weekly", "empty_weekly") for bag in bags if name in bag.dags]
    took: list[list[tuple[float, float]]] = [[], []]
    for number in range(1 + rounds):
        for side, dag in enumerate(dags):
            took[side].append(run(dag, FIRST + number * WEEK))
    with os.fdopen(pipe, "w") as stream:
        json.dump([times[1:] for times in took], stream)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
