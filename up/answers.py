"""Health of Airflow and the scoring server, and the state of the DAGs, over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Answers:
    """HTTP queries on this machine; `airflow` and `server` are URLs."""

    airflow: str
    server: str
    user: str
    password: str = field(repr=False)

    def well(self) -> Iterator[str]:
        """The names of the healthy parts."""
        with _client("") as client:
            if _of(client, f"{self.server}/livez"):
                yield "serve"
            health = _of(client, f"{self.airflow}/api/v2/monitor/health")
            # The execution API builds its routes at the first request, which takes seconds: so no task has to wait.
            tasks = health and _of(client, f"{self.airflow}/execution/health")
        if health and tasks:
            yield "api-server"
            healthy = (name for name, part in health.items() if part and part["status"] == "healthy")
            yield from (name.replace("_", "-") for name in healthy)

    def logged_in(self) -> httpx.Client:
        """A client that is logged in to Airflow."""
        with _client(self.airflow) as client:
            login = {"username": self.user, "password": self.password}
            token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        return _client(self.airflow, {"Authorization": f"Bearer {token}"})


def dags(airflow: httpx.Client) -> dict[str, bool]:
    """Whether each of Gatekeeper's DAGs that Airflow has read is paused, by DAG id."""
    answer = airflow.get("/api/v2/dags", params={"tags": "gatekeeper", "limit": 1000}).raise_for_status().json()
    return {dag["dag_id"]: dag["is_paused"] for dag in answer["dags"]}


def unreadable(airflow: httpx.Client) -> list[str]:
    """The files of dags/ that Airflow could not read, each with the last line of its error."""
    faults = airflow.get("/api/v2/importErrors").raise_for_status().json()["import_errors"]
    return [f"{fault['filename']}: {fault['stack_trace'].strip().splitlines()[-1]}" for fault in faults]


def let_run(airflow: httpx.Client, name: str) -> None:
    """Unpause a DAG."""
    airflow.patch(f"/api/v2/dags/{name}", json={"is_paused": False}).raise_for_status()


def _client(url: str, headers: dict[str, str] | None = None) -> httpx.Client:
    return httpx.Client(base_url=url, headers=headers, timeout=30, verify=False, trust_env=False)  # noqa: S501  # loopback


def _of(client: httpx.Client, url: str) -> Any:
    try:
        answer = client.get(url)
    except httpx.HTTPError:
        return None
    return answer.json() if answer.is_success else None
