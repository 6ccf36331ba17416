"""Console with a user of the tests' own; Airflow's access rules have tests of their own."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, params

from gatekeeper import config
from gatekeeper.console import House, create
from gatekeeper.desks import Desk
from gatekeeper.settings import Settings

PATIENCE = 120.0  # seconds; a busy machine is no fault of the console
EVIL = "<script>alert(1)</script>"
EMPTY = Desk(name="empty", title="Not made yet", is_default=False)


@dataclass(frozen=True)
class Insider:
    """Somebody called `name`, who may change what they see where `may` says so."""

    may: bool = True
    name: str = "carol"
    title = "Airflow"
    home = "/"

    def reading(self) -> Sequence[params.Depends]:
        return ()

    def may_act(self, request: Request, desk: Desk) -> bool:  # noqa: ARG002  # the protocol's signature
        return self.may

    def actor(self, request: Request) -> str:  # noqa: ARG002  # the protocol's signature
        return self.name

    def login(self, request: Request) -> str | None:  # noqa: ARG002  # the protocol's signature
        return None


def console(folder: Path, entrance: Insider, **settings: object) -> FastAPI:
    """The console of the registry in `folder`, and of a desk that has none yet."""

    def settings_of(desk: Desk) -> Settings:
        home = folder if desk.is_default else folder / desk.name
        return config.load(
            {
                "db": f"sqlite:///{home / 'registry.db'}",
                "models": str(home / "models"),
                "reports": str(home / "reports"),
                **settings,
            }
        )

    return create(House(lambda: (Desk(), EMPTY), settings_of, entrance))


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """A real server of `app` on a free port of this machine; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
