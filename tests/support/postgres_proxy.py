"""Network proxy between a registry and its PostgreSQL server: it can break at the worst moment, and come back."""

import re
import select
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url

SOCKET = ".s.PGSQL.5432"
CHUNK = 65536
COMMIT = re.compile(rb"COMMIT(?!TED)")


class Proxy:
    """Passes everything on. Once armed, it breaks the connection that commits next: `before` or `after` the server did.

    As a context manager; `url` is where it listens.
    """

    def __init__(self, url: str, folder: Path) -> None:
        parsed = make_url(url)
        self._server = Path(str(parsed.query["host"])) / SOCKET
        self._place = folder / SOCKET
        self.url = parsed.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        self.armed: str | None = None
        self.broken = 0
        self._listener: socket.socket | None = None
        self._passing: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._place))
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody can connect from now on."""
        self._place.unlink()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """End all connections that it passes on, as a network that breaks does."""
        for client in self._passing:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._passing.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._passing.append(client)
            threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server))
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    said = ready.recv(CHUNK)
                    if not said:
                        return
                    if ready is client and self.armed and COMMIT.search(said):
                        self._break(server, said)
                        return
                    (server if ready is client else client).sendall(said)

    def _break(self, server: socket.socket, said: bytes) -> None:
        moment, self.armed = self.armed, None
        self.broken += 1
        if moment == "after":
            server.sendall(said)
            assert server.recv(CHUNK)  # the server has done it, and the client will never know
