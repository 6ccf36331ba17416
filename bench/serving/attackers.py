"""Attackers of `attacks.py`: one kind of hostile client, as many and as long as they are let.

Usage: attackers.py PORT KIND; says "begun", and ends when it is killed.
"""

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

HOST = "127.0.0.1"
HEAD = b"POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
GET = b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001  # each has both
    """Says nothing until it is cut off."""
    await reader.read()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """A byte of a head now and then."""
    while True:
        writer.write(b"G")
        await writer.drain()
        await asyncio.sleep(0.5)


async def pipeline(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """Never reads."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while True:
        writer.write(GET * 200)
        await writer.drain()


async def head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """One header of 60 MB."""
    writer.write(HEAD + b"x: ")
    for _ in range(60):
        writer.write(b"a" * 1_000_000)
        await writer.drain()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """Headers without end."""
    writer.write(HEAD)
    while True:
        writer.write(b"x-header: 1\r\n" * 5000)
        await writer.drain()


async def chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """A body of one-byte chunks."""
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n" * 5000)
        await writer.drain()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Half a body."""
    writer.write(HEAD + b"content-length: 1000000\r\n\r\n" + b" " * 60_000)
    await writer.drain()
    await reader.read()


KINDS: dict[str, tuple[Client, int]] = {
    "idle": (idle, 3000),
    "slow": (slow, 500),
    "pipeline": (pipeline, 50),
    "head": (head, 20),
    "endless": (endless, 20),
    "chunks": (chunks, 20),
    "half": (half, 500),
}


async def again(port: int, client: Client) -> None:
    """As soon as one is cut off, the next."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(HOST, port)
            with suppress(OSError):
                await client(reader, writer)
            writer.close()
        await asyncio.sleep(0.05)


async def main(port: int, kind: str) -> None:
    """All of one kind."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    client, count = KINDS[kind]
    tasks = [asyncio.create_task(again(port, client)) for _ in range(count)]
    await asyncio.sleep(0.5)
    print("begun", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
