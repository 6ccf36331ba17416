"""Requests as bytes on a socket: what no well-behaved client library would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from score_server import SECONDS, idea

JSON = json.dumps(idea()).encode()
GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def post(body: bytes = JSON, *fields: bytes) -> bytes:
    """A good request with these header lines more."""
    more = b"".join(line + b"\r\n" for line in fields)
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass
class Answer:
    """One answer as it came."""

    status: int
    fields: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Connection:
    """One socket to a server."""

    def __init__(self, url: str) -> None:
        address = httpx.URL(url)
        self.socket = socket.create_connection((address.host, address.port), SECONDS)
        self._file = self.socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def answer(self) -> Answer | None:
        """The next answer; None if the server ends the connection instead."""
        try:
            line = self._file.readline()
            if not line:
                return None
            fields = {}
            while (field_line := self._file.readline()) not in (b"\r\n", b""):
                name, _, value = field_line.decode("latin-1").partition(":")
                fields[name.strip().lower()] = value.strip()
            return Answer(int(line.split()[1]), fields, self._file.read(int(fields.get("content-length", "0"))))
        except ConnectionError:
            return None

    def ended(self) -> bool:
        """Whether the server has ended it, after what was still to be read."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    connection = Connection(url)
    try:
        yield connection
    finally:
        connection.socket.close()


def asked(url: str, content: bytes) -> Answer | None:
    """The first answer to these bytes on a connection of their own."""
    with connected(url) as connection:
        connection.send(content)
        return connection.answer()
