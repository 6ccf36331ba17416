"""`make up` and `make down`: Airflow and the scoring server on one machine, and nothing left behind."""

import importlib.util
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from airflow_server import until
from score_server import eventually
from up_machine import HOUSE, Machine, Place, free_ports, machine

# The journey shares the machine, so it is in the same group; the test that takes it down is the last one here.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("up"), pytest.mark.timeout(600)]


def tree(place: Place) -> list[psutil.Process]:
    """Supervisord and all below it, whatever group or session they are in."""
    top = psutil.Process(int((place.machine.folder / "supervisord.pid").read_text()))
    return [top, *top.children(recursive=True)]


def listening(processes: list[psutil.Process]) -> set[str]:
    """The addresses that they listen on."""
    found = (connection for process in processes for connection in process.net_connections(kind="inet"))
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def test_it_says_where_all_is_and_that_it_is_well(place: Place) -> None:
    assert "Healthy after" in place.printed
    health = place.call("GET", "/api/v2/monitor/health")
    assert {part: health[part]["status"] for part in ("scheduler", "dag_processor", "metadatabase")} == {
        "scheduler": "healthy",
        "dag_processor": "healthy",
        "metadatabase": "healthy",
    }
    assert listening(tree(place)) == {"127.0.0.1"}
    assert str(place.machine.folder / "logs") in place.printed
    own = {path for path in (place.machine.folder / "airflow").iterdir() if path.name in ("passwords.json", "jwt")}
    assert {path.stat().st_mode & 0o077 for path in own} == {0}
    assert place.password not in (place.machine.folder / "logs" / "api-server.log").read_text()


def test_no_dag_waits_and_none_runs_beyond_the_demos_bars(place: Place) -> None:
    """Case 109: the first thing in the grid was a red run of last Monday. The Mondays there are have a command."""
    assert "make mondays" in place.printed
    assert "paused" not in place.printed
    assert place.dags() == {"gatekeeper_weekly": False, "gatekeeper_promote": False, "gatekeeper_monitor": False}
    weekly = place.call("GET", "/api/v2/dags/gatekeeper_weekly")
    assert (weekly["timetable_summary"], weekly["next_dagrun_run_after"]) == ("0 2 * * 1", None)
    assert "scheduled" not in {kind for kind, _ in place.runs().values()}


@pytest.mark.parametrize("count", ["0", "9", "all"])
def test_more_mondays_than_there_are_is_refused(place: Place, count: str) -> None:
    ended = place.machine.make("mondays", COUNT=count)
    assert ended.returncode != 0
    assert f"Can't run '{count}' Mondays. The demo has 8" in ended.stderr


def test_its_environment_makes_a_shell_speak_of_it(place: Place) -> None:
    """Without the mark by which `make down` knows its own: the shell is not to be ended."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "GATEKEEPER_"))}
    file = place.machine.folder / "environment"
    words = f". {file}; gatekeeper config --json; echo; echo $UP_HOME; echo $AIRFLOW_HOME; command -v airflow"
    ended = subprocess.run(["bash", "-c", words], env=own, capture_output=True, text=True, check=True)
    settings, _, others = ended.stdout.partition("\n\n")
    shown = {setting["name"]: setting["value"] for setting in json.loads(settings)}
    assert shown["GATEKEEPER_DB"] == f"sqlite:///{place.machine.folder / 'registry.db'}"
    assert shown["GATEKEEPER_RECIPE"] == "hist_gradient_boosting"
    airflow = Path(sys.executable).with_name("airflow")
    assert others.splitlines() == ["", str(place.machine.folder / "airflow"), str(airflow)]
    assert file.stat().st_mode & 0o077 == 0
    assert f". {file} " in place.printed


def test_a_second_up_says_that_it_is_up_and_starts_nothing(place: Place) -> None:
    before = [process.pid for process in tree(place)[:1]]
    again = place.machine.up()
    assert "Already up" in again.printed
    assert (again.airflow, again.password, again.server) == (place.airflow, place.password, place.server)
    assert [process.pid for process in tree(place)[:1]] == before


def test_with_other_settings_it_names_them(place: Place) -> None:
    ended = place.machine.make("up", GATEKEEPER_DATA="candles:elsewhere")
    assert ended.returncode != 0
    assert "It is running with another GATEKEEPER_DATA than now. Run `make down`, then `make up`" in ended.stderr


def test_a_part_that_does_not_start_is_named_with_the_end_of_its_log(place: Place) -> None:
    """Someone takes the scoring server's port while it is away; once it is free again, `make up` mends it."""
    server = next(process for process in tree(place) if named(process).endswith("gatekeeper serve"))
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.kill()
        eventually(lambda: taken(taker, place.machine.server_port))
        ended = place.machine.make("up")
    assert ended.returncode != 0
    assert "serve does not start" in ended.stderr
    assert f"Can't listen on 127.0.0.1 port {place.machine.server_port}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Healthy after" in place.machine.up().printed


def taken(taker: socket.socket, port: int) -> bool:
    try:
        taker.bind(("127.0.0.1", port))
        taker.listen()
    except OSError:
        return False
    return True


