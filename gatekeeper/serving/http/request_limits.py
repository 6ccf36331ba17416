"""Request limits: token, content type, host and size of a request, checked before its body is read.

The time that a body may take is a limit of its connection (`connections.py`).
"""

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from gatekeeper.errors import ConfigError
from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.http.replies import Message, Receive
from gatekeeper.settings import Settings

READ_ON = 16  # times the limit: a larger body is read up to here and discarded, so that its sender sees the refusal
CLOSE = ((b"connection", b"close"),)


class ClientGone(Exception):
    """The caller disconnected before the request was complete."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_binding(settings: Settings) -> None:
    """Raise ConfigError if other machines can reach the address and no token is set, or the token is invalid."""
    token = settings.token
    if token is not None and not token.get_secret_value().strip():
        raise ConfigError("GATEKEEPER_TOKEN is blank. Set it to a long random text, or unset it.")
    if token is not None and not token.get_secret_value().isascii():
        raise ConfigError("GATEKEEPER_TOKEN has characters that an HTTP header can't carry. Use ASCII only.")
    if token is None and not is_loopback(settings.host):
        raise ConfigError(
            f"Other machines can reach {settings.host}, but GATEKEEPER_TOKEN is not set. Set it to a long random text, "
            "which each POST then sends as `Authorization: Bearer ...`, or bind 127.0.0.1."
        )


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The conditions of each POST. `token` None: only this machine can reach the server. `limit`: bytes of a body."""

    token: bytes | None
    limit: int

    @classmethod
    def of(cls, settings: Settings) -> "RequestLimits":
        """The limits of these settings."""
        token = settings.token
        return cls(token.get_secret_value().strip().encode() if token else None, settings.max_body_kb * 1024)

    async def body(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """The whole body of a POST. Raises Problem, ClientGone."""
        authorization = content_type = host = b""
        length: int | None = None
        for name, value in headers:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = int(value)  # uvicorn has checked it
            elif name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
        self._admit(authorization, content_type, host)
        if length is not None and length > self.limit:
            await self._read_on(receive, length)
            raise self._too_large()
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if not message.get("more_body"):
            return self._within(message.get("body", b""))
        return await self._rest(message, receive)

    def _admit(self, authorization: bytes, content_type: bytes, host: bytes) -> None:
        if self.token is None:
            _refuse_other_site(host)
        else:
            scheme, _, given = authorization.partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self.token):
                raise Problem(
                    401,
                    "token",
                    ("The token is wrong." if authorization else "The token is missing.")
                    + " Send the server's GATEKEEPER_TOKEN as `Authorization: Bearer ...` with each POST.",
                    headers=((b"www-authenticate", b"Bearer"),),
                )
        # A page of another site can send this type only after a CORS preflight, which this server never grants.
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise Problem(415, "content_type", "The content type is not JSON. Send `Content-Type: application/json`.")

    async def _rest(self, message: Message, receive: Receive) -> bytes:
        parts = [message.get("body", b"")]
        size = len(parts[0])
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limit:
                if message.get("more_body"):
                    await self._read_on(receive, None)
                raise self._too_large()
        return b"".join(parts)

    async def _read_on(self, receive: Receive, length: int | None) -> None:
        if length is not None and length > self.limit * READ_ON:
            return
        size = 0
        while size <= self.limit * READ_ON:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return

    def _within(self, body: bytes) -> bytes:
        if len(body) > self.limit:
            raise self._too_large()
        return body

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "too_large",
            f"The body has over {self.limit // 1024} KiB (GATEKEEPER_MAX_BODY_KB). Send several requests.",
            headers=CLOSE,
        )


@lru_cache(maxsize=64)  # an exception is not kept
def _refuse_other_site(host: bytes) -> None:
    """Refuse another host name on a server without a token: DNS rebinding could let a web page post to it."""
    name = host.decode("latin-1").lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    if name and not is_loopback(name):
        raise Problem(
            421,
            "host",
            f"This server has no token, so it answers only under this machine's own name, not {name!r}. "
            "Set GATEKEEPER_TOKEN on the server to allow other names.",
        )
