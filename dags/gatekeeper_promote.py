"""By hand: which model shall be the primary, and may weekly runs promote? Wiring only; one DAG for each desk."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator  # not @task: Airflow would import that anew
from airflow.sdk import DAG, Param, get_current_context, get_parsing_context
from gatekeeper_airflow.alarms import on_failure
from gatekeeper_airflow.promote import ACTS

from gatekeeper import desks

DOC = """
### Promote, roll back, hold, release
Each run is one act, by form, with its reason; who triggered it stands in the history (`gatekeeper history`).

* **promote** makes the model of that id the primary. It needs no evaluation, goes through a hold, and is marked
  `manual`.
* **roll back** goes to the primary before, and quarantines the one that is left. It takes no id; with one, only that
  model is left, and none if another is the primary by then.
* **hold** lets weekly runs judge and record, and promote nothing, until **release**, or until the end that you give.
* **release quarantine** lets the bytes of that model be promoted again.

`check` loads and verifies what would become the primary, and fails where it can't be; nothing has moved then. `act`
does it, if no other promotion came between. Clearing either changes nothing more: a run promotes or rolls back once.

With `GATEKEEPER_APPROVAL` a promotion waits between the two for a person, under *Required Actions*; a rejection, or no
answer within `GATEKEEPER_APPROVAL_TIMEOUT_HOURS`, skips `act`. Roll back and hold never wait.
"""

PARAMS = {
    "act": Param(
        type="string",
        enum=list(ACTS),
        title="Act",
        description_md="**promote** a model to be the primary; **roll back** to the primary before; **hold**, so that "
        "weekly runs promote nothing, until **release**; **release quarantine** of a model that was rolled back from.",
    ),
    "model_id": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Model id",
        description_md="**promote**: the one to promote. **release quarantine**: the one to let in again. **roll "
        "back**: the one to leave, or empty. **hold**, **release**: empty.",
    ),
    "reason": Param(
        type="string",
        minLength=1,
        maxLength=1000,
        title="Reason",
        description_md="Why. It stands in the history for good.",
    ),
    "hold_until": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Hold until",
        description_md="**hold** only: when it ends by itself. Empty: when it is released.",
    ),
}


def check(desk: str) -> dict[str, Any]:
    """The task `check`."""
    from gatekeeper_airflow import promote

    return promote.check(desk, get_current_context())


def act(desk: str, checked: dict[str, Any]) -> dict[str, Any]:
    """The task `act`; checked: what `check` handed on."""
    from gatekeeper_airflow import promote

    return promote.act(desk, get_current_context(), checked)


def promote_dag(desk: desks.Desk) -> DAG:
    """The DAG of one desk."""
    with DAG(
        desk.dag_id("promote"),
        schedule=None,
        start_date=datetime(2006, 1, 2, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={
            "owner": "gatekeeper",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "on_failure_callback": on_failure(desk.name),
        },
        doc_md=DOC,
        tags=["gatekeeper", desk.name],
    ) as dag:
        checked = PythonOperator(
            task_id="check",
            python_callable=check,
            op_args=[desk.name],
            doc_md="Reads the form, refuses what it can't mean, and verifies the model; nothing moves.",
        )
        done = PythonOperator(
            task_id="act",
            python_callable=act,
            op_args=[desk.name, checked.output],
            trigger_rule="none_failed",
            doc_md="Does it, once; where another promotion came between, it refuses and says so.",
        )
        if desk.asks(os.environ):
            from gatekeeper_airflow.approval import ManualApproval  # most desks ask nobody

            ask = ManualApproval(
                task_id="approve",
                desk=desk.name,
                doc_md="Asks a person before a promotion; skipped for other acts. No answer in time is a rejection.",
            )
            checked >> ask >> done
    dag.params.update(PARAMS)  # not before: each task would take a copy, validated again at every look at this file
    return dag


only = get_parsing_context().dag_id  # a task needs the DAG that it is of; None: all of them
for desk in desks.from_environment(os.environ):
    if only in (None, desk.dag_id("promote")):
        globals()[desk.dag_id("promote")] = promote_dag(desk)
