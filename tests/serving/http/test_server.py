"""Scoring server: answers as the model does, and refuses what is not an idea."""

import hashlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import contract_model
from score_server import FEATURES, Server, idea, running, serving_site

from gatekeeper.market import ideas
from gatekeeper.serving.http.messages import Features, Idea, Reader

COEFFICIENTS = (0.02, -0.03, 4.0, 2.0, 0.5, -0.25, 0.3)
INTERCEPT = -0.4
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = serving_site(tmp_path_factory.mktemp("server"), contract_model(COEFFICIENTS, INTERCEPT))
    with running(site) as started:
        yield started


def right_score(features: dict[str, float]) -> float:
    margin = INTERCEPT + sum(weight * value for weight, value in zip(COEFFICIENTS, features.values(), strict=True))
    return 1 / (1 + math.exp(-margin))


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """What is wrong, once it is certain that the answer says it as it should."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["title"] and told["detail"] and told["reason"]
    assert "score" not in told and "decision" not in told and "Traceback" not in answer.text
    return told


def test_the_message_has_the_features_of_the_contract() -> None:
    assert Features.__struct_fields__ == ideas.FEATURES == tuple(FEATURES)


def test_an_idea_is_answered_with_all_that_the_contract_names(server: Server) -> None:
    answer = server.score(idea(idea_id="bot-1")).json()
    path = server.errors.parent / "models" / "gatekeeper_primary1.onnx"
    assert answer.pop("score") == pytest.approx(right_score(FEATURES), abs=1e-6)
    assert answer == {
        "idea_id": "bot-1",
        "decision": "approve" if right_score(FEATURES) >= 0.55 else "veto",
        "threshold": 0.55,
        "version": "gatekeeper_primary1",
        "model_id": 1,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "degraded": False,
        "reason": None,
        "logged": True,
        "repeated": False,
    }


NUMBERS = st.floats(-20, 20, width=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[NUMBERS] * 6, st.sampled_from([0, 1])), min_size=1, max_size=4))
def test_every_idea_gets_the_models_own_score(server: Server, rows: list[tuple[float, ...]]) -> None:
    sent = [dict(zip(FEATURES, row, strict=True)) for row in rows]
    answers = server.client.post("/v1/score", json=[{"symbol": "X", "features": one} for one in sent]).json()
    for features, answer in zip(sent, answers, strict=True):
        assert answer["score"] == pytest.approx(right_score(features), abs=1e-5)
        assert answer["decision"] == ("approve" if answer["score"] >= answer["threshold"] else "veto")


def test_many_ideas_are_answered_in_their_order(server: Server) -> None:
    many = [idea(idea_id=f"many-{number}", features={"rsi14": float(number)}) for number in range(200)]
    answers = server.score(*many).json()
    assert [answer["idea_id"] for answer in answers] == [f"many-{number}" for number in range(200)]
    for number, answer in enumerate(answers):
        assert answer["score"] == pytest.approx(right_score({**FEATURES, "rsi14": float(number)}), abs=1e-6)


def test_no_ideas_get_no_answers(server: Server) -> None:
    assert server.client.post("/v1/score", json=[]).json() == []


def test_an_array_of_one_is_answered_by_an_array(server: Server) -> None:
    (answer,) = server.client.post("/v1/score", json=[idea()]).json()
    assert answer["decision"] in {"approve", "veto"}


@pytest.mark.parametrize(("word", "number"), [("buy", 1), ("sell", 0)])
def test_an_action_is_a_word_or_a_number(server: Server, word: str, number: int) -> None:
    by_word, by_number = server.score(*(idea(features={"action": action}) for action in (word, number))).json()
    assert (
        by_word["score"] == by_number["score"] == pytest.approx(right_score({**FEATURES, "action": number}), abs=1e-6)
    )


def test_ids_that_nobody_gave_are_all_different(server: Server) -> None:
    answers = server.score(*[idea()] * 50).json()
    assert len({answer["idea_id"] for answer in answers}) == 50


def test_ids_that_nobody_gave_rise_with_time(server: Server) -> None:
    """A database's index of random ones grows ever slower; the first 48 bits are the milliseconds of RFC 9562."""
    before = datetime.now(UTC)
    answers = [server.score(idea()).json() for _ in range(5)]
    times = [int(answer["idea_id"][:12], 16) for answer in answers]
    assert times == sorted(times)
    assert int(before.timestamp() * 1000) <= times[0] <= times[-1] <= int(datetime.now(UTC).timestamp() * 1000)


