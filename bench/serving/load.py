"""Load generator: requests a second over N connections, each with one request under way.

Usage: load.py HOST PORT CONNECTIONS SECONDS PATH BODY; prints one JSON object. In the body, NUMBER stands for a number
that no other request has.
"""

import asyncio
import itertools
import json
import sys
import time

import uvloop

NUMBER = "#" * 20
NUMBERS = itertools.count(time.time_ns())


class Caller(asyncio.Protocol):
    """Asks again as soon as it is answered. An answer other than 200 ends it all."""

    def __init__(self, request: bytes, until: float, times: list[float], done: asyncio.Event) -> None:
        self._head, self._numbered, self._tail = request.partition(NUMBER.encode())
        self._until, self._times, self._done = until, times, done
        self._asked = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first question."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """The answer, or a part of it."""
        self._received += data
        head, apart, body = self._received.partition(b"\r\n\r\n")
        if not apart:
            return
        at = head.lower().index(b"content-length: ") + len(b"content-length: ")
        if len(body) < int(head[at:].partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self._received.decode())
        self._received = b""
        now = time.perf_counter()
        self._times.append(now - self._asked)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """That was all."""
        self._done.set()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        number = b"%020d" % next(NUMBERS) if self._numbered else b""
        self._transport.write(self._head + number + self._tail)


def request(path: str, body: bytes) -> bytes:
    """A POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def asked(host: str, port: int, connections: int, seconds: float, question: bytes) -> dict[str, float]:
    """Requests a second, and the median and 99th percentile in seconds."""
    times: list[float] = []
    began = time.perf_counter()
    ends = [asyncio.Event() for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for end in ends:
        await loop.create_connection(lambda end=end: Caller(question, began + seconds, times, end), host, port)
    await asyncio.gather(*(end.wait() for end in ends))
    times.sort()
    return {
        "count": len(times),
        "rate": len(times) / (time.perf_counter() - began),
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
    }


if __name__ == "__main__":
    host, port, connections, seconds, path, body = sys.argv[1:]
    question = request(path, body.encode())
    print(json.dumps(uvloop.run(asked(host, int(port), int(connections), float(seconds), question))))
