"""Real Airflow for tests: API server with the plugins, scheduler and LocalExecutor on SQLite, on loopback.

What a test waits for it asks the API for, by the id of its own run; every child is ended by its id.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sqlalchemy.engine import make_url

from gatekeeper.registry import Registry

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
API_SERVER = "api-server"
PATIENCE = 240
LOOK_EVERY = 0.5
USERS = {"admin": "admin", "operator": "op", "trader": "user", "reader": "viewer"}
"""Name and role; a user's password is the name, backwards."""
ENDED = {"success", "failed"}
PRELOADED = """
    warnings.simplefilter("ignore")  # importing skops touches every deprecated name of Airflow
    import airflow.sdk.execution_time.task_runner
    import matplotlib.figure, onnxruntime, pandas, scipy.stats, skl2onnx, skops.io
    import sklearn.ensemble, sklearn.linear_model, sklearn.pipeline
"""
"""Of the process that tasks are forks of: most of what a task costs is importing these."""
LOCAL_SETTINGS = f"""
import gc, sys, warnings
gc.set_threshold(100_000, 50, 50)  # a fifth of an API server's start is looking for garbage that isn't there
if "scheduler" in sys.argv:
    {PRELOADED}
"""
Found = TypeVar("Found")


class Refused(AssertionError):
    """The API said no; `.code` is the status."""

    def __init__(self, what: str, code: int, answer: str) -> None:
        super().__init__(f"{what}: {code} {answer}")
        self.code = code