RSI = '"rsi14": 41.0'
WRONG_FEATURES = {
    "NaN": (RSI, '"rsi14": NaN', "rsi14"),
    "infinity": (RSI, '"rsi14": Infinity', "rsi14"),
    "minus infinity": (RSI, '"rsi14": -Infinity', "rsi14"),
    "1e30": (RSI, '"rsi14": 1e30', "rsi14"),
    "1e400": (RSI, '"rsi14": 1e400', "rsi14"),
    "a long integer": (RSI, '"rsi14": 1' + "0" * 400, "rsi14"),
    "just too large": (RSI, '"rsi14": 1000000001', "rsi14"),
    "a string": (RSI, '"rsi14": "41"', "rsi14"),
    "null": (RSI, '"rsi14": null', "rsi14"),
    "true": (RSI, '"rsi14": true', "rsi14"),
    "a list": (RSI, '"rsi14": [41]', "rsi14"),
    "six features": (RSI + ", ", "", "rsi14"),
    "an eighth feature": (RSI, RSI + ', "rsi2": 1', "rsi2"),
    "another case": (RSI, '"RSI14": 41.0', "RSI14"),
    "half an action": ('"action": 1', '"action": 0.5', "action"),
    "another action": ('"action": 1', '"action": "hold"', "action"),
}


@pytest.mark.parametrize(("good", "bad", "field"), WRONG_FEATURES.values(), ids=WRONG_FEATURES)
@pytest.mark.parametrize("place", [None, 1])
def test_a_wrong_feature_is_named(server: Server, place: int | None, good: str, bad: str, field: str) -> None:
    """Case 27: NaN, infinity, 1e30 or six features: 422 naming the feature, never a score."""
    before = server.metrics().get("gatekeeper_decisions_total", {})
    whole = json.dumps(idea())
    assert good in whole
    body = whole.replace(good, bad) if place is None else f"[{whole}, {whole.replace(good, bad)}]"
    told = problem(server.client.post("/v1/score", content=body, headers={"content-type": "application/json"}), 422)
    assert told["field"] == field
    assert told.get("idea") == place
    assert field in str(told["detail"])
    assert server.metrics().get("gatekeeper_decisions_total", {}) == before  # of the good one neither


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": ""}, "symbol"),
        ({"symbol": "x" * 65}, "symbol"),
        ({"symbol": "EUR\0USD"}, "symbol"),
        ({"symbol": "EURUSD\n"}, "symbol"),
        ({"symbol": 5}, "symbol"),
        ({"strategy": ""}, "strategy"),
        ({"idea_id": "a b"}, "idea_id"),
        ({"idea_id": "a\n"}, "idea_id"),
        ({"idea_id": "x" * 65}, "idea_id"),
        ({"time": "2018-01-31T14:30:00"}, "time"),
        ({"time": "31.01.2018"}, "time"),
        ({"time": 1517409000}, "time"),
        ({"time": "1960-01-01T00:00:00Z"}, "time"),
        ({"time": (NOW + timedelta(hours=1)).isoformat()}, "time"),
        ({"time": 4_000_000_000_000}, "time"),
        ({"features": None}, "features"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_idea_names_what_is_wrong(server: Server, change: dict[str, object], field: str) -> None:
    told = problem(server.client.post("/v1/score", json={**idea(), **change}), 422)
    assert told["field"] == field


@pytest.mark.parametrize(
    "time",
    [
        "2018-01-31T14:30:00Z",
        "2018-01-31 14:30:00.123456+05:30",
        1517409000000,
        1517409000000.5,
        pytest.param((NOW - timedelta(minutes=1)).isoformat(), id="a minute ago"),
    ],
)
def test_an_idea_may_bring_its_own_time(server: Server, time: object) -> None:
    assert server.score(idea(time=time)).status_code == 200


def test_a_clock_that_is_a_little_fast_is_no_fault(server: Server) -> None:
    assert server.score(idea(time=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())).status_code == 200


def test_symbols_of_all_kinds_are_taken(server: Server) -> None:
    for symbol in ("EUR/USD", "^GSPC", "BRK.B", "ES=F", "7203.T", "日経225", "BTC-USD", "x" * 64):
        assert server.score(idea(symbol=symbol, strategy=symbol)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("score", '{"symbol": "A", "symbol": "B", "features": FEATURES}'),
        ("score", '{"symbol" : "A", "symbol":"A", "features":FEATURES}'),
        ("score", '{"symbol": "A", "\\u0073ymbol": "B", "features": FEATURES}'),
        ("score", '{"symbol": "A", "features": FEATURES, "features": FEATURES}'),
        ("score", '{"symbol": "A", "features": TWICE}'),
        ("score", '{"symbol": "A", "features": FEATURES, "strategy": "a", "strategy": null}'),
        ("score", '{"symbol": "A", "features": FEATURES, "strategy": null, "strategy": "a\\":\\\\"}'),
        ("score", '[{"symbol": "A", "features": FEATURES, "time": null}, {"symbol": "A", "features": TWICE}]'),
        ("outcomes", '{"idea_id": "a", "idea_id": "b", "outcome": 0.1, "closed_at": 1517409000000}'),
        ("outcomes", '[{"idea_id": "a", "outcome": 0.1, "outcome": 0.2, "closed_at": 1517409000000}]'),
    ],
)
def test_a_name_twice_in_one_object_is_refused(server: Server, path: str, body: str) -> None:
    """Its last value was taken, where another reader takes the first: as of two Host headers (Case 101)."""
    features = json.dumps(FEATURES)
    body = body.replace("FEATURES", features).replace("TWICE", features.replace("{", '{"rsi14": 1, ', 1))
    answer = server.client.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})
    told = problem(answer, 400)
    assert (told["reason"], "twice in one object" in str(told["detail"])) == ("json", True)


