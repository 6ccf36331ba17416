"""Scoring server's limits: clients, request sizes, start and shutdown."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from model_files import constant_model
from registry_site import Site
from score_server import COMMAND, Server, environment, eventually, idea, refused, running, serving_site

from gatekeeper import config
from gatekeeper.cli.main import gatekeeper
from gatekeeper.errors import ConfigError, SchemaOutOfDate
from gatekeeper.serving.http.connections import Connections
from gatekeeper.serving.http.counters import Counters
from gatekeeper.serving.http.error_middleware import FastPath, FaultLog, Post
from gatekeeper.serving.http.listening import serve
from gatekeeper.serving.http.replies import Reply
from gatekeeper.serving.http.request_limits import RequestLimits, check_binding

pytestmark = pytest.mark.xdist_group("limits")  # what its tests share is made once

TOKEN = "a long random text"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return serving_site(tmp_path_factory.mktemp("limits"), constant_model(0.6))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    """For everyone with the token, 8 KiB a request, and three ideas in one."""
    with running(site, "--host", "0.0.0.0", token=TOKEN, max_body_kb=8, max_ideas=3) as started:
        yield started


_WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
absent = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
from gatekeeper.cli import main
main()
"""
NOT_NEEDED = "airflow,sklearn,skl2onnx,skops,pandas,pyarrow,talib,arch,matplotlib,jinja2,fsspec,schemathesis,requests"


@pytest.fixture(scope="module")
def open_server(site: Site) -> Iterator[Server]:
    """Without a token, as on a developer's machine; and without anything that a server has no need of."""
    with running(site, command=[sys.executable, "-c", _WITHOUT, NOT_NEEDED, *COMMAND[-3:]]) as started:
        yield started


def test_it_needs_neither_airflow_nor_scikit_learn(open_server: Server) -> None:
    assert open_server.score(idea()).json()["decision"] == "approve"
    assert open_server.close({"idea_id": "x", "outcome": 0.1, "closed_at": 1517409000000}).status_code == 202
    assert open_server.client.get("/metrics").status_code == 200


def reason(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["reason"]


@pytest.mark.parametrize("path", ["/v1/score", "/v1/outcomes"])
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a long random tex", "Basic " + TOKEN, TOKEN])
def test_a_post_without_the_token_is_refused_before_it_is_read(server: Server, path: str, header: str) -> None:
    answer = server.client.post(path, content=b"nonsense", headers={"authorization": header})
    assert reason(answer, 401) == "token"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_with_the_token_it_answers(server: Server) -> None:
    assert server.score(idea()).json()["decision"] == "approve"
    assert server.score(idea(), headers={"authorization": f"bearer  {TOKEN}"}).status_code == 200
    assert server.score(idea(), headers={"host": "any.example"}).status_code == 200


def test_reading_needs_no_token(server: Server) -> None:
    for path in ("/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json"):
        assert server.client.get(path, headers={"authorization": ""}).status_code == 200


def test_the_token_is_nowhere_to_be_read(server: Server) -> None:
    shown = [server.client.get(path).text for path in ("/v1/model", "/metrics", "/openapi.json")]
    assert TOKEN not in "".join(shown) + server.errors.read_text()


def test_a_large_body_is_refused_by_what_it_says_of_itself(server: Server) -> None:
    answer = server.client.post("/v1/score", content=b"[" + b" " * 9000 + b"]", headers=JSON)
    assert reason(answer, 413) == "too_large"
    assert "8 KiB" in answer.json()["detail"]


def test_a_body_that_never_said_how_large_it_is_is_refused_too(server: Server) -> None:
    answer = server.client.post("/v1/score", content=(b" " * 1000 for _ in range(9)), headers=JSON)
    assert reason(answer, 413) == "too_large"


def test_an_endless_body_is_cut_off(server: Server) -> None:
    head = f"POST /v1/score HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
    with socket.create_connection(httpx.URL(server.url).netloc.decode().split(":")) as connection:
        connection.settimeout(30)
        connection.sendall(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):  # a reset, while it still sends
            for _ in range(100_000):
                connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
    assert server.client.get("/livez").status_code == 200


def test_a_body_as_large_as_allowed_is_read(server: Server) -> None:
    body = json.dumps(idea()).encode().ljust(8 * 1024)
    assert server.client.post("/v1/score", content=body, headers=JSON).status_code == 200


def test_a_body_may_come_in_pieces(server: Server) -> None:
    body = json.dumps(idea()).encode()
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    assert server.client.post("/v1/score", content=pieces, headers=JSON).status_code == 200


def test_more_ideas_than_allowed_are_refused(server: Server) -> None:
    assert server.score(*[idea()] * 3).status_code == 200
    answer = server.score(*[idea()] * 4)
    assert reason(answer, 422) == "too_many"
    assert "GATEKEEPER_MAX_IDEAS" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_any_web_page_could_send_is_not_read(open_server: Server, kind: str) -> None:
    answer = open_server.client.post("/v1/score", content=json.dumps(idea()), headers={"content-type": kind})
    assert reason(answer, 415) == "content_type"


def test_without_a_token_only_this_machines_own_names_are_answered(open_server: Server) -> None:
    for name in ("127.0.0.1", "localhost:8055", "[::1]:8055", "LOCALHOST"):
        assert open_server.score(idea(), headers={"host": name}).status_code == 200
    for name in ("evil.example", "127.0.0.1.evil.example:80", "192.168.0.1"):
        assert reason(open_server.score(idea(), headers={"host": name}), 421) == "host"


def test_it_does_not_start_where_others_could_reach_it_without_a_token(site: Site) -> None:
    said = refused(site, "--host", "0.0.0.0")
    assert "GATEKEEPER_TOKEN" in said and "0.0.0.0" in said and "127.0.0.1" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "203.0.113.7", "gatekeeper.example", "127.0.0.1.example"])