class Airflow:
    """Started by `with`. `settings` go into the environment of every process, and no other of Gatekeeper's do.

    The DAGs are in its database already. `folder` holds a folder of each desk, as `airflow_desks` makes them.
    """

    def __init__(self, home: Path, folder: Path, settings: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens: dict[str, str] = {}
        (home / "config").mkdir(exist_ok=True)
        (home / "config" / "airflow_local_settings.py").write_text(LOCAL_SETTINGS)
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({name: password(name) for name in USERS}))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")},
            **settings,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests, for this folder and port alone",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",  # each child would read all of them; they are done
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",  # it is what tasks wait for; more looks cost more
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",  # approvals that are late, too
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        }

    def __enter__(self) -> Self:
        try:
            self._start(API_SERVER, "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
            self._start("scheduler")
            until(self._answers, "the API server answers", self.words)
            # The first request builds all that tasks talk to, in seconds: no task shall wait for that.
            self.call("GET", "/execution/health", user=None)
            until(self._schedules, "the scheduler is healthy", self.words)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def place(self, desk: str = "default") -> Path:
        """The folder of a desk: its registry.db, models, work, reports."""
        return self.folder / desk

    def registry(self, desk: str = "default") -> Registry:
        """The registry that the desk's tasks write; the caller closes it."""
        return Registry.open(f"sqlite:///{self.place(desk) / 'registry.db'}", models=self.place(desk) / "models")

    def token(self, user: str = "admin") -> str:
        """What the user's requests bring as bearer token."""
        if user not in self._tokens:
            said = self.call("POST", "/auth/token", {"username": user, "password": password(user)}, user=None)
            self._tokens[user] = said["access_token"]
        return self._tokens[user]

    def call(self, method: str, path: str, body: object = None, *, user: str | None = "admin") -> Any:
        """One request to the API, as JSON; without a user, without login. Raises Refused."""
        headers = {"Content-Type": "application/json"}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self.url + path, data=data, headers=headers, method=method), timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as fault:
            raise Refused(f"{method} {path}", fault.code, fault.read().decode()) from fault

    def unpause(self, dag_id: str) -> None:
        """From now on the DAG's runs run; its latest scheduled one is made at once."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, object], *, run_id: str, user: str = "admin") -> None:
        """A manual run without a logical date, as the form starts one; the DAG has to be unpaused."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body, user=user)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run as the API has it now."""
        return dict(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def ended(self, dag_id: str, run_id: str) -> str:
        """`success` or `failed`, once the run has ended."""

        def state() -> str | None:
            said = str(self.run(dag_id, run_id)["state"])
            return said if said in ENDED else None

        return until(state, f"{dag_id} {run_id} ends", lambda: f"{self.tasks(dag_id, run_id)}\n{self.words()}")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of the DAG, oldest first."""
        return list(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=id&limit=100")["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, tuple[str | None, int]]:
        """By task: its state and how often it was tried."""
        said = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: (task["state"], task["try_number"]) for task in said}

    def log(self, dag_id: str, run_id: str, task_id: str, *, attempt: int = 1) -> str:
        """What one attempt of a task wrote, as the page shows it: the events, one a line, and why it failed."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?full_content=true"
        return "\n".join(map(told, self.call("GET", path)["content"]))

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """These tasks, and all behind them, once more."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def question(self, dag_id: str, run_id: str, attempt: int = 1) -> dict[str, Any]:
        """What the run asks a person, once it waits for an answer.

        Airflow loses an answer, and asks again, that comes before its scheduler heard that the asking process ended.
        """
        key = f"TaskInstanceKey(dag_id='{dag_id}', task_id='approve', run_id='{run_id}', try_number={attempt},"

        def asked() -> bool:
            waits = self.tasks(dag_id, run_id).get("approve") == ("awaiting_input", attempt)
            return waits and f"state success for task instance {key}" in self._log("scheduler").read_text()

        until(asked, f"{run_id} asks", lambda: str(self.tasks(dag_id, run_id)))
        return dict(self.call("GET", _question(dag_id, run_id)))

    def answer(self, dag_id: str, run_id: str, said: str, *, user: str) -> None:
        """What a person answers, as the page Required Actions sends it."""
        self.call("PATCH", _question(dag_id, run_id), {"chosen_options": [said], "params_input": {}}, user=user)

    def command(self, *words: str) -> str:
        """What `airflow WORDS` printed."""
        ended = subprocess.run([AIRFLOW, *words], env=self.environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        return ended.stdout

    @contextmanager
    def without_scheduler(self) -> Iterator[None]:
        """The scheduler stands still: on SQLite its writes can make another command fail half-way."""
        until(self._stop_scheduler, "the scheduler stands still, and writes nothing")
        try:
            yield
        finally:
            os.kill(self._children["scheduler"].pid, signal.SIGCONT)

    def _stop_scheduler(self) -> bool:
        """Where it holds the one lock of a SQLite database it goes on: nobody else could write until then."""
        pid = self._children["scheduler"].pid
        os.kill(pid, signal.SIGSTOP)
        place = make_url(self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).database
        with closing(sqlite3.connect(str(place), timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                return False
        return True

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/api/v2/monitor/health", user=None))
        except URLError:
            return False

    def _schedules(self) -> bool:
        assert self._children["scheduler"].poll() is None, self.words()
        return bool(self.call("GET", "/api/v2/monitor/health", user=None)["scheduler"]["status"] == "healthy")

    def words(self) -> str:
        """The end of each child's log, and whether it still runs."""
        return "\n".join(
            f"--- {name}, exit code {child.poll()}\n{self._log(name).read_text(errors='replace')[-3000:]}"
            for name, child in self._children.items()
        )

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _start(self, *command: str, name: str | None = None, without: str = "") -> None:
        """A child under a name of its own, where not the command's, and without one of the settings."""
        name = name or command[0]
        environment = {key: value for key, value in self.environment.items() if key != without}
        with self._log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                [AIRFLOW, *command], env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def end(self) -> None:
        """Every child, by its id; a second time nothing is left to do.

        The API server is killed, as the last: to leave in good order it takes three seconds of a processor.
        """
        for name, child in self._children.items():
            if name != API_SERVER:
                with suppress(ProcessLookupError):  # it ended by itself, with all that it had started
                    os.killpg(child.pid, signal.SIGTERM)
        for name in sorted(self._children, key=API_SERVER.__eq__):
            child = self._children[name]
            try:
                child.wait(timeout=0 if name == API_SERVER else 20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self._children.clear()


def _question(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"


def told(line: Mapping[str, Any]) -> str:
    """A line of a log: its event, and behind it the faults that it tells of."""
    faults = (f"{fault['exc_type']}: {fault['exc_value']}" for fault in line.get("error_detail") or ())
    return "\n".join([str(line["event"]), *faults])


def password(user: str) -> str:
    """A user's."""
    return user[::-1]


def until(look: Callable[[], Found | None], what: str, otherwise: Callable[[], str] = str) -> Found:
    """What `look` finds, as soon as it is something; `otherwise` tells what the failure should show."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(LOOK_EVERY)
    raise AssertionError(f"not within {PATIENCE} s: {what}\n{otherwise()}")
