"""HTTP/1.1 on one connection: uvicorn's protocol behind limits that hold before anything is parsed.

One request is parsed at a time, and nothing more is read until its answer is out.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gatekeeper.serving.http.connections import SECONDS, Connections
from gatekeeper.serving.http.framing import END, HEAD_BYTES, Chunks, check_beginning, malformed, read_head
from gatekeeper.serving.http.problems import PROBLEM_JSON, Problem
from gatekeeper.serving.http.request_limits import CLOSE

DISCARD_BYTES = 128 * 1024  # after a refusal: so much a client may have sent before it reads it

HEAD, BODY, ANSWER, UNREAD, DEAF = range(5)
"""What happens with the next bytes: they belong to a head, to a body, wait for the answer to be made, wait for it to be
read, or are discarded, since the connection is about to end."""


class StrictProtocol(HttpToolsProtocol):
    """One connection. What it shares with the others is the `connections` of the application."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections: Connections = self.app.connections
        self._state = HEAD
        self._wait: str | None = None
        self._counted = False
        self._buffer = b""  # received, and not parsed yet
        self._held = 0  # bytes of the request that aren't answered yet, as counted in `connections`
        self._left = 0  # bytes of the body that are to come
        self._discarded = 0  # bytes that came after a refusal
        self._chunks: Chunks | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin, at the cost of another connection if there are too many."""
        super().connection_made(transport)
        self._enter("head")
        self._counted = True
        self._connections.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._state = DEAF
        self._forget()
        self._enter(None)

    def data_received(self, data: bytes) -> None:
        """Parse what belongs to the present request; the rest waits for its answer."""
        if self._state == HEAD and not self._buffer and self.transport.get_write_buffer_size():
            self._state = UNREAD  # it asks again, and hasn't read its last answer
            self._enter("unread")
            self._hold(data)
            self._next()
        elif self._state in (HEAD, BODY):
            self._read(data)
        elif self._state != DEAF:
            self._hold(data)
        elif self._wait == "linger":
            self._discarded += len(data)
            if self._discarded > DISCARD_BYTES:
                self.evict()

    def resume_writing(self) -> None:
        """The client has read its answer."""
        super().resume_writing()
        if self._state == UNREAD:
            self.transport.set_write_buffer_limits()
            self.loop.call_soon(self._next)

    # What uvicorn calls

    def on_response_complete(self) -> None:
        """The answer is written; the next request may be read once it is out."""
        self.server_state.total_requests += 1
        if self._state == BODY and self.expect_100_continue and not self.transport.is_closing():
            self.transport.close()  # nobody knows whether the client still sends the body
        if self.transport.is_closing():
            self._state = DEAF
            self._forget(counted=False)
            self._enter("unread")
        elif self._state == ANSWER:
            self._answered()
        else:  # the rest of the body comes, and is discarded
            self._count(-self._held)
            self.flow.resume_reading()

    # What the connections of the process call

    @property
    def answering(self) -> bool:
        """Whether the client waits for us now."""
        return self._state == ANSWER

    def expire(self, wait: str) -> None:
        """End this connection, which waited too long; tells a client that has begun a head."""
        if self._state == DEAF or wait == "unread" or (wait == "body" and self.cycle.response_complete):
            self.evict()
        elif wait == "body" or (wait == "head" and self._buffer):
            message = f"The {wait} took over {SECONDS[wait]:g} s. Send it at once."
            self._refuse(Problem(408, "slow", message, headers=CLOSE))
        elif self.transport.get_write_buffer_size():
            self.evict()
        else:
            self._state = DEAF
            self.transport.close()

    def evict(self) -> None:
        """End this connection at once."""
        self._state = DEAF
        self._forget()
        self.transport.abort()

    # Parsing

    def _read(self, data: bytes) -> None:
        try:
            while data and self._state in (HEAD, BODY):
                data = self._read_head(data) if self._state == HEAD else self._read_body(data)
        except Problem as problem:
            self._refuse(problem)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            self._refuse(malformed(f"The request can't be parsed: {fault}."))
        else:
            if data:
                self._hold(data)

    def _read_head(self, data: bytes) -> bytes:
        """Parse the head, and the body if it is there; returns what is left."""
        seen = len(self._buffer)
        if seen:
            data = self._buffer + data
        elif data[0] in b"\r\n":  # an empty line before the request
            data = data.lstrip(b"\r\n")
        at = data.find(END, max(0, seen - 3), HEAD_BYTES)
        if at < 0:
            if data:
                check_beginning(data, max(0, seen - 1))
                if self._wait == "idle":
                    self._enter("head")
            self._buffer = data
            return b""
        self._buffer = b""
        at += len(END)
        raw = data[:at]
        head = read_head(raw)
        self._chunks = Chunks() if head.chunked else None
        self._left = head.length
        end = at + head.length
        if self._chunks is None and len(data) >= end:
            self._state = ANSWER
            self._left = 0
            whole = len(data) == end and head.content is raw
            self.parser.feed_data(data if whole else head.content + data[at:end])
            self._check_complete()
            return data[end:]
        self._state = BODY
        self._enter("body")
        self.parser.feed_data(head.content)
        return data[at:]

    def _read_body(self, data: bytes) -> bytes:
        """Parse what belongs to the body; returns what is left."""
        if self._chunks is None:
            taken = min(self._left, len(data))
            self._left -= taken
            done = not self._left
        else:
            data = self._buffer + data
            self._buffer = b""
            taken, done = self._chunks.read(data)
        if taken:
            if not self.cycle.response_complete:
                self._count(taken)
            self.parser.feed_data(data[:taken])
        rest = data[taken:]
        if not done:
            self._buffer = rest  # a size line that has begun
            return b""
        if not self.cycle.response_complete:
            self._check_complete()
            self._state = ANSWER
        elif rest:
            self._state = UNREAD
            self._enter("unread")
            self.loop.call_soon(self._next)
        else:
            self._answered()
        return rest

    def _check_complete(self) -> None:
        if self.cycle.more_body:
            raise malformed("The request can't be parsed: its end is not where its head says.")

    # Between a request and the next

    def _hold(self, data: bytes) -> None:
        """Keep what came before its time, and read no more."""
        self._buffer += data
        self.flow.pause_reading()
        self._count(len(data))

    def _answered(self) -> None:
        """The answer is written, and the request was read to its end."""
        if self._held or self._buffer:
            self._count(len(self._buffer) - self._held)
        if self._buffer:
            self._state = UNREAD
            self._enter("unread")
            self.loop.call_soon(self._next)  # by then it is sent, if the client reads
        else:
            self._state = HEAD
            self._enter("idle")
            self.flow.resume_reading()

    def _next(self) -> None:
        """Parse what came meanwhile, if the answer before it is out."""
        if self._state != UNREAD or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(high=0)  # `resume_writing` comes when all is sent
            return
        self._state = HEAD
        self._enter("head")
        data, self._buffer = self._buffer, b""
        self._count(-self._held)
        self.flow.resume_reading()
        self._read(data)

    def _refuse(self, problem: Problem) -> None:
        """Answer what is no request, and end the connection once the client has had time to read it."""
        cycle = self.cycle
        begun = False
        if cycle is not None and not cycle.response_complete:  # the body is at fault, and its handler waits for it
            begun = cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
        self._state = DEAF
        self._forget(counted=False)
        if begun:
            self.transport.abort()
            return
        reply = problem.reply()
        self._connections.counters.request("", reply.status, 0.0)
        fields = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_JSON),
            (b"content-length", str(len(reply.body)).encode()),
            *reply.headers,
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.transport.write(STATUS_LINE[reply.status] + head + b"\r\n" + reply.body)
        self._enter("linger")
        self.flow.resume_reading()  # and discard: to close with unread bytes would reset the refusal away
        self.transport.write_eof()

    # Accounts

    def _enter(self, wait: str | None) -> None:
        self._connections.enter(self, wait, self._wait)
        self._wait = wait

    def _count(self, size: int) -> None:
        if size:
            self._held += size
            self._connections.hold(size)

    def _forget(self, *, counted: bool = True) -> None:
        """Let go of what is held, and of the place if this connection is about to end."""
        self._buffer = b""
        self._count(-self._held)
        if counted and self._counted:
            self._counted = False
            self._connections.closed()
