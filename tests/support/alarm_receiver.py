"""Alarm receiver for tests: a real HTTP server on this machine, reached by apprise at a json:// address."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Receiver:
    """Started by `with`. `got` is every message, in order; `answer` the status that it gives."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.answer == 200:
                    receiver.got.append(json.loads(body))
                self.send_response(receiver.answer)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """As GATEKEEPER_ALARMS takes it; user, password and path are secrets that no log may show."""
        return f"json://ann:geheim@127.0.0.1:{self.port}/hook/verborgen"

    @property
    def kinds(self) -> list[str]:
        """The kinds that came, in order; loud ones with their ALARM."""
        return [message["title"].partition(": ")[2] for message in self.got]
