"""HTTP replies as bytes, sent by ASGI messages."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

JSON = b"application/json"

Headers = tuple[tuple[bytes, bytes], ...]
Message = MutableMapping[str, Any]  # ASGI's name
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. `headers`: all but content type and length."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it to the caller; `without_body` answers HEAD."""
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", str(len(self.body)).encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})
