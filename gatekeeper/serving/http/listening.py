"""Server start and stop: checks, listening socket, worker processes, signals."""

import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from gatekeeper.errors import ConfigError, Unavailable
from gatekeeper.logs import Clear
from gatekeeper.registry import Registry
from gatekeeper.serving.decision_log.idea_memory import discard_damaged
from gatekeeper.serving.http.error_middleware import FastPath
from gatekeeper.serving.http.peer_workers import LONGEST_PATH
from gatekeeper.serving.http.protocol import StrictProtocol
from gatekeeper.serving.http.request_limits import check_binding
from gatekeeper.serving.http.server import create
from gatekeeper.settings import Settings

STOP_SECONDS = 4  # for running requests; longer ones are cut off, and told to come again
START_SECONDS = 30  # for a worker on a slow machine; one that is silent for longer is replaced
BACKLOG = 2048
SEND_BYTES = 128 * 1024  # that the system keeps for a client that doesn't read; left alone it takes megabytes
COLLECT_AFTER = 10_000  # new objects; requests make no cycles
SWITCH_SECONDS = 0.0005

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"clear": {"()": Clear}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["clear"],
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `say` gets the address. Raises ConfigError, SchemaOutOfDate."""
    check_binding(settings)
    _check_registry(settings, say)
    _check_spool(Path(settings.spool))
    discard_damaged(Path(settings.spool))
    with bound(settings.host, settings.port) as listener, tempfile.TemporaryDirectory(prefix="gatekeeper-") as folder:
        shared = Path(folder) if settings.workers > 1 else None
        if shared is not None and len(str(shared)) + 20 > LONGEST_PATH:
            raise ConfigError(
                f"The path {shared} is too long for the sockets of {settings.workers} workers. "
                "Set TMPDIR to a shorter one."
            )
        config = uvicorn.Config(
            partial(worker, settings, shared),
            factory=True,
            workers=settings.workers,
            http=StrictProtocol,
            ws="none",  # unused; avoids the import of its modules
            log_config=LOGGING,
            access_log=False,  # /metrics counts; the decisions are logged
            server_header=False,
            proxy_headers=False,  # nothing depends on the client's address
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_SECONDS,
            timeout_worker_healthcheck=START_SECONDS,
        )
        say(f"listening on {_url(settings.host, listener)} ({_workers(settings.workers)})")
        # Before uvicorn handles signals there is nothing to finish, and it raises its last signal again at the end.
        # Either way the exit code is 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        if settings.workers > 1:
            from uvicorn.supervisors import Multiprocess  # brings watchers of files

            Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


def worker(settings: Settings, folder: Path | None) -> FastPath:
    """The application, in a process that ends with its parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=[parent.sentinel], name="gatekeeper-parent", daemon=True).start()
    app = create(settings, folder)
    _tune()
    return app


def _tune() -> None:
    """Tune for latency.

    Objects made so far are frozen, so that the garbage collector skips them. The switch interval is short, since a
    model run releases the interpreter, and must not wait long for the thread that delivers the log.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    sys.setswitchinterval(SWITCH_SECONDS)


def _end_with(parent: int) -> None:
    multiprocessing.connection.wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket: clients may connect before the first worker is ready. Raises ConfigError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as fault:
        raise ConfigError(
            f"Can't listen on {host} port {port}: {fault.strerror}. Choose another address with --host and --port, or "
            "GATEKEEPER_HOST and GATEKEEPER_PORT (port 0 takes a free one)."
        ) from None
    listener.set_inheritable(True)
    return listener


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _check_registry(settings: Settings, say: Callable[[str], None]) -> None:
    """Raise SchemaOutOfDate if the tables need `gatekeeper db upgrade`; an unreachable registry may come back."""
    try:
        Registry.configured(settings).close()
    except Unavailable as fault:
        say(f"Starting without a model: {fault}")


def _check_spool(folder: Path) -> None:
    """Raise ConfigError for an invalid spool folder. Once the server runs, a fault of the disk does not stop it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ConfigError(
            f"GATEKEEPER_SPOOL={folder} is not a writable folder: {fault.strerror}. Name another one."
        ) from None
