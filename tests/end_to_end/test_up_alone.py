"""`make up` with acts that no other test may share: accounts, a killed scheduler, backfills by command on SQLite."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import psutil
import pytest
from airflow_server import until
from up_machine import Place, machine

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("up alone"), pytest.mark.timeout(900)]
WEEKLY = "/api/v2/dags/gatekeeper_weekly"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A machine of its own."""
    with machine(tmp_path_factory.mktemp("up alone")) as started:
        yield started.up()


def shell(place: Place, words: str) -> subprocess.CompletedProcess[str]:
    """A command in a shell that has read the machine's environment, as the docs say."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "GATEKEEPER_"))}
    script = f". '{place.machine.folder / 'environment'}'; {words}"
    return subprocess.run(["bash", "-c", script], env=own, capture_output=True, text=True)


def scheduler(place: Place) -> psutil.Process | None:
    """The one of this machine; None while there is none."""
    top = psutil.Process(int((place.machine.folder / "supervisord.pid").read_text()))
    for child in top.children():
        with suppress(psutil.Error):
            if "airflow scheduler" in " ".join(child.cmdline()):
                return child
    return None


def test_the_documented_backfill_never_finds_the_database_locked(place: Place) -> None:
    """Case 108: four of four, beside a scheduler that writes into the same file; it was none of four."""
    for first, last in (("05", "06"), ("12", "13"), ("19", "20"), ("26", "27")):
        days = f"--from-date 2018-11-{first} --to-date 2018-11-{last}"
        ended = shell(place, f"airflow backfill create --dag-id gatekeeper_weekly {days} --max-active-runs 1")
        assert "database is locked" not in ended.stdout + ended.stderr
        assert ended.returncode == 0, ended.stdout + ended.stderr
        until(
            lambda: all(
                one["completed_at"]
                for one in place.call("GET", "/api/v2/backfills?dag_id=gatekeeper_weekly")["backfills"]
            ),
            "the backfill is complete",
        )
    runs = [run for run in place.runs().values() if run[0] == "backfill"]
    assert runs == [("backfill", "success")] * 4
    with place.machine.registry() as registry:
        assert len(registry.models()) == 4


def test_a_killed_scheduler_is_noticed(place: Place) -> None:
    """Case 108: with its workers and the task that they had. What notices it adds up to a minute, not to five."""
    environment = scheduler(place).environ()
    noticing = [
        environment[f"AIRFLOW__SCHEDULER__{name}"]
        for name in ("TASK_INSTANCE_HEARTBEAT_TIMEOUT", "ORPHANED_TASKS_CHECK_INTERVAL")
    ]
    assert sum(map(int, noticing)) <= 60
    registry = place.machine.folder / "registry.db"
    with closing(sqlite3.connect(registry, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")  # who registers waits for this
        place.call(
            "POST", f"{WEEKLY}/dagRuns", {"dag_run_id": "killed", "logical_date": None, "conf": {"as_of": "2018-12-03"}}
        )
        until(lambda: place.state("killed", "register") == "running", "register waits for the registry")
        top = scheduler(place)
        for process in [top, *top.children(recursive=True)]:
            process.kill()
        until(lambda: scheduler(place) not in (None, top), "supervisord starts another scheduler")
        path = f"{WEEKLY}/dagRuns/killed/taskInstances/register"
        until(lambda: place.call("GET", path)["state"] != "running", "the new one notices that its task is gone")
        holder.execute("ROLLBACK")
    until(lambda: place.call("GET", f"{WEEKLY}/dagRuns/killed")["state"] == "success", "the run ends well")
    assert place.call("GET", path)["try_number"] >= 2  # the second may still have met the lock


def test_two_accounts_and_what_they_may_do(place: Place) -> None:
    """Case 108: a viewer beside the administrator, both printed; a changed list takes a restart, and says so."""
    passwords = dict(
        line.split("user ")[1].split(", password ") for line in place.printed.splitlines() if ", password " in line
    )
    assert list(passwords) == ["admin", "viewer"]
    codes = {}
    for user, password in passwords.items():
        with httpx.Client(base_url=place.airflow, timeout=60, verify=False) as client:
            token = client.post("/auth/token", json={"username": user, "password": password}).json()["access_token"]
            header = {"Authorization": f"Bearer {token}"}
            seen = client.get(WEEKLY, headers=header).status_code
            codes[user] = (seen, client.patch(WEEKLY, json={"is_paused": False}, headers=header).status_code)
    assert codes == {"admin": (200, 200), "viewer": (200, 403)}
    file = place.machine.folder / "airflow" / "airflow.cfg"
    before = file.read_text()
    assert "simple_auth_manager_users = admin:admin,viewer:viewer\n" in before
    file.write_text(before.replace("admin:admin,viewer:viewer", "admin:admin,ben:op"))
    ended = place.machine.make("up")
    assert ended.returncode != 0
    assert "lists other accounts than at the start" in ended.stderr
    assert "Run `make down`, then `make up`" in ended.stderr
    place.machine.down()
    assert "user ben, password " in place.machine.up().printed
    assert "simple_auth_manager_users = admin:admin,ben:op\n" in file.read_text()
