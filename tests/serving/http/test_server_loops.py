"""Scoring server's background loops and spool folder: what fails is named, and goes on by itself."""

import asyncio
import errno
import json
import resource
import shutil
from pathlib import Path

import pytest
from model_files import constant_model
from registry_site import Site
from score_server import Server, eventually, idea, running, serving_site

from gatekeeper.serving.http.error_middleware import FaultLog, _reply_or_refusal
from gatekeeper.serving.http.replies import Reply


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return serving_site(tmp_path, constant_model(0.6))


def ready(server: Server) -> dict[str, object]:
    answer = server.client.get("/readyz")
    assert answer.status_code == 200
    return answer.json()


def delivered(site: Site, count: int) -> bool:
    return site.sql("SELECT count(*) FROM gatekeeper_decision") == [(count,)]


def test_no_open_file_is_left_for_a_while(site: Site) -> None:
    """Case 97: the delivery thread died of one EMFILE, readiness stayed 200, and the rows waited for a restart."""
    with running(site) as server:
        process = server.process.pid
        assert server.score(idea()).json()["logged"]
        eventually(lambda: delivered(site, 1))
        assert (ready(server)["degraded"], ready(server)["stalled"]) == (False, [])
        limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (3, limits[1]))
        eventually(lambda: ready(server)["stalled"])
        said = ready(server)
        assert said["status"] == "ready" and said["degraded"]
        assert "spool" in said["stalled"] and "The background loop spool failed" in str(said["reason"])
        assert f"[Errno {errno.EMFILE}]" in str(said["reason"])
        assert server.score(idea()).json()["logged"]  # its file is open already
        resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        eventually(lambda: delivered(site, 2))
        eventually(lambda: not ready(server)["stalled"])
        shown = server.metrics()
        assert {loop for (loop,) in shown["gatekeeper_loop_age_seconds"]} == {
            "connections",
            "delivery",
            "spool",
            "watch",
        }
        assert set(shown["gatekeeper_loop_failures_total"]) == set(shown["gatekeeper_loop_age_seconds"])
        assert all(0 <= age < 60 for age in shown["gatekeeper_loop_age_seconds"].values())


def test_the_spool_folder_is_removed_under_the_server(site: Site) -> None:
    """Case 100: `logged: true`, and nothing arrived."""
    folder = site.root / "spool"
    with running(site) as server:
        assert server.score(idea()).json()["logged"]
        shutil.rmtree(folder)
        assert server.score(idea()).json()["logged"]
        eventually(lambda: delivered(site, 2))
        assert folder.is_dir()
        shutil.rmtree(folder)
        folder.write_text("not a folder")
        assert not server.score(idea()).json()["logged"]
        eventually(lambda: ready(server)["stalled"] == ["spool"])
        folder.unlink()
        eventually(lambda: not ready(server)["degraded"])
        assert server.score(idea()).json()["logged"]
        eventually(lambda: delivered(site, 3))


def test_what_is_cut_off_when_the_server_stops_is_told_to_come_again() -> None:
    """Outcomes that waited for a locked database got status 500, with a traceback each."""

    async def play() -> Reply:
        begun, never = asyncio.Event(), asyncio.Event()

        async def answer() -> Reply:
            begun.set()
            await never.wait()
            return Reply(200, b"")

        task = asyncio.create_task(_reply_or_refusal(answer(), {"method": "POST", "path": "/v1/outcomes"}, FaultLog()))
        await begun.wait()
        task.cancel()
        return await task

    reply = asyncio.run(play())
    assert reply.status == 503
    assert json.loads(reply.body)["reason"] == "unavailable"
