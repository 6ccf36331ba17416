"""Where does a task's button lead? To the evaluation that it made or went by, in the console of its desk."""

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink


class EvaluationLink(BaseOperatorLink):
    """To the evaluation with its equity curves, gates and numbers, and to the whole report."""

    name = "Evaluation"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        """The path of the console's page; empty, which shows no button, where the task made no evaluation.

        Called in the task's own process, as it ends: the operator knows what it did.
        """
        if operator.evaluation_id is None:
            return ""
        return page_of(operator.desk, operator.evaluation_id)


def page_of(desk: str, evaluation_id: int) -> str:
    """The path of an evaluation's page, on the host that Airflow is reached at."""
    from airflow.configuration import conf

    root = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
    return f"{root}/gatekeeper/{desk}/evaluations/{evaluation_id}"
