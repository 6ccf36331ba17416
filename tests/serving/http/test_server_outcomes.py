"""Outcomes sent to the server: its answers, and their arrival in the log."""

import json
import select
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from model_files import constant_model
from raw_requests import connected, post
from registry_site import Site
from score_server import Server, eventually, idea, running, serving_site

pytestmark = pytest.mark.xdist_group("outcomes")  # what its tests share is made once

TIME = "2018-06-04T14:30:00Z"
CLOSED = {"outcome": 0.0125, "closed_at": "2018-06-08T16:00:00+02:00"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return serving_site(tmp_path_factory.mktemp("outcomes"), constant_model(0.4))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with running(site) as started:
        yield started


def logged(site: Site, idea_id: str) -> list[tuple[Any, ...]]:
    """What the database has of it."""
    return site.sql(
        'SELECT symbol, action, outcome, "gateScore", "modelId", approved, closed_at, known_at, stated '
        'FROM gatekeeper_decision JOIN "RLDataset" ON id = dataset_id WHERE idea_id = ?',
        idea_id,
    )


def known(server: Server, site: Site, idea_id: str) -> str:
    """An idea that is in the database by now; vetoed, and to be closed all the same."""
    assert server.score(idea(idea_id=idea_id, time=TIME)).json()["decision"] == "veto"
    eventually(lambda: logged(site, idea_id))
    return idea_id


def test_a_vetoed_idea_is_logged_and_closed(server: Server, site: Site) -> None:
    idea_id = known(server, site, "vetoed")
    before = datetime.now(UTC)
    answer = server.close({"idea_id": idea_id, **CLOSED})
    assert (answer.status_code, answer.json()) == (200, {"idea_id": idea_id, "status": "recorded"})
    ((symbol, action, outcome, score, model, approved, closed_at, known_at, stated),) = logged(site, idea_id)
    assert (symbol, action, outcome, model, approved, stated) == ("EURUSD", "buy", 0.0125, 1, 0, 0)
    assert score == pytest.approx(0.4, abs=1e-6)
    assert closed_at.startswith("2018-06-08 14:00:00")
    assert before - timedelta(seconds=1) < datetime.fromisoformat(known_at).replace(tzinfo=UTC) < datetime.now(UTC)


def test_what_was_known_before_it_was_sent_is_marked(server: Server, site: Site) -> None:
    idea_id = known(server, site, "stated")
    assert server.close({"idea_id": idea_id, **CLOSED, "known_at": "2018-06-09T00:00:00Z"}).status_code == 200
    ((*_, known_at, stated),) = logged(site, idea_id)
    assert known_at.startswith("2018-06-09 00:00:00") and stated == 1


def test_the_same_outcome_again_is_recorded_and_another_one_refused(server: Server, site: Site) -> None:
    idea_id = known(server, site, "again")
    for _ in range(2):
        assert server.close({"idea_id": idea_id, **CLOSED}).status_code == 200
    answer = server.close({"idea_id": idea_id, **CLOSED, "outcome": -0.5})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "0.0125" in answer.json()["detail"] and "-0.5" in answer.json()["detail"]
    assert [row[2] for row in logged(site, idea_id)] == [0.0125]


def test_an_outcome_whose_idea_is_not_there_yet_waits(server: Server, site: Site) -> None:
    there = known(server, site, "there")
    answer = server.close({"idea_id": there, **CLOSED}, {"idea_id": "to-come", **CLOSED})
    assert answer.status_code == 202
    assert answer.json() == [
        {"idea_id": there, "status": "recorded"},
        {"idea_id": "to-come", "status": "pending"},
    ]
    server.score(idea(idea_id="to-come", time=TIME))
    eventually(lambda: [row for row in logged(site, "to-come") if row[2] == 0.0125])


def test_an_outcome_before_its_idea_is_refused(server: Server, site: Site) -> None:
    idea_id = known(server, site, "early")
    answer = server.close({"idea_id": idea_id, **CLOSED, "closed_at": "2018-06-04T14:29:59Z"})
    assert (answer.status_code, answer.json()["field"]) == (422, "closed_at")
    assert logged(site, idea_id)[0][2] is None


LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"known_at": "2018-06-08T13:59:59Z"}, "known_at"),
        ({"known_at": LATER}, "known_at"),
        ({"closed_at": LATER}, "closed_at"),
        ({"closed_at": "2018-06-08T16:00:00"}, "closed_at"),
        ({"closed_at": None}, "closed_at"),
        ({"outcome": "0.1"}, "outcome"),
        ({"outcome": 1e9}, "outcome"),
        ({"outcome": None}, "outcome"),
        ({"idea_id": ""}, "idea_id"),
        ({"price": 1}, "price"),
    ],
)
def test_a_wrong_outcome_names_what_is_wrong(server: Server, change: dict[str, object], field: str) -> None:
    good = {"idea_id": "wrong", **CLOSED}
    answer = server.close(good, {**good, "idea_id": "wrong-2", **change})
    assert answer.status_code == 422
    assert (answer.json()["idea"], answer.json()["field"]) == (1, field)


