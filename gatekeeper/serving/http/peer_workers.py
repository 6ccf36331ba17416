"""Peer workers: exchange of state between the processes of one server, over Unix sockets in a shared folder.

A process queries all others on each request, so that every process gives the same answer. Each writes its counters to
the folder every second and when it ends, so that they outlive it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from gatekeeper.files import replace
from gatekeeper.logs import logger
from gatekeeper.serving.http.worker_state import Snapshot
from gatekeeper.serving.supervised import LoopState, SupervisedLoop

log = logger(__name__)

ANSWER_SECONDS = 2.0
LEAVE_SECONDS = 1.0
LONGEST_PATH = 100  # of a Unix socket; systems allow 104 to 108

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


class PeerWorkers:
    """The processes that share `folder`, this one included; `folder` None if it is the only one."""

    def __init__(self, folder: Path | None, own: Callable[..., Snapshot]) -> None:
        self._folder = folder
        self._take = own
        self._loop = SupervisedLoop("peers", self._leave, late_after=30.0)
        self._name = secrets.token_hex(6)
        self._server: asyncio.Server | None = None
        self._leaving: asyncio.Task[None] | None = None

    def loops(self) -> list[LoopState]:
        """The loop that writes the counters; none if this is the only process."""
        return [] if self._folder is None else [self._loop.state()]

    def _own(self) -> Snapshot:
        return self._take(*self.loops())

    async def start(self) -> None:
        """Listen for the other processes."""
        if self._folder is None:
            return
        self._loop.once()
        self._server = await asyncio.start_unix_server(self._tell, self._folder / f"{self._name}.socket")
        self._leaving = asyncio.create_task(repeat(self._loop))

    async def stop(self) -> None:
        """Write the counters and stop listening."""
        if self._folder is None or self._server is None or self._leaving is None:
            return
        self._leaving.cancel()
        self._server.close()
        (self._folder / f"{self._name}.socket").unlink(missing_ok=True)
        self._loop.once()

    async def snapshots(self) -> list[Snapshot]:
        """The snapshots of all processes, this one's first; an ended process has only its counters."""
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

    def _leave(self) -> float:
        if self._folder is None:
            return LEAVE_SECONDS
        own = self._own()
        path, content = self._folder / f"{self._name}.counts", _encode(Snapshot(own.counts, None))
        replace(path, content, mode=0o600, durable=False)  # no count outlives its server
        return LEAVE_SECONDS


async def repeat(loop: SupervisedLoop) -> None:
    """Run `loop` in the event loop, until it is cancelled."""
    while True:
        await asyncio.sleep(loop.once())


def _counts_left(path: Path) -> Snapshot | None:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
