"""Idea ids on real servers: what a bot was told of an id is what it is told again, and what is logged (Case 123)."""

import itertools
import json
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from model_files import constant_model
from registry_site import OWN, Site
from score_server import FEATURES, Server, eventually, idea, plain, running

from gatekeeper.serving.decision_log import acknowledged
from gatekeeper.serving.decision_log.idea_memory import FILE

SCORES = (0.4, 0.6)  # a veto and an approval
TOLD = ("decision", "score", "version", "model_id", "sha256", "threshold")


@pytest.fixture
def house(site: Site) -> Site:
    """Two models that decide differently; the first is the primary."""
    with site.open() as registry:
        for score in SCORES:
            registry.register(constant_model(score), details=OWN)
        registry.promote(1, actor="ann", reason="test")
    return site


def promote(site: Site, model_id: int) -> None:
    with site.open() as registry:
        registry.promote(model_id, actor="ann", reason="test")


def follows(server: Server, model_id: int) -> None:
    """Every process does: asked over new connections."""
    for _ in range(8):
        with httpx.Client(base_url=server.url, transport=plain()) as client:
            eventually(lambda client=client: client.get("/v1/model").json()["model_id"] == model_id)


def told(answer: dict[str, object]) -> tuple[object, ...]:
    return tuple(answer[name] for name in TOLD)


def rows(site: Site) -> dict[str, tuple[str, str]]:
    """(decision, version) of each logged idea."""
    found = site.sql("SELECT idea_id, approved, version FROM gatekeeper_decision")
    return {idea_id: ("approve" if approved else "veto", version) for idea_id, approved, version in found}


def test_an_idea_that_is_asked_again_after_a_promotion_gets_its_first_answer(house: Site) -> None:
    """Case 123: the log has what the bot was told, both times; also after a restart and kill -9."""
    asked = idea(idea_id="bot-1")
    with running(house) as server:
        first = server.score(asked).json()
        assert (first["decision"], first["repeated"], first["logged"]) == ("veto", False, True)
        promote(house, 2)
        follows(server, 2)
        again = server.score({**asked, "strategy": "other", "time": "2020-01-01T00:00:00Z"}).json()
        assert told(again) == told(first)
        assert (again["repeated"], again["logged"], again["degraded"]) == (True, True, False)
        new = server.score(idea(idea_id="bot-2")).json()
        assert (new["decision"], new["repeated"]) == ("approve", False)
        server.stop(signal.SIGKILL)
    with running(house) as server:
        follows(server, 2)
        again = server.score(asked).json()
        assert (told(again), again["repeated"]) == (told(first), True)
        (house.root / "spool" / FILE).unlink()  # it is filled from the log
        eventually(lambda: server.client.get("/readyz").json()["degraded"] is False and memory(server)["ids"] == 2)
        again = server.score(asked).json()
        assert (told(again), again["repeated"]) == (told(first), True)
    assert rows(house) == {
        "bot-1": ("veto", "gatekeeper_primary1"),
        "bot-2": ("approve", "gatekeeper_primary2"),
    }
    assert house.sql("SELECT count(*) FROM gatekeeper_conflict") == [(0,)]


def memory(server: Server) -> dict[str, float]:
    shown = server.metrics()
    names = {"ids": "idea_memory_ids", "repeated": "ideas_repeated_total", "reused": "ideas_reused_total"}
    return {name: shown[f"gatekeeper_{metric}"][()] for name, metric in names.items()}


