"""`make mondays`: the demo's Mondays as runs of the weekly DAG, in the Airflow of `make up`."""

import sys
import time
from datetime import datetime, timedelta

import click
import httpx
from answers import Answers
from machine import HOUSE

from gatekeeper import config
from gatekeeper.registry import Evaluation, Registry

sys.path.append(str(HOUSE / "demo"))
from table import HEAD, MONDAYS, line  # its folder is on the path by now

PATIENCE = 900.0  # seconds to wait for one Monday; it usually takes 15
ENDED = ("success", "failed")


def run_mondays(answers: Answers, count: int) -> None:
    """Run the first `count` Mondays and print a line for each, as `make demo` does. Raises SystemExit.

    They run one after another, by the API: the command of a backfill would write to Airflow's SQLite file beside the
    scheduler. A Monday that has run already is not run again.
    """
    settings = config.load()
    if not str(settings.data).startswith("demo:"):
        raise SystemExit(
            f"These Mondays need demo data, but GATEKEEPER_DATA={settings.data}. Run your own Mondays by the form or "
            "by a backfill."
        )
    dag_id = next(desk for desk in config.desks() if desk.name == settings.desk).dag_id("weekly")
    click.echo(HEAD)
    late = []
    with answers.logged_in() as airflow:
        if airflow.get(f"/api/v2/dags/{dag_id}").raise_for_status().json()["is_paused"]:
            raise SystemExit(f"{dag_id} is paused, so its runs would wait. Run `airflow dags unpause {dag_id}`.")
        for monday in MONDAYS[:count]:
            _run(airflow, dag_id, monday)
            with Registry.configured(settings) as registry:
                evaluation = _newest(registry, monday)
            click.echo(line(evaluation))
            late += [monday] if evaluation.kind == "what-if" else []
    if late:
        weeks = ", ".join(f"{monday:%Y-%m-%d}" for monday in late)
        click.echo(f"\nNot eligible, since a later week was promoted already: {weeks}")


def _newest(registry: Registry, monday: datetime) -> Evaluation:
    return next(evaluation for evaluation in registry.evaluations() if evaluation.as_of == monday)


def _run(airflow: httpx.Client, dag_id: str, monday: datetime) -> None:
    """Run one Monday to its end, with the data interval of the schedule. Raises SystemExit if it fails."""
    interval = {"data_interval_start": _iso(monday - timedelta(weeks=1)), "data_interval_end": _iso(monday)}
    logical_date = interval["data_interval_start"]
    runs = f"/api/v2/dags/{dag_id}/dagRuns"
    body = {"dag_run_id": f"monday_{monday:%Y-%m-%d}", "logical_date": logical_date, "run_after": _iso(monday)}
    begun = airflow.post(runs, json={**body, **interval})
    if begun.status_code != httpx.codes.CONFLICT:
        begun.raise_for_status()
    same = {"logical_date_gte": logical_date, "logical_date_lte": logical_date}
    end = time.monotonic() + PATIENCE
    while (run := airflow.get(runs, params=same).raise_for_status().json()["dag_runs"][0])["state"] not in ENDED:
        if time.monotonic() > end:
            raise SystemExit(f"The run {run['dag_run_id']} is still {run['state']} after {PATIENCE:.0f} s.")
        time.sleep(1)
    if run["state"] == "failed":
        page = f"{str(airflow.base_url).rstrip('/')}/dags/{dag_id}/runs/{run['dag_run_id']}"
        raise SystemExit(f"The run {run['dag_run_id']} failed. See the log of its first failed task: {page}")


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
