"""A real Airflow for tests: API server, scheduler and LocalExecutor on SQLite, on loopback, every child ended by id."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
PATIENCE = 240


class Airflow:
    """Started by `with`; `settings` go into the environment of every process. The DAGs are in its database already."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        self.lines: queue.Queue[str] = queue.Queue()
        self._children: list[subprocess.Popen[str]] = []
        self._token = ""
        self._environment = {
            **os.environ,
            **settings,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests, for this folder and port alone",
        }

    def __enter__(self) -> Self:
        try:
            self._start("api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
            self.wait_for("Uvicorn running")
            self._token = self.call("GET", "/auth/token")["access_token"]
            self._start("scheduler")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._children:
            os.killpg(child.pid, signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to the API, as JSON."""
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self._token}"} if self._token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as fault:
            raise AssertionError(f"{method} {path}: {fault.code} {fault.read().decode()}") from fault

    def wait_for(self, *words: str) -> str:
        """The next line of any child's log that holds all these words."""
        seen: list[str] = []
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no line with {words}; the last ones: {''.join(seen[-30:])}") from None
            seen.append(line)
            if all(word in line for word in words):
                return line

    def _start(self, *command: str) -> None:
        child = subprocess.Popen(
            [AIRFLOW, *command],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._children.append(child)
        threading.Thread(target=self._read, args=(child,), daemon=True).start()

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            self.lines.put(line)