def test_another_idea_of_the_same_id_is_refused(house: Site) -> None:
    """Alone with 409; in an array, that idea alone has no decision."""
    others = [
        idea(idea_id="bot-1", symbol="GBPUSD"),
        idea(idea_id="bot-1", features={"action": "sell"}),
        idea(idea_id="bot-1", features={"rsi14": 41.00001}),
    ]
    with running(house) as server:
        first = server.score(idea(idea_id="bot-1")).json()
        for other in others:
            refusal = server.score(other)
            assert refusal.status_code == 409
            assert refusal.headers["content-type"] == "application/problem+json"
            problem = refusal.json()
            assert (problem["reason"], problem["field"]) == ("idea_conflict", "idea_id")
            assert "bot-1" in problem["detail"] and "id of its own" in problem["detail"]
        answer = server.client.post("/v1/score", json=[idea(), others[0], idea(idea_id="bot-2")])
        assert answer.status_code == 200
        unnamed, refused, new = answer.json()
        (again,) = server.client.post("/v1/score", json=[idea(idea_id="bot-1")]).json()
        assert refused == {"idea_id": "bot-1", "error": "idea_conflict", "detail": refused["detail"]}
        assert "another symbol, side or features" in refused["detail"]
        assert [one["repeated"] for one in (unnamed, new, again)] == [False, False, True]
        assert told(again) == told(first)
        alone = server.client.post("/v1/score", json=[others[0]]).json()  # an array of one is an array
        assert [one["error"] for one in alone] == ["idea_conflict"]
        assert memory(server) == {"ids": 2, "repeated": 1, "reused": 5}
        same = server.score(idea(idea_id="bot-1", features={"action": "buy", "avgSent": -0.0}))
        assert same.json()["repeated"]
        twice = server.score(idea(idea_id="x"), idea(idea_id="x"))
        assert (twice.status_code, twice.json()["reason"]) == (422, "idea_id")
        many = [idea(idea_id=f"many-{number}") for number in range(900)]
        assert {one["repeated"] for one in server.score(*many).json()} == {False}
        assert {one["repeated"] for one in server.score(*many[::-1]).json()} == {True}


def test_without_a_model_what_was_decided_is_still_told(house: Site) -> None:
    with running(house, on_no_model="error") as server:
        first = server.score(idea(idea_id="bot-1")).json()
        server.stop()
    for file in [*house.models.glob("*.onnx"), *(house.models / ".blobs").iterdir()]:
        file.unlink()
    with running(house, on_no_model="error") as server:
        assert server.score(idea(idea_id="bot-2")).status_code == 503
        again = server.score(idea(idea_id="bot-1"))
        assert (again.status_code, told(again.json()), again.json()["repeated"]) == (200, told(first), True)
        assert server.score(idea(idea_id="bot-1"), idea(idea_id="bot-2")).status_code == 503
        assert server.score(idea(idea_id="bot-1", symbol="X")).status_code == 409


def test_a_memory_that_cannot_be_used_is_said(house: Site) -> None:
    spool = house.root / "spool"
    (spool / FILE).mkdir(parents=True)
    with running(house) as server:
        answers = [server.score(idea(idea_id="bot-1")).json() for _ in range(2)]
        assert [one["repeated"] for one in answers] == [False, False]
        ready = server.client.get("/readyz")
        assert (ready.status_code, ready.json()["degraded"]) == (200, True)
        assert FILE in ready.json()["reason"]
        assert server.metrics()["gatekeeper_idea_memory_degraded"][()] == 1
        (spool / FILE).rmdir()
        eventually(lambda: server.client.get("/readyz").json()["degraded"] is False)
        assert server.metrics()["gatekeeper_idea_memory_degraded"][()] == 0
        assert told(server.score(idea(idea_id="bot-1")).json()) == told(answers[0])


def test_garbage_in_its_place_does_not_keep_a_server_from_starting(house: Site) -> None:
    with running(house) as server:
        answers = server.score(*[idea(idea_id=f"bot-{number}") for number in range(300)]).json()
        server.stop()
    file = house.root / "spool" / FILE
    file.write_bytes(file.read_bytes()[:8192] + random.Random(6).randbytes(file.stat().st_size - 8192))
    with running(house) as server:
        eventually(lambda: server.client.get("/readyz").json()["degraded"] is False)
        again = server.score(*[idea(idea_id=f"bot-{number}") for number in range(300)]).json()
        assert [(told(one), one["repeated"]) for one in again] == [(told(one), True) for one in answers]