@given(
    st.fixed_dictionaries(
        {
            "symbol": st.text(alphabet='a": \\,{}\n\t\u20ac', min_size=1, max_size=9).filter(
                lambda text: min(text) >= " "
            )
        },
        optional={"strategy": st.sampled_from([None, 'a":', '\\":', '" :']), "idea_id": st.sampled_from([None, "a:b"])},
    ),
    st.sampled_from([None, 1]),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\n", "\t:")]),
    st.booleans(),
)
def test_no_text_looks_like_a_name(
    given_: dict[str, object], indent: int | None, signs: tuple[str, str], odd: bool
) -> None:
    """Whatever quotes, colons and backslashes a text holds, and however it is spaced."""
    body = json.dumps([{"features": FEATURES, **given_}] * 2, indent=indent, separators=signs, ensure_ascii=odd)
    assert len(Reader(Idea, 9).read(body.encode())) == 2


def test_one_id_twice_in_one_request_is_refused(server: Server) -> None:
    assert "'twice'" in str(problem(server.score(idea(idea_id="twice"), idea(idea_id="twice")), 422)["detail"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b"\xff\xfe", 400),
        (b'{"idea_id": "\xff"}', 400),
        (b"[" * 100_000, 422),
        (b"null", 422),
        (b"7", 422),
        (b'"idea"', 422),
        (b"[[]]", 422),
    ],
)
@pytest.mark.parametrize("path", ["/v1/score", "/v1/outcomes"])
def test_what_is_no_request_is_a_problem(server: Server, path: str, body: bytes, status: int) -> None:
    problem(server.client.post(path, content=body, headers={"content-type": "application/json"}), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/score/", 404),
        ("POST", "/v1/../etc/passwd", 404),
        ("GET", "/v1/score", 405),
        ("DELETE", "/v1/model", 405),
        ("POST", "/metrics", 405),
        ("TRACE", "/livez", 405),
    ],
)
def test_other_paths_and_methods_are_problems(server: Server, method: str, path: str, status: int) -> None:
    answer = server.client.request(method, path)
    problem(answer, status)
    assert (status == 405) == ("allow" in answer.headers)


def test_what_answers_can_be_asked(server: Server) -> None:
    model = server.client.get("/v1/model").json()
    assert (model["model_id"], model["version"], model["fallback"]) == (1, "gatekeeper_primary1", "primary")
    assert (model["degraded"], model["generation"], model["trained_to"]) == (False, 1, "2018-01-05T00:00:00Z")
    assert server.client.get("/livez").json() == {"status": "alive"}
    ready = server.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["degraded"]) == (200, "ready", False)
    assert server.client.head("/readyz").content == b""
