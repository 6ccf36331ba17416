"""Airflow plugin: the console in the menu, the task links and the demo's timetable."""

from airflow.plugins_manager import AirflowPlugin

from gatekeeper_airflow.console import PREFIX, Console, base_path
from gatekeeper_airflow.demo_timetable import DemoTimetable
from gatekeeper_airflow.links import EvaluationLink


class GatekeeperPlugin(AirflowPlugin):
    """The plugin that Airflow's plugin manager loads."""

    name = "gatekeeper"
    fastapi_apps = [{"app": Console(), "url_prefix": PREFIX, "name": "Gatekeeper console"}]  # noqa: RUF012  # Airflow's
    external_views = [  # noqa: RUF012  # Airflow's
        {
            "name": "Gatekeeper",
            "href": f"{base_path()}{PREFIX}/",
            "destination": "nav",
            "url_route": "gatekeeper",
            "icon": f"{base_path()}{PREFIX}/static/icon.svg",
            "nav_top_level": True,
        }
    ]
    timetables = [DemoTimetable]  # noqa: RUF012  # Airflow's
    operator_extra_links = [EvaluationLink()]  # noqa: RUF012  # Airflow's
