"""Run note: what a run changed in the registry, for whoever looks at the run in Airflow."""

from collections.abc import Mapping
from typing import Any

from gatekeeper.texts import code

KEY = "effect"
LONGEST = 900  # characters; Airflow takes 1,000 with what makes the text literal


def write(context: Mapping[str, Any], effect: str) -> None:
    """Show the effect line, as it was read back from the registry: as the XCom `effect` of the task, and as the run's
    note if Airflow lets a task write it.

    Airflow 3.3's tasks can't: only its REST API takes a note, from a user who is logged in. Later ones have
    `update_dagrun_note`.
    """
    task = context["ti"]
    task.xcom_push(key=KEY, value=effect)
    if (update := getattr(task, "update_dagrun_note", None)) is not None:
        update(code(effect[:LONGEST]))
