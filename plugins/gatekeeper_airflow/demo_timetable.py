"""Timetable of the weekly DAG on the demo's bars: a cron expression that ends with them."""

from datetime import datetime, timedelta
from typing import Any, Self

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable


class DemoTimetable(CronTriggerTimetable):
    """A weekly cron timetable without runs after the demo's last Monday.

    An `end_date` of the DAG would not do: Airflow's form sends the present as the logical date, and a run with a
    logical date after the end date gets no tasks and is marked a success.
    """

    def __init__(self, expression: str) -> None:
        super().__init__(expression, timezone="UTC", interval=timedelta(days=7))
        self.expression = expression

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run; None if it would be due after the last bar."""
        from gatekeeper_airflow.form import DEMO_LAST_MONDAY  # every process of Airflow imports this module

        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        return info if info and info.run_after <= datetime.fromisoformat(DEMO_LAST_MONDAY) else None

    def serialize(self) -> dict[str, Any]:
        """For Airflow's database."""
        return {"expression": self.expression}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """From there."""
        return cls(data["expression"])
