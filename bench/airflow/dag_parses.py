"""Parse times of DAG files in Airflow's DAG processor. The child behind dags.py, which prints JSON.

As there, each look is a fork of a process that has Airflow imported, and what the file names of it; nothing else that a
file imports is there yet. The DAG is read and put into the form that Airflow stores.

Usage: dag_parses.py ROUNDS FILE [FILE ...]
"""

import gc
import json
import os
import sys
import time

from airflow.dag_processing import manager  # noqa: F401  # what the parent has imported, a look finds there
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.file import iter_airflow_imports

SAID = sys.stdout


def look(file: str) -> float:
    """Processor seconds of one look, in a process of its own. Raises SystemExit where the file has no DAG."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            began = time.process_time()
            bag = DagBag(dag_folder=file)
            shown = [DagSerialization.to_dict(dag) for dag in bag.dags.values()]
            os.write(writing, str(time.process_time() - began).encode())
            code = 0 if shown and not bag.import_errors else 1
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        took = stream.read()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"{file} has no DAG, or can't be imported")
    return float(took)


def main(rounds: int, files: list[str]) -> None:
    """Each file once in each round, after one that warms up."""
    gc.freeze()  # as Airflow's does before it forks
    for file in files:
        for module in iter_airflow_imports(file):
            __import__(module)
    took: dict[str, list[float]] = {file: [] for file in files}
    for _ in range(1 + rounds):
        for file in files:
            took[file].append(look(file))
    print(json.dumps({file: times[1:] for file, times in took.items()}), file=SAID)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
