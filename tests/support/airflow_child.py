"""Airflow process behind airflow_runs.py: parses and runs DAGs on request, one JSON line after the other.

Usage: airflow_child.py PIPE_FD     (how each ended is said on the pipe)
"""

import json
import os
import sys
from datetime import datetime
from typing import Any

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, DagBag, sync_bag_to_db
from airflow.utils.db import upgradedb


def parse() -> str:
    """Takes the DAGs of every bundle into Airflow's database, as its DAG processor does."""
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)
    return "parsed"


def run(dags: str, dag_id: str, at: str, conf: dict[str, Any]) -> str:
    """One `dag.test()`, and its state."""
    ended = DagBag(dag_folder=dags).get_dag(dag_id).test(logical_date=datetime.fromisoformat(at), run_conf=conf)
    return str(getattr(ended.state, "value", ended.state))


def main(pipe: int) -> None:
    """Makes Airflow's tables, then answers while there is something to read, each time in the settings with it."""
    upgradedb()
    with os.fdopen(pipe, "w") as answers:
        for line in sys.stdin:
            asked = json.loads(line)
            for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
                del os.environ[name]
            os.environ.update(asked["environment"])
            state = run(*asked["run"]) if asked["run"] else parse()
            sys.stdout.flush()
            print(state, file=answers, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # nothing is open any more, and to leave in good order takes three seconds of a processor
