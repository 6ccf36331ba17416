"""The weekly DAG's five tasks without work, one after the other: Airflow's own time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator

STEPS = ("retrain", "export_onnx", "register", "backtest", "promote")


class NothingOperator(BaseOperator):
    """Hands on what it was step_output."""

    template_fields: Sequence[str] = ("step_output",)

    def __init__(self, *, step_output: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step_output = step_output

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Nothing."""
        return {**(self.step_output or {}), self.task_id: "done"}


with DAG("empty_weekly", schedule=None, start_date=datetime(2006, 1, 2, tzinfo=UTC), catchup=False):
    step_output = None
    for step in STEPS:
        step_output = NothingOperator(task_id=step, step_output=step_output).output