def test_commands_in_a_path_with_a_space_are_whole_and_one_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 115: supervisord took the path up to its first space for the command, and no log said so."""
    spec = importlib.util.spec_from_file_location("up_machine_of_the_house", HOUSE / "up" / "machine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    started = module.Machine(tmp_path / "a house")
    (started.folder / "logs").mkdir(parents=True)
    around = {"UP_HOME": started.folder, "UP_BIN": tmp_path / "no bin", "UP_SOCKET": started.socket}
    for name, value in {**around, "AIRFLOW__API__PORT": "1"}.items():
        monkeypatch.setenv(name, str(value))
    try:
        started.start()
        until(lambda: set(started.states().values()) == {"FATAL"}, "every part has given up")
        missing = f"does not start (can't find command '{tmp_path / 'no bin'}/{{}}')"
        assert [started.why_not_started(part) for part in ("serve", "scheduler")] == [
            missing.format("gatekeeper"),
            missing.format("airflow"),
        ]
    finally:
        started.end(30)


@pytest.fixture
def idle(tmp_path: Path) -> Machine:
    """One that never comes up."""
    return Machine(tmp_path / "idle", *free_ports(2), {})


def test_a_taken_port_is_named_with_the_way_out(idle: Machine) -> None:
    with socket.create_server(("127.0.0.1", idle.airflow_port)), socket.create_server(("127.0.0.1", idle.server_port)):
        ended = idle.make("up")
    assert ended.returncode != 0
    for port, name in ((idle.airflow_port, "AIRFLOW__API__PORT"), (idle.server_port, "GATEKEEPER_PORT")):
        assert f"Port {port} of 127.0.0.1" in ended.stderr
        assert f"make up {name}={port + 1}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_nothing_is_up_no_monday_is_run(idle: Machine) -> None:
    ended = idle.make("mondays")
    assert ended.returncode != 0
    assert "Nothing is up. Run `make up` first" in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("AIRFLOW__API__PORT", "eighty"), ("GATEKEEPER_PORT", "0"), ("GATEKEEPER_THRESHOLD", "7")]
)
def test_a_setting_that_cannot_be_is_named(idle: Machine, name: str, value: str) -> None:
    ended = idle.make("up", **{name: value})
    assert ended.returncode != 0
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr


def test_down_ends_what_nobody_supervises_any_more(tmp_path: Path) -> None:
    """As after a kill of supervisord: the mark in their environment finds them, in groups of their own or not."""
    with machine(tmp_path) as left:
        orphans = [
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, **group, env=marked(tmp_path))
            for group in ({"start_new_session": True}, {"process_group": 0})
        ]
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=marked(tmp_path / "no"))
        try:
            assert "2 processes ended" in left.down()
            assert [orphan.wait(30) for orphan in orphans] == [-signal.SIGKILL] * 2
            assert other.poll() is None
            assert "Nothing was up" in left.down()
        finally:
            for process in (*orphans, other):
                process.kill()
                process.wait()


def marked(folder: Path) -> dict[str, str]:
    return {**os.environ, "UP_HOME": str(folder)}


def under_way(place: Place) -> list[psutil.Process]:
    """The tasks that run: in groups of their own, below a worker, which is a child of the scheduler.

    Told by that, not by their titles: where Airflow changes the first variable of its environment, none can be set.
    """
    found = []
    for scheduler in tree(place)[0].children():
        if "airflow scheduler" in named(scheduler):
            for process in (below for worker in scheduler.children() for below in worker.children()):
                with suppress(ProcessLookupError):
                    found += [process] if os.getpgid(process.pid) == process.pid else []
    return found


def looked_at(place: Place) -> str:
    """The state of `register`, and all processes: what a failure should show."""
    shown = [f"{process.pid} below {process.ppid()}: {named(process)}" for process in tree(place)]
    return "\n".join([f"register is {place.state('last', 'register')}", *shown])


def groups_of(processes: list[psutil.Process]) -> set[int]:
    found = set()
    for process in processes:
        with suppress(ProcessLookupError):  # a look at the DAGs ended meanwhile
            found.add(os.getpgid(process.pid))
    return found


def named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


def test_down_leaves_no_process_behind(place: Place) -> None:
    """With a task under way, which Airflow runs in a process group of its own."""
    weekly = "/api/v2/dags/gatekeeper_weekly"
    place.call("PATCH", weekly, {"is_paused": False})
    run = {"dag_run_id": "last", "logical_date": None, "conf": {"as_of": "2018-11-19"}}
    log = place.machine.folder / "logs" / "supervisord.log"
    with (
        closing(sqlite3.connect(place.machine.folder / "registry.db", isolation_level=None)) as holder,
        ThreadPoolExecutor(1) as beside,
    ):
        holder.execute("BEGIN IMMEDIATE")  # who registers waits for this
        place.call("POST", f"{weekly}/dagRuns", run)
        until(lambda: place.state("last", "register") == "running", "register waits for the registry")
        tasks = until(lambda: under_way(place), "the process of register", lambda: looked_at(place))
        living = tree(place)
        groups = groups_of(living)
        assert {task.pid for task in tasks} <= groups
        going = beside.submit(place.machine.down)
        eventually(lambda: "to die" in log.read_text())
        holder.execute("ROLLBACK")
    assert "processes ended" in going.result()
    assert [process for process in living if process.is_running()] == []
    for number in groups:
        with pytest.raises(ProcessLookupError):
            os.killpg(number, 0)
    with place.machine.registry() as registry:
        assert registry.doctor().well