def test_few_are_remembered_and_the_rest_is_a_conflict_that_is_named(house: Site) -> None:
    """Beyond the memory the row that came first counts; the other is stored, counted and named."""
    with running(house, idea_memory=2) as server:
        first = server.score(idea(idea_id="bot-1")).json()
        server.score(*[idea(idea_id=f"other-{number}") for number in range(4)])
        promote(house, 2)
        follows(server, 2)
        second = server.score(idea(idea_id="bot-1")).json()
        assert (first["decision"], second["decision"], second["repeated"]) == ("veto", "approve", False)
        eventually(lambda: server.metrics()["gatekeeper_idea_conflicts_total"][()] == 1)
        assert server.metrics()["gatekeeper_idea_memory_age_seconds"][()] >= 0
    answers = [acknowledged.Acknowledged(one["idea_id"], one["decision"], one["version"]) for one in (first, second)]
    found = acknowledged.check(house.url, house.root / "spool", answers)
    assert [one.told.decision for one in found.different] == ["approve"]
    assert [(one.idea_id, one.other.version) for one in found.conflicts] == [("bot-1", "gatekeeper_primary2")]
    assert found.missing == ()


def test_between_two_servers_the_row_that_comes_first_counts(house: Site) -> None:
    with running(house) as one:
        first = one.score(idea(idea_id="bot-1")).json()
        eventually(lambda: rows(house))
    promote(house, 2)
    with running(house, spool=house.root / "spool-2", idea_memory=1) as two:
        # Its memory is filled from the log, so it knows the newest; of an older one it decides anew.
        assert two.score(idea(idea_id="bot-1")).json()["repeated"]
        two.score(*[idea(idea_id=f"other-{number}") for number in range(3)])
        second = two.score(idea(idea_id="bot-1")).json()
        assert (second["decision"], second["repeated"]) == ("approve", False)
        eventually(lambda: house.sql("SELECT count(*) FROM gatekeeper_conflict") == [(1,)])
    assert rows(house)["bot-1"] == (first["decision"], first["version"])
    assert house.sql("SELECT idea_id, version FROM gatekeeper_conflict") == [("bot-1", "gatekeeper_primary2")]


class Bots:
    """Threads that ask for few ids, again and again, alone and in arrays; `seen` has every answer.

    The ids of two requests overlap, so that there are always new ones and repeated ones.
    """

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.seed = seed
        self.seen: list[tuple[str, tuple[object, ...], bool]] = []
        self.refused = 0
        self.over = Event()
        self.turns = 0

    def ask(self, number: int) -> None:
        chance = random.Random(self.seed * 100 + number)
        while not self.over.is_set():
            self.turns += 1
            near = range(self.turns, self.turns + 150)
            batch = [
                idea(idea_id=f"id-{self.seed}-{one}", symbol=f"S{one % 5 if chance.random() < 0.9 else 9}")
                for one in chance.sample(near, chance.choice([1, 1, 1, 3, 80]))
            ]
            try:
                with httpx.Client(base_url=self.url, transport=plain(), timeout=20) as client:
                    answer = client.post("/v1/score", json=batch if len(batch) > 1 else batch[0])
            except httpx.HTTPError:
                self.over.wait(0.01)  # its worker was killed: nobody was told anything
                continue
            if answer.status_code == 409:
                self.refused += 1
                continue
            assert answer.status_code == 200, answer.text
            for one in answer.json() if len(batch) > 1 else [answer.json()]:
                if "error" in one:
                    self.refused += 1
                else:
                    self.seen.append((one["idea_id"], told(one), one["repeated"]))

    def told_anew(self, model_id: int, since: int) -> bool:
        """Whether this model has decided, and an earlier decision was repeated."""
        seen = self.seen[since:]
        return any(not again and answer[3] == model_id for _, answer, again in seen) and any(one[2] for one in seen)