def test_an_address_that_others_reach_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="GATEKEEPER_TOKEN is not set"):
        check_binding(config.load({"host": host, "token": None}))
    check_binding(config.load({"host": host, "token": TOKEN}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machines_own_addresses_need_none(host: str) -> None:
    check_binding(config.load({"host": host, "token": None}))


@pytest.mark.parametrize(("token", "said"), [("", "blank"), (" ", "blank"), ("schlüssel", "ASCII")])
def test_a_token_that_keeps_nobody_out_is_refused(token: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_binding(config.load({"token": token}))


def told(site: Site, **changes: object) -> str:
    """Why it doesn't start, with these settings."""
    given = {"db": site.url, "models": str(site.models), "spool": str(site.root / "spool"), "port": 0, **changes}
    with pytest.raises((ConfigError, SchemaOutOfDate)) as raised:
        serve(config.load(given), lambda _: None)
    return str(raised.value)


def test_a_port_that_is_taken_is_named(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = told(site, port=port)
    assert f"port {port}" in said and "--port" in said


def test_an_address_that_is_not_this_machines_is_named(site: Site) -> None:
    assert "Can't listen on 203.0.113.7 port 0" in told(site, host="203.0.113.7", token=TOKEN)


def test_a_registry_without_tables_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    assert "gatekeeper db upgrade" in told(Site(tmp_path))


def test_a_spool_that_is_no_folder_is_refused(site: Site) -> None:
    file = site.root / "file"
    file.write_text("")
    assert f"GATEKEEPER_SPOOL={file}" in told(site, spool=str(file))


def test_what_is_under_way_is_answered_before_the_end(site: Site) -> None:
    body = json.dumps(idea()).encode()
    head = "POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    with running(site) as started:
        address = httpx.URL(started.url)
        with socket.create_connection((address.host, address.port)) as connection:
            connection.settimeout(30)
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:40])
            assert started.score(idea()).status_code == 200  # the half one has come by now
            started.process.send_signal(signal.SIGTERM)
            eventually(lambda: _refuses(address))
            connection.sendall(body[40:])
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"decision":"approve"' in answer
        assert started.process.wait(30) == 0
        assert "Traceback" not in started.errors.read_text()


def _refuses(address: httpx.URL) -> bool:
    try:
        socket.create_connection((address.host, address.port)).close()
    except OSError:
        return True
    return False


def test_a_fault_of_ours_is_a_problem_and_shows_nothing() -> None:
    async def broken(_: bytes) -> Reply:
        raise ZeroDivisionError("a secret of the house")

    counters = Counters()
    door = FastPath(
        FastAPI(),
        counters=counters,
        posts={"/v1/score": Post(RequestLimits(None, 100), broken)},
        connections=Connections(10, counters, time.monotonic),
    )

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://localhost") as client:
            return await client.post("/v1/score", content=b"{}", headers=JSON)

    answer = asyncio.run(ask())
    assert reason(answer, 500) == "unexpected"
    assert "secret" not in answer.text and "Zero" not in answer.text
    assert counters.counts.requests == {"/v1/score": {500: 1}}


def test_a_fault_of_ours_is_told_with_its_traceback_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Case 101: one that meets each request would fill the disk."""
    now = [0.0]
    faults = FaultLog(lambda: now[0])
    for _ in range(1000):
        faults.note(ZeroDivisionError("a"), "POST", "/v1/score")
    faults.note(ZeroDivisionError("a"), "POST", "/v1/outcomes")
    now[0] = 60.0
    faults.note(ZeroDivisionError("a"), "POST", "/v1/score")
    assert [record.getMessage() for record in caplog.records] == [
        "POST /v1/score failed",
        "POST /v1/outcomes failed",
        "POST /v1/score failed, as did 999 since",
    ]
    assert all("ZeroDivisionError: a" in (record.exc_text or "") for record in caplog.records)


def test_without_the_extra_it_says_what_to_install(site: Site) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "prometheus_client", "serve"],
        env=environment(site),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "pip install 'gatekeeper[server]'" in ended.stderr and "prometheus_client" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_its_help_names_its_options() -> None:
    shown = CliRunner().invoke(gatekeeper, ["serve", "--help"])
    assert shown.exit_code == 0
    assert all(option in shown.output for option in ("--host", "--port", "--workers", "GATEKEEPER_TOKEN"))
