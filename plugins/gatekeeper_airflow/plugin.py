"""What does Airflow's plugin manager see? The hook, under `Admin > Plugins`; DAGs import operators directly."""

from airflow.plugins_manager import AirflowPlugin


class GatekeeperPlugin(AirflowPlugin):
    """Gatekeeper in Airflow."""

    name = "gatekeeper"
