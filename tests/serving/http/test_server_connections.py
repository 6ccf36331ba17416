"""Scoring server's connections: limits before parsing, one request at a time, and room for whoever asks."""

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from model_files import constant_model
from raw_requests import GET, HEAD, JSON, Answer, asked, connected, post
from registry_site import Site
from score_server import COMMAND, Server, eventually, idea, running, serving_site

pytestmark = pytest.mark.xdist_group("connections")  # what its tests share is made once


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return serving_site(tmp_path_factory.mktemp("connections"), constant_model(0.6))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with running(site) as started:
        yield started


def reason(answer: Answer | None, status: int) -> str:
    assert answer is not None
    assert (answer.status, answer.fields["content-type"]) == (status, "application/problem+json")
    assert answer.fields["connection"] == "close"
    assert isinstance(answer.json, dict)
    return str(answer.json["reason"])


@pytest.mark.parametrize(
    ("content", "status", "slug"),
    [
        (post(JSON, b"Host: localhost"), 400, "malformed"),
        (post(JSON, b"Authorization: Bearer a", b"authorization: Bearer a"), 400, "malformed"),
        (post(JSON, b"Content-Length: 3"), 400, "malformed"),
        (post(JSON, b"Content-Type: application/json"), 400, "malformed"),
        (post(JSON, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, "malformed"),
        (post(JSON, b"Transfer-Encoding: chunked"), 400, "malformed"),
        (post(JSON, b"X: " + b"a" * 17_000), 431, "head"),
        (post(JSON, *[b"X: a"] * 64), 431, "head"),
        (b"A" * 20_000, 431, "head"),
        (b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", 400, "malformed"),
        (b"GET / HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n", 505, "version"),
        (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "malformed"),
        (b"CONNECT / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "malformed"),
        (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "malformed"),
        (b"NONSENSE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "malformed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400, "malformed"),  # TLS, to a port that has none
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[    \r\n0\r\nAuthorization: x\r\n\r\n", 400, "malformed"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 5000 + b"0\r\n\r\n", 413, "too_large"),
    ],
    ids=lambda given: given[-40:] if isinstance(given, bytes) else "",
)
def test_what_is_no_request_is_told_so_and_ended(server: Server, content: bytes, status: int, slug: str) -> None:
    """Case 99, case 101: before the parser, and with nothing read of what follows it."""
    with connected(server.url) as connection:
        connection.send(content + GET)
        assert reason(connection.answer(), status) == slug
        assert connection.ended()


def test_refusals_are_counted(server: Server) -> None:
    before = server.metrics()["gatekeeper_requests_total"].get(("other", "505"), 0)
    asked(server.url, b"GET / HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert server.metrics()["gatekeeper_requests_total"][("other", "505")] == before + 1


def test_an_offer_of_another_protocol_is_not_heard(server: Server) -> None:
    """Case 98: what Java's HttpClient sends with each request got status 400."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAEAAEAAAAIAAAAB", b"Upgrade: h2c")
    socket_offer = (b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    with connected(server.url) as connection:
        for fields in (offer, socket_offer, (b"Upgrade: TLS/1.0",), (b"Connection: upgrade",)):
            connection.send(post(JSON, *fields))
            answer = connection.answer()
            assert answer is not None and answer.status == 200


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)
    for content in (post(), chunked, b"\r\n\r\n" + GET):
        with connected(server.url) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for place in range(len(content)):
                connection.send(content[place : place + 1])
            answer = connection.answer()
            assert answer is not None and answer.status == 200


def test_pipelined_requests_are_answered_in_their_order(server: Server) -> None:
    wanted = [f"pipelined-{number}" for number in range(200)]
    content = b"".join(post(json.dumps(idea(idea_id=name)).encode()) for name in wanted)
    with connected(server.url) as connection:
        connection.send(content + GET)
        assert [connection.answer().json["idea_id"] for _ in wanted] == wanted  # type: ignore[index, union-attr]
        last = connection.answer()
        assert last is not None and last.json == {"status": "alive"}


def test_a_body_that_an_answer_did_not_wait_for_is_no_request(server: Server) -> None:
    """The refused body holds what looks like a request."""
    for length in (b"Content-Length: %d" % len(GET), b"Transfer-Encoding: chunked"):
        body = GET if length.startswith(b"C") else b"%x\r\n%s\r\n0\r\n\r\n" % (len(GET), GET)
        head = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n" + length + b"\r\n\r\n"
        with connected(server.url) as connection:
            connection.send(head)
            answer = connection.answer()
            assert answer is not None and answer.status == 415
            connection.send(body + post())
            answer = connection.answer()
            assert answer is not None and answer.json["decision"] == "approve"  # type: ignore[index]


def test_a_refused_body_that_waits_for_leave_ends_the_connection(server: Server) -> None:
    head = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n"
    with connected(server.url) as connection:
        connection.send(head + b"Expect: 100-continue\r\n\r\n")
        answer = connection.answer()
        assert answer is not None and answer.status == 415
        assert connection.ended()
    with connected(server.url) as connection:
        connection.send(HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(JSON))
        answer = connection.answer()
        assert answer is not None and answer.status == 100
        connection.send(JSON)
        answer = connection.answer()
        assert answer is not None and answer.status == 200


def resident(server: Server) -> int:
    """Bytes of memory that the process has."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_one_that_pipelines_and_does_not_read_is_not_read_either(server: Server) -> None:
    """Case 99: it took 2 GB. What it sends stays with it, once the buffers between are full; others are answered."""
    before = resident(server)
    with connected(server.url) as connection:
        connection.socket.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            for _ in range(4096):
                connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000)
                sent += 48_000
        assert server.score(idea()).status_code == 200
        assert resident(server) - before < 64 * 1024 * 1024
    eventually(lambda: server.metrics()["gatekeeper_connections"][()] <= 2)


def test_an_endless_head_takes_no_memory_and_no_time(server: Server) -> None:
    """Case 99: endless headers took 0.9 GB, and one of 60 MB stopped the loop for 8 s."""
    before = resident(server)
    for line in (b"X: 1\r\n", b"a"):
        with connected(server.url) as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            with suppress(ConnectionError):  # refused, and after two seconds cut off
                for _ in range(1000):
                    connection.send(line * (65_536 // len(line)))
            assert resident(server) - before < 32 * 1024 * 1024
            answer = connection.answer()
            assert answer is None or answer.status == 431
    assert server.score(idea()).status_code == 200


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 320))
from gatekeeper.cli import main
main()
"""


def test_at_the_limit_the_one_that_waits_longest_for_its_client_goes(site: Site) -> None:
    """Case 99: 1,100 idle connections locked everybody out. Of 320 files, the hard limit, 80 are for connections."""
    import sys

    with running(site, command=[sys.executable, "-c", LIMITED, *COMMAND[-3:]]) as server:
        assert server.metrics()["gatekeeper_connections_limit"][()] == 80
        body = json.dumps([idea(idea_id=f"slow-{number}") for number in range(1000)]).encode()
        with connected(server.url) as half, connected(server.url) as unread:
            half.send(post()[:-5])
            unread.send(post())
            idle = [socket.create_connection(unread.socket.getpeername()) for _ in range(300)]
            try:
                assert server.score(idea()).status_code == 200
                for _ in range(20):
                    with connected(server.url) as busy:
                        busy.send(post(body))
                        answer = busy.answer()
                        assert answer is not None and len(answer.json) == 1000  # type: ignore[arg-type]
                assert half.ended()
                assert unread.answer() is not None and unread.ended()  # it had been answered
                shown = server.metrics()
                assert shown["gatekeeper_connections"][()] <= 80
                assert shown["gatekeeper_connections_ended_total"][("connections",)] >= 222
            finally:
                for one in idle:
                    one.close()
        eventually(lambda: "There is room for connections again" in server.errors.read_text())
        assert server.errors.read_text().count("The limit of 80 connections is reached") == 1
