"""Whole machine for tests, brought up as its operator does: `make up` and `make down`, in a folder of its own."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gatekeeper.registry import Registry

HOUSE = Path(__file__).parents[2]
MAKE = ["make", "--silent", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/ready"]  # this environment, as it is
PLACE = re.compile(r"^Airflow +(?P<airflow>\S+) +user (?P<user>\S+), password (?P<password>\S+)$", re.MULTILINE)
SERVER = re.compile(r"^scoring server +(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """A folder and two ports, and the settings around `make`."""

    folder: Path
    airflow_port: int
    server_port: int
    settings: dict[str, str]

    def make(self, target: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Nothing of the tests' own Airflow, of make's, or of anyone's Gatekeeper is around it."""
        theirs = ("AIRFLOW", "GATEKEEPER_", "MAKE", "MFLAGS", "VENV")
        own = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        ports = {"AIRFLOW__API__PORT": str(self.airflow_port), "GATEKEEPER_PORT": str(self.server_port)}
        environment = {**own, "UP_FOLDER": str(self.folder), **ports, **self.settings, **settings}
        return subprocess.run([*MAKE, target], cwd=HOUSE, env=environment, capture_output=True, text=True)

    def up(self) -> "Place":
        """What it printed, once it says that all is well."""
        ended = self.make("up")
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-6000:]
        airflow, server = PLACE.search(ended.stdout), SERVER.search(ended.stdout)
        assert airflow is not None, ended.stdout
        assert server is not None, ended.stdout
        return Place(self, ended.stdout, airflow["airflow"], airflow["user"], airflow["password"], server[1])

    def down(self) -> str:
        ended = self.make("down")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def registry(self) -> Registry:
        """The one that `up` made where nobody named another."""
        return Registry.open(f"sqlite:///{self.folder / 'registry.db'}", models=self.folder / "models")


@dataclass(frozen=True)
class Place:
    """What `make up` says, as an operator reads it."""

    machine: Machine
    printed: str
    airflow: str
    user: str
    password: str
    server: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to Airflow's API, with the printed password."""
        with httpx.Client(base_url=self.airflow, timeout=60, verify=False) as client:
            login = {"username": self.user, "password": self.password}
            token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            return answer.raise_for_status().json()

    def dags(self) -> dict[str, bool]:
        """Is it paused?"""
        dags = self.call("GET", "/api/v2/dags")["dags"]
        return {dag["dag_id"]: dag["is_paused"] for dag in dags}

    def runs(self) -> dict[str, tuple[str, str]]:
        """Type and state of each run of the weekly DAG."""
        runs = self.call("GET", "/api/v2/dags/gatekeeper_weekly/dagRuns")["dag_runs"]
        return {run["dag_run_id"]: (run["run_type"], run["state"]) for run in runs}

    def state(self, run: str, task: str) -> str | None:
        """Of a task of the weekly DAG."""
        path = f"/api/v2/dags/gatekeeper_weekly/dagRuns/{run}/taskInstances/{task}"
        state: str | None = self.call("GET", path)["state"]
        return state

    def answer(self) -> Any:
        """The model that answers on the scoring server, or why there is none."""
        return json.loads(httpx.get(f"{self.server}/v1/model", timeout=60).text)


def free_ports(count: int) -> list[int]:
    """Each another one."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def machine(folder: Path, **settings: str) -> Iterator[Machine]:
    """Down in the end, whatever happens."""
    made = Machine(folder, *free_ports(2), settings)
    try:
        yield made
    finally:
        made.down()
