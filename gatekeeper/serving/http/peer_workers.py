"""How do the other processes of this server stand? Each one listens in a folder that they share.

A process asks all others at the moment it is asked, so that no answer depends on who gives it. What one has counted
outlives it: it leaves that in the folder, each second and when it ends.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from gatekeeper.files import replace
from gatekeeper.serving.http.worker_state import Snapshot

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
LEAVE_SECONDS = 1.0
LONGEST_PATH = 100  # of a Unix socket; 104 to 108 on what there is

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


class Colleagues:
    """The processes that share `folder`, this one among them. None: this one is alone."""

    def __init__(self, folder: Path | None, own: Callable[[], Snapshot]) -> None:
        self._folder = folder
        self._own = own
        self._name = secrets.token_hex(6)
        self._server: asyncio.Server | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Be there for the others."""
        if self._folder is None:
            return
        self._leave()
        self._server = await asyncio.start_unix_server(self._tell, self._folder / f"{self._name}.socket")
        self._leaving = asyncio.create_task(self._keep_leaving())

    async def stop(self) -> None:
        """Leave what was counted, and go."""
        if self._folder is None or self._server is None or self._leaving is None:
            return
        self._leaving.cancel()
        self._server.close()
        (self._folder / f"{self._name}.socket").unlink(missing_ok=True)
        self._leave()

    async def snapshots(self) -> list[Snapshot]:
        """Of every process, this one's first; those that have ended only with their counts."""
        if self._folder is None:
            return [self._own()]
        left = [path for path in sorted(self._folder.glob("*.counts")) if path.stem != self._name]
        others = await asyncio.gather(*map(self._ask, left))
        return [self._own(), *(one for one in others if one is not None)]

    async def _ask(self, left: Path) -> Snapshot | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(left.with_suffix(".socket"))
                try:
                    return _decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.DecodeError):
            return _counts_left(left)

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(_encode(self._own()))
            await writer.drain()
        writer.close()

    async def _keep_leaving(self) -> None:
        while True:
            await asyncio.sleep(LEAVE_SECONDS)
            self._leave()

    def _leave(self) -> None:
        if self._folder is None:
            return
        own = self._own()
        path, content = self._folder / f"{self._name}.counts", _encode(Snapshot(own.counts, None))
        try:
            replace(path, content, mode=0o600, durable=False)  # no count outlives its server
        except OSError as fault:
            log.warning("can't leave this process's counts in %s: %s", self._folder, fault.strerror)


def _counts_left(path: Path) -> Snapshot | None:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
