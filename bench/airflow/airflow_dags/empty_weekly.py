"""The weekly DAG's five tasks without work, one after the other: Airflow's own time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator

STEPS = ("retrain", "export_onnx", "register", "backtest", "promote")


class NothingOperator(BaseOperator):
    """Hands on what it was handed."""

    template_fields: Sequence[str] = ("handed",)

    def __init__(self, *, handed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.handed = handed

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Nothing."""
        return {**(self.handed or {}), self.task_id: "done"}


with DAG("empty_weekly", schedule=None, start_date=datetime(2006, 1, 2, tzinfo=UTC), catchup=False):
    handed = None
    for step in STEPS:
        handed = NothingOperator(task_id=step, handed=handed).output
