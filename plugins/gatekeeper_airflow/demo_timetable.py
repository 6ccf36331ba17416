"""Timetable of the weekly DAG on the demo's bars: a cron expression that ends with them."""

from datetime import datetime, timedelta
from typing import Any, Self

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable


class DemoTimetable(CronTriggerTimetable):
    """As for data that goes on, without a run behind the demo's last Monday.

    An `end_date` of the DAG would not do: Airflow's form sends the present as the logical date, and a run whose logical
    date lies behind the end date gets no tasks and is marked a success.
    """

    def __init__(self, expression: str) -> None:
        super().__init__(expression, timezone="UTC", interval=timedelta(days=7))
        self.expression = expression

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """None if the next run would be due behind the bars' end."""
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
