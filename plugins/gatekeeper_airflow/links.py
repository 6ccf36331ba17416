"""Task links: from a task to its evaluation in the console."""

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink


class EvaluationLink(BaseOperatorLink):
    """Link to the console's page of an evaluation: equity curves, gates, numbers, report."""

    name = "Evaluation"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        """The path of the console's page; "", which hides the button, if the task has no evaluation.

        Airflow calls it in the task's process when the task ends.
        """
        if operator.evaluation_id is None:
            return ""
        return page_of(operator.desk, operator.evaluation_id)


def page_of(desk: str, evaluation_id: int) -> str:
    """The path of an evaluation's page on Airflow's host."""
    return _page(f"{desk}/evaluations/{evaluation_id}")


def model_page_of(desk: str, model_id: int) -> str:
    """The path of a model's page on Airflow's host."""
    return _page(f"{desk}/models/{model_id}")


def _page(rest: str) -> str:
    from airflow.configuration import conf

    root = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
    return f"{root}/gatekeeper/{rest}"
