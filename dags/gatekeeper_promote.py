"""Promotion DAG: promote, roll back, hold and release by hand. Wiring only; one DAG for each desk."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator  # not @task: Airflow would import that anew
from airflow.sdk import DAG, Param, get_current_context
from gatekeeper_airflow import desk_dags
from gatekeeper_airflow.alarms import on_failure
from gatekeeper_airflow.promote import ACTS

from gatekeeper import desks
from gatekeeper.settings import Settings

DOC = """
### Promote, roll back, hold, release
Each run is one act, by form, with a reason. The history (`gatekeeper history`) records who triggered it.

* **promote** makes the model with that id the primary. It needs no evaluation, goes through even during a hold, and is
  recorded as `manual`.
* **roll back** returns to the primary before and quarantines the current one. Leave the id empty, or give the id of the
  model to roll back: if another model is the primary by then, the act is refused.
* **hold** stops weekly runs from promoting, until **release** or until the end that you give. They still judge and
  record. Holds stack: **release** takes the id of one, or releases the only one.
* **release quarantine** lets the bytes of that model be promoted again.

`check` loads and verifies the model that would become the primary. If that fails, nothing has changed. `act` then
changes the primary, unless another promotion came between. A run does its act once, however often its tasks are
cleared; a run id that did another act before is refused.

With `GATEKEEPER_APPROVAL` a promotion waits between the two tasks for a person, under *Required Actions*. A rejection,
or no answer within `GATEKEEPER_APPROVAL_TIMEOUT_HOURS`, skips `act`. Roll back and hold never wait.
"""

PARAMS = {
    "act": Param(
        type="string",
        enum=list(ACTS),
        title="Act",
        description_md="**promote** makes a model the primary; **roll back** returns to the primary before; **hold** "
        "stops weekly runs from promoting until **release**; **release quarantine** lets a rolled-back model in again.",
    ),
    "model_id": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Model id",
        description_md="**promote**: the model to promote. **release quarantine**: the model to let in again. **roll "
        "back**: the model to roll back, or empty. **hold**, **release**: empty.",
    ),
    "reason": Param(
        type="string",
        minLength=1,
        maxLength=1000,
        title="Reason",
        description_md="The reason, recorded in the history for good.",
    ),
    "hold_until": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Hold until",
        description_md="**hold** only: the instant at which it ends by itself. Empty: it ends when released.",
    ),
    "hold_id": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Hold id",
        description_md="**release** only: the hold to release, as the page *Holds* lists it. Empty: the only one.",
    ),
}


def check(desk: str) -> dict[str, Any]:
    """The task `check`."""
    from gatekeeper_airflow import promote

    return promote.check(desk, get_current_context())


def act(desk: str, checked: dict[str, Any]) -> dict[str, Any]:
    """The task `act`; checked: the output of `check`."""
    from gatekeeper_airflow import promote

    return promote.act(desk, get_current_context(), checked)


def promote_dag(desk: desks.Desk, settings: Settings) -> DAG:
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
            doc_md="Validates the form and verifies the model; changes nothing.",
        )
        done = PythonOperator(
            task_id="act",
            python_callable=act,
            op_args=[desk.name, checked.output],
            trigger_rule="none_failed",
            doc_md="Performs the act once; refuses if another promotion came between.",
        )
        if settings.approval:
            from gatekeeper_airflow.approval import ManualApproval  # most desks ask nobody

            ask = ManualApproval(
                task_id="approve",
                desk=desk.name,
                doc_md="Asks a person to approve a promotion; other acts skip it. No answer in time is a rejection.",
            )
            checked >> ask >> done
    dag.params.update(PARAMS)  # not before: each task would take a copy, validated again at every look at this file
    return dag


globals().update(desk_dags.of_every_desk("promote", promote_dag))
