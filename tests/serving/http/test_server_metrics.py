"""Server metrics, true for all its processes at once."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from model_files import constant_model
from registry_site import OWN, Site
from score_server import HOUSE, Server, eventually, idea, plain, running

WORKERS = 2
ALERTS = HOUSE / "docs" / "alerts.yml"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.upgrade()
    with made.open() as registry:
        for score in (0.6, 0.4):
            registry.register(constant_model(score), details=OWN)
        registry.promote(1, actor="ann", reason="test")
    return made


def workers(server: Server) -> list[int]:
    """The ids of the processes that answer."""
    listed = subprocess.run(
        ["pgrep", "-P", str(server.process.pid), "-f", "spawn_main"], capture_output=True, text=True
    )
    return sorted(map(int, listed.stdout.split()))


def runs(process: int) -> bool:
    """Not ended, nor only waiting to be taken away."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def ask(server: Server, count: int) -> list[dict[str, object]]:
    """Each time over a new connection: any of the processes may answer."""
    answers = []
    for number in range(count):
        with httpx.Client(base_url=server.url, transport=plain()) as other:
            answers.append(other.post("/v1/score", json=idea(symbol=f"S{number % 4}")).raise_for_status().json())
    return answers


def all_there(server: Server) -> bool:
    shown = server.metrics()
    return shown["gatekeeper_workers"][()] == WORKERS and shown["gatekeeper_ready"][()] == 1


def check_counts(server: Server, count: int) -> None:
    """However often one asks, and whoever answers."""
    for _ in range(6):
        with httpx.Client(base_url=server.url, transport=plain()) as other:
            shown = Server(server.process, server.url, other, server.errors).metrics()
        assert shown["gatekeeper_requests_total"][("/v1/score", "200")] == count
        assert sum(shown["gatekeeper_decisions_total"].values()) == count
        assert shown["gatekeeper_request_seconds_count"][("/v1/score",)] == count
        assert {shown["gatekeeper_decisions_total"][("approve", f"S{number}")] for number in range(4)} == {count / 4}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets go there."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_one_scrape_is_true_for_all_processes(site: Site, folder: Path) -> None:
    with running(site, workers=WORKERS, TMPDIR=folder) as server:
        eventually(lambda: all_there(server))
        ask(server, 40)
        check_counts(server, 40)
        assert list(server.metrics()["gatekeeper_model_info"].values()) == [WORKERS]

        asked = time.time()
        eventually(lambda: all(left.stat().st_mtime > asked for left in folder.glob("*/*.counts")))
        victim = workers(server)[0]
        os.kill(victim, signal.SIGKILL)  # what it has counted outlives it
        eventually(lambda: victim not in workers(server))
        check_counts(server, 40)
        eventually(lambda: all_there(server))  # and another one comes
        ask(server, 4)
        check_counts(server, 44)

        with site.open() as registry:
            registry.promote(2, actor="ann", reason="test")
        eventually(lambda: [key[0] for key in server.metrics()["gatekeeper_model_info"]] == ["2"])
        assert {(answer["model_id"], answer["decision"]) for answer in ask(server, 8)} == {(2, "veto")}
        assert server.stop(signal.SIGINT) == 0
        assert "Traceback" not in server.errors.read_text()
        assert list(folder.glob("gatekeeper-*")) == []


def test_processes_end_with_the_one_that_started_them(site: Site) -> None:
    with running(site, workers=WORKERS) as server:
        eventually(lambda: all_there(server))
        started = workers(server)
        assert all(map(runs, started))
        server.stop(signal.SIGKILL)
        eventually(lambda: not any(map(runs, started)))


def test_what_is_told_stays_bounded_and_is_what_the_alerts_ask_for(site: Site) -> None:
    """What callers make up doesn't fill the monitoring."""
    with running(site) as server:
        for start in range(0, 1000, 500):
            assert server.score(*(idea(symbol=f"made up {number}") for number in range(start, start + 500))).is_success
        for number in range(50):
            server.client.get(f"/made/up/{number}")
        shown = server.metrics()
        decisions = shown["gatekeeper_decisions_total"]
        assert len(decisions) <= 2 * 101
        assert sum(decisions.values()) == 1000
        assert decisions[("approve", "other")] == 900
        assert shown["gatekeeper_requests_total"][("other", "404")] == 50
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"gatekeeper_\w+", rule["expr"])}
    assert asked and asked <= set(shown) | {"gatekeeper_load_failures_total"}  # no sample before there is a failure
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"] and rule["annotations"]["action"]
