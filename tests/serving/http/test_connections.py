"""Connections in this process, whose clock the test moves: how long each wait lasts, and who goes for want of room."""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from raw_requests import GET, HEAD
from uvicorn.server import ServerState

from gatekeeper.serving.http import connections
from gatekeeper.serving.http.connections import HELD_BYTES, Connections, raise_file_limit
from gatekeeper.serving.http.connections import SECONDS as LIMITS
from gatekeeper.serving.http.counters import Counters
from gatekeeper.serving.http.protocol import StrictProtocol


class Waiting:
    """A connection that only notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.answering = False

    def expire(self, wait: str) -> None:
        self.done.append(wait)

    def evict(self) -> None:
        self.done.append("evicted")


def test_each_wait_has_its_time() -> None:
    """10 s for a head, 2 s to read a refusal; one that we are answering has no end."""
    now = [0.0]
    book = Connections(10, Counters(), lambda: now[0])
    ones = {wait: Waiting() for wait in LIMITS}
    busy = Waiting()
    book.enter(busy, "head", None)
    busy.answering = True
    for wait, one in ones.items():
        book.enter(one, wait, None)
    assert (LIMITS["head"], LIMITS["linger"], LIMITS["idle"]) == (10.0, 2.0, 75.0)
    for moment in (1.9, 2.1, 9.9, 10.1, 29.9, 30.1, 74.9, 75.1):
        now[0] = moment
        book.sweep()
        for wait, one in ones.items():
            assert one.done == ([wait] if moment > LIMITS[wait] else [])
    assert busy.done == []


def test_there_is_room_for_what_is_kept() -> None:
    """Bodies that never end may fill 256 MiB over all connections; the longest waiting goes first."""
    now = [0.0]
    book = Connections(10, Counters(), lambda: now[0])
    first, second, busy = Waiting(), Waiting(), Waiting()
    for one in (busy, first, second):
        now[0] += 1
        book.enter(one, "body", None)
    busy.answering = True
    book.hold(HELD_BYTES)
    assert first.done == []
    book.hold(1)
    assert (first.done, second.done, busy.done) == (["evicted"], ["evicted"], [])  # neither let go of anything here
    assert book.counters.counts.cut["memory"] == 2


def test_one_that_we_are_answering_is_never_closed_for_room() -> None:
    book = Connections(1, Counters(), lambda: 0.0)
    busy, new = Waiting(), Waiting()
    book.enter(busy, "head", None)
    book.opened()
    busy.answering = True
    book.enter(new, "head", None)
    book.opened()
    assert (busy.done, new.done) == ([], ["evicted"])


def test_the_limit_of_files_is_raised_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(connections.resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert (raise_file_limit(), limits[-1]) == (4096 - 256, (4096, 4096))
    limits[:] = [(300, 300)]
    assert raise_file_limit() == 75  # so little is shared
    limits[:] = [(resource.RLIM_INFINITY, resource.RLIM_INFINITY)]
    assert raise_file_limit() == 1_000_000


class Alone:
    """An application without a model: it reads the body and says ok; after `/slow`, only once it may."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.may = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
        if scope["path"] == "/slow":
            await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@dataclass
class Moment:
    """A server in this process, whose clock the test moves."""

    now: float = 0.0
    made: list[StrictProtocol] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def serve(self, most: int = 100) -> Alone:
        app = Alone(Connections(most, Counters(), self))
        config = uvicorn.Config(app, http=StrictProtocol, proxy_headers=False, log_config=None)
        config.load()
        state = ServerState()

        def made() -> StrictProtocol:
            self.made.append(StrictProtocol(config, state, {}))
            return self.made[-1]

        self.server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        return app

    async def connected(self, content: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.server.sockets[0].getsockname())
        writer.write(content)
        return reader, writer

    async def until(self, state: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not state():
                await asyncio.sleep(0.001)


SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def test_what_waits_too_long_is_ended_and_what_we_answer_is_not() -> None:
    """A head or body that has begun is told so; the silent one is not; the answer that takes a minute comes."""

    async def play() -> None:
        moment = Moment()
        app = await moment.serve()
        begun, half = await moment.connected(b"GET / HTTP/1.1\r\nHo")
        silent, nothing = await moment.connected()
        slow, slow_writer = await moment.connected(SLOW + SLOW)
        idle, idle_writer = await moment.connected(GET)
        assert await idle.readexactly(len(OK)) == OK
        book = app.connections
        await moment.until(lambda: len(moment.made) == 4 and [one.answering for one in moment.made].count(True) == 1)
        await moment.until(lambda: any(one._buffer.startswith(b"GET / ") for one in moment.made))
        moment.now = 11.0
        book.sweep()
        assert (await begun.read()).startswith(
            b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json"
        )
        assert await silent.read() == b""
        idle_writer.write(GET)
        assert await idle.readexactly(len(OK)) == OK
        body, stopped = await moment.connected(HEAD + b"Content-Length: 9\r\n\r\n")
        await moment.until(lambda: moment.made[-1]._state == 1)
        moment.now = 42.0
        book.sweep()
        assert b"The body took over 30 s" in await body.read()
        moment.now = 85.0
        book.sweep()
        moment.now = 87.0
        book.sweep()
        assert await idle.read() == b""
        app.may.set()
        assert await slow.readexactly(2 * len(OK)) == 2 * OK
        for writer in (half, nothing, slow_writer, idle_writer, stopped):
            writer.close()
        await moment.until(lambda: book.count == 0)
        assert book.held == 0
        assert {reason: count for reason, count in book.counters.counts.cut.items() if count} == {
            "head": 2,
            "body": 1,
            "idle": 1,
            "linger": 2,
        }
        moment.server.close()

    asyncio.run(play())


def test_nothing_more_is_read_until_the_answer_is_out() -> None:
    """What a client sends while it is answered stays in its own buffers, all but what had been read by then."""

    async def play() -> None:
        moment = Moment()
        app = await moment.serve()
        reader, writer = await moment.connected(SLOW)
        await moment.until(lambda: bool(moment.made) and moment.made[0].answering)
        writer.write(GET * 400_000)  # 18 MB
        await moment.until(lambda: app.connections.held > 0)
        held = app.connections.held
        for _ in range(50):
            await asyncio.sleep(0)
        assert app.connections.held == held <= 256 * 1024
        app.may.set()
        assert await reader.readexactly(1000 * len(OK)) == 1000 * OK
        writer.transport.abort()
        await moment.until(lambda: app.connections.count == 0)
        assert app.connections.held == 0
        moment.server.close()

    asyncio.run(play())
