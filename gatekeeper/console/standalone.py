"""Standalone console: a read-only server without Airflow, on this machine only."""

import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from gatekeeper import config
from gatekeeper.console.app import create
from gatekeeper.console.dependencies import House, ReadOnly
from gatekeeper.desks import Desk
from gatekeeper.errors import ConfigError
from gatekeeper.settings import Settings

HOST = "127.0.0.1"


def serve(port: int, say: Callable[[str], None]) -> None:
    """Serve every desk until SIGTERM or SIGINT; `say` gets the address. Raises ConfigError."""
    config.load()  # what can't be right stops us before anyone looks
    app = create(House(config.desks, _settings, ReadOnly()))
    # A page whose site's name was turned to this machine must not read along in a user's browser.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    with _bound(port) as listener:
        say(f"the console, read-only, is at http://{HOST}:{listener.getsockname()[1]}/; Ctrl-C ends it")
        # uvicorn raises the signal that ended it again, once all is done: a good end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(settings).run(sockets=[listener])


def _settings(desk: Desk) -> Settings:
    return config.load(desk=desk.name)


def _bound(port: int) -> socket.socket:
    """A listening socket. Raises ConfigError if the port is taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as fault:
        listener.close()
        raise ConfigError(
            f"cannot listen on port {port} of {HOST}: {fault.strerror}; choose another with --port, or 0 for a free one"
        ) from None
    return listener
