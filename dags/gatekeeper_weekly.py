"""Every Monday: is there a better gatekeeper? Wiring only; the steps are `gatekeeper.pipeline`'s."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task

DEMO_LAST_MONDAY = "2018-12-31T02:00:00Z"
ON_DEMO_DATA = os.environ.get("GATEKEEPER_DATA", "demo:").startswith("demo:")

DOC = """
### The weekly look
`retrain >> export_onnx >> register >> backtest >> promote`, each Monday at 02:00 UTC, on all that was known by then
(the **as-of**) and nothing later.

* The challenger is trained on ideas older than the holdout, exported to ONNX and registered as `gatekeeper_{ID}`.
* It is backtested against the primary on the same ideas, which neither has seen, and promoted only where every gate of
  the promotion rule passes. `gatekeeper explain ID` prints each gate with its numbers.
* The same as-of and parameters are one look, however often its tasks are cleared: the same model, the same verdict, no
  second promotion.
* A new DAG starts paused. Unpausing it runs *last* Monday at once; after an outage over several Mondays only the latest
  one runs, and a backfill does the others.
* An older as-of than the newest that was ever promoted is judged, recorded as `what-if` and never promoted.
"""


def param(default: Any, kind: str | list[str], title: str, text: str, section: str, **limits: Any) -> Param:
    """One field of the trigger form."""
    return Param(default, type=kind, title=title, description_md=text, section=section, **limits)


PARAMS = {
    "as_of": param(
        DEMO_LAST_MONDAY if ON_DEMO_DATA else None,
        ["null", "string"],
        "As-of",
        "The run knows nothing beyond this instant (ISO 8601, UTC). Empty: the end of the run's data interval. "
        "The demo's bars end with 2018, so its form is prefilled with the last Monday that works.",
        "The look",
    ),
    "data": param(
        None,
        ["null", "string"],
        "Market data",
        "`demo:`, `candles:URI` or `ideas:URI`. Empty: `GATEKEEPER_DATA`.",
        "The look",
    ),
    "recipe": param(
        None,
        ["null", "string"],
        "Recipe",
        "How to train: `logistic` or `hist_gradient_boosting`. Empty: `GATEKEEPER_RECIPE`.",
        "Training",
        examples=["logistic", "hist_gradient_boosting"],
    ),
    "seed": param(
        None, ["null", "integer"], "Seed", "Seed of the training. Empty: 0.", "Training", minimum=0, maximum=2**32 - 1
    ),
    "holdout_days": param(
        None,
        ["null", "integer"],
        "Holdout, days",
        "Training sees nothing of the last so many days before the as-of. Empty: 365.",
        "Training",
        minimum=1,
        maximum=3650,
    ),
    "threshold": param(
        None,
        ["null", "number"],
        "Threshold",
        "An idea that scores under it is vetoed; stored with the model. Empty: 0.55.",
        "Judgement",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
    ),
    "policy": param(
        None,
        ["null", "string"],
        "Promotion policy",
        "`better`: a gain that was seen. `safe`: and surely not worse by a difference that matters. `proven`: a gain "
        "beyond doubt. Empty: `safe`.",
        "Judgement",
        enum=[None, "better", "safe", "proven"],
    ),
    "tolerance": param(
        None,
        ["null", "number"],
        "Tolerance of `safe`",
        "The annual Sharpe that `safe` may be wrong by. Empty: 0.5.",
        "Judgement",
        minimum=0,
    ),
    "margin": param(
        None,
        ["null", "number"],
        "Margin",
        "The annual Sharpe that the gain must exceed. Empty: 0.",
        "Judgement",
        minimum=0,
    ),
}


@dag(
    schedule=CronTriggerTimetable("0 2 * * 1", timezone="UTC", interval=timedelta(days=7)),
    start_date=datetime(2006, 1, 2, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "gatekeeper", "retries": 2, "retry_delay": timedelta(minutes=1)},
    params=PARAMS,
    doc_md=DOC,
    tags=["gatekeeper"],
)
def gatekeeper_weekly() -> None:
    """Retrains, exports, registers, backtests and, where it is better, promotes."""

    # The steps are imported inside the tasks: parsing this file stays cheap.
    @task
    def retrain() -> dict[str, Any]:
        """Builds the ideas that the as-of knows and trains on those before the holdout."""
        from gatekeeper_airflow.weekly import step

        return step("retrain")

    @task
    def export_onnx(handed: dict[str, Any]) -> dict[str, Any]:
        """Writes the ONNX bytes and proves that they answer as the estimator does."""
        from gatekeeper_airflow.weekly import step

        return step("export_onnx", handed)

    @task
    def register(handed: dict[str, Any]) -> dict[str, Any]:
        """Takes the bytes into the registry; the same run and bytes give the same row."""
        from gatekeeper_airflow.weekly import step

        return step("register", handed)

    @task
    def backtest(handed: dict[str, Any]) -> dict[str, Any]:
        """Judges the challenger against the primary on ideas that neither has seen, and records the evaluation."""
        from gatekeeper_airflow.weekly import step

        return step("backtest", handed)

    @task
    def promote(handed: dict[str, Any]) -> dict[str, Any]:
        """Promotes where the verdict says so, as one act; says why where it doesn't."""
        from gatekeeper_airflow.weekly import step

        return step("promote", handed)

    promote(backtest(register(export_onnx(retrain()))))


gatekeeper_weekly()