def workers(server: Server) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(one) for one in children if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()]


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(25, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])], ids=["short", "long"]
)
def test_law_every_answer_is_the_logged_row(house: Site, rounds: int) -> None:
    """Whatever the interleaving: two workers, promotions, killed workers, killed servers, restarts."""
    chance, primaries = random.Random(5), itertools.cycle([2, 1])
    seen: list[tuple[str, tuple[object, ...], bool]] = []
    refused = 0
    for turn in range(rounds):
        with running(house, workers=2) as server:
            bots = Bots(server.url, turn // 2)  # every second round, the ids of the one before
            threads = [Thread(target=bots.ask, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for step in range(3):
                wanted = next(primaries)
                promote(house, wanted)
                if turn % 2 and step == 1:
                    os.kill(chance.choice(eventually(lambda server=server: workers(server))), signal.SIGKILL)
                count = len(bots.seen)
                eventually(lambda bots=bots, wanted=wanted, count=count: bots.told_anew(wanted, count))
            for pid in [*workers(server), server.process.pid]:  # all at once
                os.kill(pid, signal.SIGKILL)
            bots.over.set()
            for thread in threads:
                thread.join()
            seen += bots.seen
            refused += bots.refused
    with running(house) as server:
        eventually(lambda: server.metrics()["gatekeeper_log_backlog_lines"][()] == 0)
        eventually(lambda: not list((house.root / "spool").glob("*.new")))
        server.stop()
    logged = rows(house)
    for idea_id, answer, _ in seen:
        assert logged[idea_id] == (answer[0], answer[2])
    assert house.sql("SELECT count(*) FROM gatekeeper_conflict") == [(0,)]
    assert {version for _, version in logged.values()} == {"gatekeeper_primary1", "gatekeeper_primary2"}
    assert any(repeated for _, _, repeated in seen)
    assert refused


def test_of_requests_that_come_at_once_one_is_the_first(house: Site) -> None:
    """With the same features both get one answer; with different ones, one of them gets none."""

    def ask(words: tuple[str, str]) -> httpx.Response:
        idea_id, symbol = words
        with httpx.Client(base_url=server.url, transport=plain(), timeout=20) as client:
            return client.post("/v1/score", json=idea(idea_id=idea_id, symbol=symbol))

    with running(house, workers=2) as server, ThreadPoolExecutor(8) as pool:
        for number in range(12):
            same = [one.json() for one in pool.map(ask, [(f"same-{number}", "X")] * 4)]
            assert sorted(one["repeated"] for one in same) == [False, True, True, True]
            assert len({told(one) for one in same}) == 1
            each = list(pool.map(ask, [(f"each-{number}", f"S{part}") for part in range(4)]))
            assert sorted(one.status_code for one in each) == [200, 409, 409, 409]


def test_a_line_and_a_segment_of_an_earlier_server_are_taken(house: Site) -> None:
    """13 values a line, no memory beside it: delivered, and its idea is repeated."""
    spool = house.root / "spool"
    spool.mkdir()
    vector = json.dumps([*list(FEATURES.values())[:-1], 1], separators=(",", ":"))
    line = ["idea", "old-1", "2025-06-03 12:01:01.000001", "2025-06-03 12:01:00.000001", "EURUSD", None, vector]
    line += [0.7, 1, 0.55, 1, "ab" * 32, 0]
    (spool / "7-dead.spool").write_bytes(json.dumps(line).encode() + b"\n")
    with running(house) as server:
        again = server.score(idea(idea_id="old-1")).json()
        assert (again["decision"], again["version"], again["repeated"]) == ("approve", "gatekeeper_primary1", True)
        assert again["score"] == pytest.approx(0.7, rel=1e-6)
        eventually(lambda: "old-1" in rows(house))
    assert house.sql("SELECT count(*) FROM gatekeeper_conflict") == [(0,)]
