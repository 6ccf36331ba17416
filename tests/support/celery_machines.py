"""Airflow on more than one machine for tests: CeleryExecutor, PostgreSQL, Redis, and workers that can be killed.

A worker is a session of processes here, as it is a machine elsewhere: when it is killed, none of them is left.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest
from airflow_runs import CHILD
from airflow_server import PRELOADED, Airflow, until
from bucket_site import BUCKET
from postgres_server import new_database

from gatekeeper import config
from gatekeeper import registry as registries
from gatekeeper.registry import Registry
from gatekeeper.settings import Settings

SLOTS = 2
UNHEARD = 20
"""Seconds without a heartbeat after which a task's worker counts as gone; Airflow's own are 300."""
LOCAL_SETTINGS = f"""
import gc, sys, warnings
from datetime import timedelta
gc.set_threshold(100_000, 50, 50)  # as for the other Airflow

def dag_policy(dag):
    from airflow.sdk.definitions.timetables.simple import NullTimetable
    dag.timetable = NullTimetable()  # nothing runs but what the tests trigger

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)  # a minute, in the DAGs

if "worker" in sys.argv:
    {PRELOADED}
"""
PREPARE = "from airflow.utils.db import upgradedb; upgradedb(); import airflow_child; airflow_child.parse()"


class Feed:
    """A market's ideas over HTTP. Started by `with`; it keeps whoever asks waiting from `held` to `released`."""

    def __init__(self, content: bytes) -> None:
        self.asked = threading.Event()
        self._open = threading.Event()
        self._open.set()
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()

            def do_GET(self) -> None:
                feed.asked.set()
                feed._open.wait()
                self.do_HEAD()
                self.wfile.write(content)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # who asked was killed
        self.url = f"http://127.0.0.1:{self._server.server_port}/ideas.csv"

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def redis() -> Iterator[str]:
    """A broker of our own, and its URL; it keeps nothing."""
    path = shutil.which("redis-server")
    if path is None:
        pytest.skip("there is no Redis on this machine: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [path, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(port), "Redis answers")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


class Machines(Airflow):
    """API server, scheduler and one worker, started by `with`; `join` adds a worker, `kill` ends one.

    Its tables and a schema for each desk are in the PostgreSQL at `server`. The desks: `folder`, the default, whose
    ideas come from `feed`; `bucket`, whose models are in S3; `third`; and `asked`, which asks before it promotes.
    """

    def __init__(self, home: Path, *, server: str, broker: str, feed: Feed, ideas: Path) -> None:
        self.database = new_database(server)
        desks = {
            "folder": {"data": f"ideas:{feed.url}", "models": str(home / "models")},
            "bucket": {"models": f"s3://{BUCKET}/machines"},
            "third": {},
            "asked": {"approval": True},
        }
        file = home / "desks.toml"
        lines = ['default = "folder"']
        for name, own in desks.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in {"schema": name, **own}.items())]
        file.write_text("\n".join(lines))
        self.desks = tuple(desks)
        self.mine = {
            "GATEKEEPER_DESKS": str(file),
            "GATEKEEPER_DB": self.database,
            "GATEKEEPER_DATA": f"ideas:{ideas}",
            "GATEKEEPER_RECIPE": "logistic",
            "GATEKEEPER_TOO_GOOD": "1000",  # the planted edge has a Sharpe ratio that no market gives
            "GATEKEEPER_ACCEPT": "knows:rsi14",  # and is one
            **{f"GATEKEEPER_{name.upper()}": str(home / name) for name in config.OWN_FOLDERS},
        }
        super().__init__(home, home, self.mine)
        (home / "config" / "airflow_local_settings.py").write_text(LOCAL_SETTINGS)
        self.environment |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database(server),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__CELERY__OPERATION_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(UNHEARD),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        }

    def __enter__(self) -> Self:
        environment = {**self.environment, "PYTHONPATH": str(CHILD.parent)}
        prepared = subprocess.run([sys.executable, "-c", PREPARE], env=environment, capture_output=True, text=True)
        assert prepared.returncode == 0, prepared.stderr[-3000:]
        for desk in self.desks:
            place = self.settings(desk)
            registries.upgrade(place.db, models=place.models)
        self._begin("one")
        super().__enter__()
        try:
            self._wait_for("one")
        except BaseException:
            self.end()
            raise
        return self

    def settings(self, desk: str) -> Settings:
        """The desk's, as its tasks have them."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.mine.items():
                patch.setenv(name, value)
            return config.load(desk=desk)

    def registry(self, desk: str = "folder") -> Registry:
        return Registry.configured(self.settings(desk))

    def join(self, name: str) -> None:
        """One more worker, once it takes tasks."""
        self._begin(name)
        self._wait_for(name)

    def _wait_for(self, name: str) -> None:
        until(lambda: self._is_ready(name), f"worker {name} is ready", self.words)

    def _begin(self, name: str) -> None:
        self._start(
            *("celery", "worker", "--celery-hostname", name, "--concurrency", str(SLOTS)),
            *("--skip-serve-logs", "--without-gossip", "--without-mingle"),
            name=name,
            without="AIRFLOW__API_AUTH__JWT_SECRET",  # a worker shows tokens, and makes none
        )

    def _is_ready(self, name: str) -> bool:
        assert self._children[name].poll() is None, self.words()
        return f"{name} ready" in self._log(name).read_text()

    def kill(self, name: str) -> None:
        """The whole worker at once, with the tasks on it."""
        gone = [process for process in psutil.process_iter() if self.runs_on(process.pid, name)]
        for process in gone:
            process.send_signal(signal.SIGKILL)
        self._children.pop(name).wait()
        psutil.wait_procs(gone)

    def runs_on(self, pid: int, name: str) -> bool:
        """Is this a process of the worker?"""
        try:
            return os.getsid(pid) == self._children[name].pid
        except ProcessLookupError:
            return False

    def running(self, dag_id: str, run_id: str) -> dict[str, int]:
        """The tasks that run, and their processes."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        tasks = self.call("GET", path)["task_instances"]
        return {task["task_id"]: task["pid"] for task in tasks if task["state"] == "running" and task["pid"]}
