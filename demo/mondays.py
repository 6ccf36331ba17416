"""Weekly DAG runs of the demo under Airflow, one for each as-of given; writes on a pipe how each ended.

A process of its own, since Airflow reads its environment when it is imported and logs some 1,800 lines a run.
Usage: mondays.py PIPE_FD AS_OF [AS_OF ...]
"""

import os
import sys
from datetime import datetime
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).parent.parent / "dags"


def main(pipe: int, mondays: list[str]) -> None:
    """Run the as-ofs in order; end at the first run that fails."""
    bag = DagBag(dag_folder=str(DAGS))
    if bag.import_errors:
        sys.exit(f"the DAG can't be imported: {bag.import_errors}")
    dag = bag.get_dag("gatekeeper_weekly")
    with os.fdopen(pipe, "w") as results:
        for monday in mondays:
            run = dag.test(logical_date=datetime.fromisoformat(monday))
            state = str(getattr(run.state, "value", run.state))
            print(monday, state, file=results, flush=True)
            if state != "success":
                sys.exit(f"the run of {monday} ended as {state}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
