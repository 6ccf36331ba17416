"""Console in Airflow: under /gatekeeper, behind Airflow's login and with its users' permissions."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, params

    from gatekeeper.desks import Desk
    from gatekeeper.settings import Settings

PREFIX = "/gatekeeper"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def base_path() -> str:
    """The path of Airflow's own URL: "", or a path such as "/airflow"."""
    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


class Console:
    """The plugin's ASGI application, built at the first request: workers and schedulers load plugins too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the application is built in a thread."""
        app = await asyncio.to_thread(application)
        await app(scope, receive, send)


@cache
def application() -> "FastAPI":
    """The console's application, one for each process."""
    from gatekeeper import config
    from gatekeeper.console import House, create

    return create(House(config.desks, _settings, AirflowEntrance()))


class AirflowEntrance:
    """Who is logged in to Airflow, and what may they do there?

    To look, they need what plugin pages need; to change a desk, the right to run its DAG `gatekeeper_promote`.
    """

    title = "Airflow"

    @property
    def home(self) -> str:
        """Airflow's own page."""
        return f"{base_path()}/"

    def reading(self) -> "Sequence[params.Depends]":
        """The dependencies for reading: a login, and the permission to see plugin pages."""
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
        from airflow.api_fastapi.core_api.security import get_user, requires_access_view
        from fastapi import Depends, Request

        def known(request: Request, user: Any = Depends(get_user)) -> None:  # noqa: B008  # FastAPI's way
            request.state.gatekeeper_user = user

        return (Depends(known), Depends(requires_access_view(AccessView.PLUGINS)))

    def may_act(self, request: "Request", desk: "Desk") -> bool:
        """Whether the user may trigger the desk's DAG `gatekeeper_promote`."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
        from airflow.api_fastapi.core_api.security import requires_access_dag
        from fastapi import HTTPException

        may = requires_access_dag("POST", DagAccessEntity.RUN, desk.dag_id("promote"))
        try:
            may(request, request.state.gatekeeper_user)
        except HTTPException:
            return False
        return True

    def actor(self, request: "Request") -> str:
        """The user's name in Airflow."""
        return str(request.state.gatekeeper_user.get_name())

    def login(self, request: "Request") -> str:
        """The URL of Airflow's login, which returns to the requested page."""
        from airflow.api_fastapi.app import get_auth_manager

        return str(get_auth_manager().get_url_login(next_url=str(request.url)))


def _settings(desk: "Desk") -> "Settings":
    """The desk's settings as its tasks see them: its Airflow connection takes precedence."""
    from gatekeeper_airflow.hook import RegistryHook

    return RegistryHook(desk=desk.name).settings()
