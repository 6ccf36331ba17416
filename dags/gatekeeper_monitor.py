"""Monitor DAG: live performance, drift and the circuit breaker, daily. Wiring only; one DAG for each desk."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator  # not @task: Airflow would import that anew
from airflow.sdk import DAG, CronTriggerTimetable, Param, get_current_context
from gatekeeper_airflow import desk_dags
from gatekeeper_airflow.alarms import on_failure

from gatekeeper import desks
from gatekeeper.settings import Settings
from gatekeeper.texts import plain

DOC = """
### The daily check
Measures the primary since its promotion, on the ideas that servers logged (or on replayed ones if there are none), next
to the model before it and to ungated (every idea taken).

* The gain that its evaluation predicted, next to the realised one.
* **Drift** of the features and of its scores, relative to the ideas that it was judged on.
* **Circuit breaker**: a live drawdown deeper than in 99 of 100 draws from its backtest's own days raises an alarm. If
  the setting `breaker` is `rollback`, it also rolls back to the model before. A hold prevents the rollback.

Each check is recorded (`gatekeeper monitor --json` prints one). The same as-of and primary give one check, however
often the task is cleared. With too few ideas it reports no numbers and says so. On `demo:` data nothing is scheduled,
since its bars end with 2018: give an as-of in the form.
"""

AS_OF = Param(
    None,
    type=["null", "string"],
    title="As-of",
    description_md="The check uses no data after this instant (ISO 8601, UTC). Empty: the end of the run's interval.",
    section="The check",
)


def schedule(settings: Settings) -> CronTriggerTimetable | None:
    """Each night, after the weekly run of a Monday."""
    if str(settings.data).startswith("demo:"):
        return None
    return CronTriggerTimetable("30 4 * * *", timezone="UTC", interval=timedelta(days=1))


def look(desk: str) -> dict[str, Any]:
    """The task `monitor`."""
    from gatekeeper_airflow import monitor

    return monitor.check(get_current_context(), desk)


def monitor_of(desk: desks.Desk, settings: Settings) -> DAG:
    """The DAG of one desk."""
    with DAG(
        desk.dag_id("monitor"),
        dag_display_name=f"Gatekeeper: monitor{f' ({plain(desk.title or desk.name)})' if desk.is_apart else ''}",
        schedule=schedule(settings),
        start_date=datetime(2006, 1, 2, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={
            "owner": "gatekeeper",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "on_failure_callback": on_failure(desk.name),
        },
        params={"as_of": AS_OF},
        doc_md=DOC,
        tags=["gatekeeper", desk.name],
    ) as dag:
        PythonOperator(
            task_id="monitor",
            python_callable=look,
            op_args=[desk.name],
            doc_md="Compares predicted with realised gain, measures drift, trips the breaker on a deep drawdown.",
        )
    return dag


globals().update(desk_dags.of_every_desk("monitor", monitor_of))
