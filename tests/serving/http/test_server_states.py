"""Server states: without a model, with another one, without a registry."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import constant_model
from postgres_proxy import Proxy
from postgres_server import new_database
from postgres_server import running as postgres_running
from registry_site import OWN, Site
from score_server import Server, eventually, idea, running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.upgrade()
    return made


def promoted(site: Site, score: float) -> int:
    """Register and promote a model that gives every idea this score; its id."""
    with site.open() as registry:
        model = registry.register(constant_model(score), details=OWN)
        registry.promote(model.id, actor="ann", reason="test")
    return model.id


def answers_with(server: Server, model_id: int) -> Callable[[], bool]:
    return lambda: server.score(idea()).json()["model_id"] == model_id


def test_without_a_model_everything_is_vetoed_and_said_so(site: Site) -> None:
    """Case 23: not ready without a model. The scores that there are none of are null, not 0.5."""
    with running(site) as server:
        answer = server.score(idea())
        assert answer.status_code == 200
        told = answer.json()
        assert (told["decision"], told["score"], told["degraded"], told["threshold"]) == ("veto", None, True, 0.55)
        assert (told["version"], told["model_id"], told["sha256"]) == (None, None, None)
        assert "No primary is registered" in told["reason"]
        for path in ("/readyz", "/v1/model"):
            refused = server.client.get(path)
            assert (refused.status_code, refused.json()["reason"]) == (503, "no_model")
            assert refused.headers["content-type"] == "application/problem+json"
        assert server.client.get("/livez").status_code == 200
        shown = server.metrics()
        assert (shown["gatekeeper_ready"][()], shown["gatekeeper_ladder_step"][()]) == (0, 6)
        assert (shown["gatekeeper_degraded"][()], shown["gatekeeper_ideas_unscored_total"][()]) == (1, 1)
        assert shown["gatekeeper_last_verdict_age_seconds"][()] == math.inf

        first = promoted(site, 0.6)  # and then one comes
        eventually(answers_with(server, first))
        assert server.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("setting", "status", "decision"), [("pass", 200, "approve"), ("error", 503, None)])
def test_the_operator_says_what_happens_without_a_model(
    site: Site, setting: str, status: int, decision: str | None
) -> None:
    with running(site, on_no_model=setting) as server:
        answer = server.score(idea())
        assert answer.status_code == status
        assert answer.json().get("decision") == decision
        assert answer.json().get("score") is None
        assert server.client.get("/readyz").status_code == 503


def test_a_promotion_is_followed_and_a_lost_file_is_said(site: Site) -> None:
    """Case 23: ready on a fallback, and degraded."""
    first, second = promoted(site, 0.6), promoted(site, 0.4)
    with running(site) as server:
        eventually(answers_with(server, second))
        assert server.score(idea()).json()["decision"] == "veto"
        third = promoted(site, 0.7)
        eventually(answers_with(server, third))
        assert server.score(idea()).json()["decision"] == "approve"

    for name in (site.models / f"gatekeeper_primary{third}.onnx", *site.models.glob(".blobs/*")):
        name.unlink()
    with running(site, poll_seconds=60) as server:  # a second look would find what it has served itself
        told = server.score(idea()).json()
        assert (told["model_id"], told["degraded"]) == (second, True)
        assert f"gatekeeper_primary{third}" in told["reason"]
        ready = server.client.get("/readyz")
        assert (ready.status_code, ready.json()["degraded"], ready.json()["reason"]) == (200, True, told["reason"])
        shown = server.metrics()
        assert (shown["gatekeeper_degraded"][()], shown["gatekeeper_ladder_step"][()]) == (1, 4)
        assert shown["gatekeeper_ready"][()] == 1
        assert sum(shown["gatekeeper_load_failures_total"].values()) > 0
        assert (str(second), told["sha256"], told["version"]) in shown["gatekeeper_model_info"]
    assert first < second


def test_a_registry_that_is_away_at_the_start_is_caught_up_with(tmp_path: Path) -> None:
    with postgres_running() as postgres:
        site = Site(tmp_path, new_database(postgres))
        site.upgrade()
        first = promoted(site, 0.6)
        proxy = Proxy(site.url, tmp_path)
        with running(Site(tmp_path, proxy.url)) as server:
            assert "Starting without a model" in server.errors.read_text()
            assert server.client.get("/readyz").status_code == 503
            assert server.client.get("/livez").status_code == 200
            told = server.score(idea()).json()
            assert (told["decision"], told["score"], told["logged"]) == ("veto", None, True)
            with proxy:
                eventually(answers_with(server, first))
                eventually(lambda: server.client.get("/readyz").json()["degraded"] is False)