def test_a_retry_is_answered_again_and_logged_once(server: Server, site: Site) -> None:
    known(server, site, "retry")
    assert server.score(idea(idea_id="retry", time=TIME)).json()["logged"] is True
    known(server, site, "after-it")
    assert len(logged(site, "retry")) == 1


def test_all_that_was_answered_is_in_the_database_after_the_end(site: Site) -> None:
    with running(site) as server:
        for number in range(20):
            assert server.score(idea(idea_id=f"end-{number}")).json()["logged"] is True
        assert server.stop() == 0
    assert all(len(logged(site, f"end-{number}")) == 1 for number in range(20))


def test_a_full_spool_is_said_and_counted_and_fails_no_score(tmp_path: Any) -> None:
    site = Site(tmp_path)
    site.upgrade()
    with running(site, spool_cap_mb=1) as server, site.connection() as other:
        other.execute("BEGIN IMMEDIATE")  # nobody writes to the database
        answers = []
        while not answers or answers[-1]["logged"]:
            answers += server.score(*[idea()] * 1000).json()
            assert len(answers) < 20_000
        assert {answer["decision"] for answer in answers} == {"veto"}
        shown = server.metrics()
        assert shown["gatekeeper_log_dropped_total"][()] == shown["gatekeeper_ideas_unlogged_total"][()] == 1000
        assert shown["gatekeeper_log_backlog_lines"][()] == len(answers) - 1000
        other.execute("ROLLBACK")
        eventually(lambda: server.metrics()["gatekeeper_log_backlog_lines"][()] == 0)
        assert server.score(idea()).json()["logged"] is True


def test_ideas_do_not_wait_behind_outcomes_that_wait_for_the_database(site: Site) -> None:
    """A hundred ideas took as long as the lock on the database: their threads were those of the outcomes."""
    body = json.dumps({"idea_id": "locked", **CLOSED}).encode()
    with running(site) as server, site.connection() as other, ExitStack() as opened:
        known(server, site, "locked")
        other.execute("BEGIN IMMEDIATE")  # nobody writes to the database
        waiting = [opened.enter_context(connected(server.url)) for _ in range(40)]
        for one in waiting:
            one.send(post(body).replace(b"/v1/score", b"/v1/outcomes"))
        assert server.score(*[idea()] * 100).status_code == 200
        assert select.select([one.socket for one in waiting], [], [], 0)[0] == []
        other.execute("ROLLBACK")
        answers = [one.answer() for one in waiting]
        assert {answer.json["status"] for answer in answers if answer is not None} == {"recorded"}  # type: ignore[index]
    assert [row[2] for row in logged(site, "locked")] == [0.0125]


def test_a_locked_database_keeps_neither_an_outcome_nor_the_end(tmp_path: Any) -> None:
    """An outcome waited for the lock for 30 s, and so did SIGTERM, which Docker follows by a kill after 10."""
    site = Site(tmp_path)
    site.upgrade()
    with running(site) as server, site.connection() as other:
        known(server, site, "locked")
        other.execute("BEGIN IMMEDIATE")  # for longer than the test lasts
        answers = [server.close({"idea_id": "locked", **CLOSED}) for _ in range(3)]
        assert [(one.status_code, one.json()["status"]) for one in answers] == [(202, "pending")] * 3
        assert server.stop() == 0  # a call that hangs keeps no process: test_bounded_calls
        assert "Outcomes wait on the spool: The database has given no answer for 5 s" in server.errors.read_text()
    with running(site):
        eventually(lambda: logged(site, "locked")[0][2] == CLOSED["outcome"])
