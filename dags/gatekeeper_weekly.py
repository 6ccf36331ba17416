"""Weekly DAG: retrain, export, register, backtest and promote. Wiring only; one DAG for each desk."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable
from gatekeeper_airflow import desk_dags, form
from gatekeeper_airflow.alarms import on_failure
from gatekeeper_airflow.weekly import JudgingOperator, StepOperator

from gatekeeper import desks
from gatekeeper.settings import Settings
from gatekeeper.texts import markdown, plain

DOC = """
### The weekly run of {desk}
`retrain >> export_onnx >> register >> backtest >> promote`, at `{schedule}` UTC, on the data known by then (the
**as-of**) and nothing later.

* The challenger is trained on ideas older than the holdout, exported to ONNX and registered as `gatekeeper_ID`.
* It is backtested against the primary on the same ideas, which neither has seen, and promoted only if every gate of
  the promotion rule passes. The button *Evaluation*, under *Details* of the tasks `backtest` and `promote`, leads to
  its page; `gatekeeper explain ID` prints the same.
* The same as-of and parameters are one weekly run, however often its tasks are cleared: the same model, the same
  verdict, not a second promotion.
* A new DAG starts paused. Unpausing it runs the *last* week at once. After an outage of several weeks only the latest
  one runs, and a backfill runs the others: `airflow backfill create --dag-id {dag_id} --from-date MONDAY
  --to-date DAY_AFTER_THE_LAST`. A backfill runs only while the DAG is unpaused, and with an empty as-of.
* On `demo:` data nothing is scheduled, since its bars end with 2018: its Mondays are run by form, by backfill or, with
  `make up`, by `make mondays`.
* An as-of that is not later than the newest one ever promoted is judged and recorded as `what-if`, and never promoted:
  it is not eligible, since a later week was promoted already.
* A refusal (missing or stale data, an unknown key in the form) fails at once. If a database, store or folder can't be
  reached, the task is tried twice more, a minute apart.
"""

RETRAIN = """
Builds the ideas known at the as-of and trains on those that started and ended before the holdout.

The log gives the number of ideas, their period, how many of them won, and what was left out. The task fails at once if
the data are missing, stale, contradictory or too few to train on: **fix the data, then clear this task**.
"""
EXPORT = """
Writes the model as ONNX and proves that it scores as the estimator does, within 1e-5. The log gives size and sha256.
"""
REGISTER = """
Registers the ONNX file. The same weekly run and bytes give the same row, so clearing the task registers nothing twice.
"""
BACKTEST = """
Judges the challenger against the primary on ideas that neither has seen, and records the evaluation with its report.

The log gives each gate of the promotion rule with its numbers, then the verdict: `promote`, `keep` or `undecided`. The
button *Evaluation*, under *Details* of this task, leads to the page.
"""
PROMOTE = """
Promotes if the verdict says so, as one act, and otherwise gives the reason.

If another promotion came between, the task judges again against the new primary, three times at most. A hold, a
quarantine or a later week that was promoted already keeps the challenger out: the task succeeds and its log says so.
"""
APPROVE = """
If the verdict is to promote, asks a person under *Required Actions*. After a rejection, or without an answer in time,
`promote` is skipped and nothing is promoted.
"""


def timetable(settings: Settings) -> Any:
    """The schedule of the desk's settings, which on the demo's bars ends with them."""
    if str(settings.data).startswith("demo:"):
        from gatekeeper_airflow.demo_timetable import DemoTimetable  # of Airflow's core, which others do without

        return DemoTimetable(settings.schedule)
    return CronTriggerTimetable(settings.schedule, timezone="UTC", interval=timedelta(days=7))


def weekly(desk: desks.Desk, settings: Settings) -> DAG:
    """The DAG of one desk."""
    title = {"dag_display_name": f"{plain(desk.title)}: weekly run"} if desk.title else {}
    with DAG(
        desk.dag_id("weekly"),
        description="Retrains, exports, registers, backtests, and promotes if the promotion rule passes",
        schedule=timetable(settings),
        start_date=datetime(2006, 1, 2, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={
            "owner": "gatekeeper",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "on_failure_callback": on_failure(desk.name),
        },
        doc_md=DOC.format(
            desk=markdown(desk.title or desk.name), schedule=settings.schedule, dag_id=desk.dag_id("weekly")
        ),
        tags=["gatekeeper", desk.name],
        **title,
    ) as dag:
        of = {"desk": desk.name}
        retrain = StepOperator(step="retrain", doc_md=RETRAIN, **of)
        export = StepOperator(step="export_onnx", step_output=retrain.output, doc_md=EXPORT, **of)
        register = StepOperator(step="register", step_output=export.output, doc_md=REGISTER, **of)
        backtest = JudgingOperator(step="backtest", step_output=register.output, doc_md=BACKTEST, **of)
        promote = JudgingOperator(
            step="promote",
            step_output=backtest.output,
            doc_md=PROMOTE,
            trigger_rule="none_failed" if settings.approval else "all_success",
            **of,
        )
        if settings.approval:
            from gatekeeper_airflow.approval import WeeklyApproval  # most desks ask nobody

            backtest >> WeeklyApproval(task_id="approve", doc_md=APPROVE, **of) >> promote
    # Not before: each task would take a copy, which Airflow validates again and again at every look at this file.
    dag.params.update(form.params(settings))
    return dag


globals().update(desk_dags.of_every_desk("weekly", weekly))
