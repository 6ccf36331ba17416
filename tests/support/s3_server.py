"""Real S3 server over HTTP for tests, in a process of its own, behind a wire that can be cut."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread

import boto3

# Ends when whoever started it closes its standard input, or dies.
_SERVER = """
import sys
from threading import Thread
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
# S3 alone: moto's own server looks through all of Amazon's services for each request.
app = create_backend_app("s3")
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
server.shutdown()
"""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"  # moto's server says it twice: once more just before the answer


class Wire:
    """Forwards bytes from a port of its own to the server's, as long as it isn't cut.

    `cut()`: connections end, new ones are refused. `lose_answers("PUT")`: such requests reach the server, their
    answers get lost. `answer(503)`: the server isn't even asked. `mend()`: all as before.
    """

    def __init__(self, target: int) -> None:
        self._target = ("127.0.0.1", target)
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._lost: bytes | None = None
        self._refusal: bytes | None = None
        self.port = 0
        self.answered = 0  # bytes, from the server
        self.mend()

    def mend(self) -> None:
        self._lost = self._refusal = None
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            _end(listener)
        self._hang_up()

    def lose_answers(self, method: str) -> None:
        self._lost = method.encode() + b" "

    def answer(self, status: int) -> None:
        self._refusal = f"HTTP/1.1 {status} Not Now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            ended, self._open = self._open, set()
        for one in ended:
            _end(one)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self._refusal is not None:
                client.recv(1 << 16)
                client.sendall(self._refusal)
                return
            with socket.create_connection(self._target) as server:
                with self._lock:
                    self._open |= {client, server}
                back = Thread(target=self._answers, args=(server, client), daemon=True)
                back.start()
                self._requests(client, server)
                back.join()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self._lost is not None and data.startswith(self._lost):
                    self._doomed(server)
                server.sendall(data)
        _end(server)

    def _doomed(self, server: socket.socket) -> None:
        with self._lock:
            self._open.discard(server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if server not in self._open and data.replace(GO_ON, b""):
                    break  # what was asked is done; nobody hears of it
                self.answered += len(data)
                client.sendall(data)
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class S3:
    """The server: its wire, its process, and a client that talks to it past the wire."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.wire = Wire(port)
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")

    def names(self, bucket: str, prefix: str) -> list[str]:
        """Of all objects under `prefix`, without it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        return [entry["Key"].removeprefix(f"{prefix}/") for page in pages for entry in page.get("Contents", [])]

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """All objects under `prefix`, by their names without it."""
        return {name: self.get(bucket, f"{prefix}/{name}") for name in self.names(bucket, prefix)}

    def get(self, bucket: str, key: str) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()


@contextmanager
def running() -> Iterator[S3]:
    """The server, and the environment that leads there; both are gone at the end."""
    before = dict(os.environ)
    os.environ.update(CREDENTIALS)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            s3 = S3(process, int(process.stdout.readline()))
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{s3.wire.port}"
            yield s3
            s3.wire.cut()
        finally:
            process.stdin.close()
            os.environ.clear()
            os.environ.update(before)
