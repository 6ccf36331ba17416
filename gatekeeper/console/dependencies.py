"""Access control: authentication, authorisation and cross-site protection of the console (read-only standalone)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, HTTPException, Request, params

from gatekeeper.desks import Desk
from gatekeeper.registry import Registry
from gatekeeper.settings import Settings

HEADER = "X-Gatekeeper-Act"
"""Header that our pages send with each act; a page of another site can't send it without a CORS preflight."""

_OWN_SITE = {None, "same-origin", "none"}


class Entrance(Protocol):
    """Access rules, given by the application that runs the console."""

    title: str
    """The home page of the application around the console; "" if it is standalone."""
    home: str
    """Its address."""

    def reading(self) -> Sequence[params.Depends]:
        """Check of every route: raises HTTPException 401 without a login and 403 without the right to read."""

    def may_act(self, request: Request, desk: Desk) -> bool:
        """Whether the user may change this desk's registry."""

    def actor(self, request: Request) -> str:
        """The user's name, for the audit."""

    def login(self, request: Request) -> str | None:
        """The address of the login page, which leads back to this one."""


class ReadOnly:
    """Access rules of the standalone console: anyone on this machine may read, and nobody may change anything."""

    title = ""
    home = ""

    def reading(self) -> Sequence[params.Depends]:
        """No check: only this machine can connect."""
        return ()

    def may_act(self, request: Request, desk: Desk) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nobody."""
        return False

    def actor(self, request: Request) -> str:  # noqa: ARG002  # the protocol's signature
        """No user names."""
        return ""

    def login(self, request: Request) -> str | None:  # noqa: ARG002  # the protocol's signature
        """There is none."""
        return None


@dataclass(frozen=True, slots=True)
class House:
    """The console's configuration: the desks, the registry of each, and the access rules."""

    desks: Callable[[], Sequence[Desk]]
    settings_of: Callable[[Desk], Settings]
    entrance: Entrance


def house_of(request: Request) -> House:
    """The console's configuration for this request."""
    return cast("House", request.app.state.house)


def desk_of(request: Request, desk: str) -> Desk:
    """The desk named in the path. Raises HTTPException 404."""
    desks = house_of(request).desks()
    for one in desks:
        if one.name == desk:
            return one
    raise HTTPException(404, f"There is no desk {desk!r}; there are {', '.join(one.name for one in desks)}.")


DeskOfPath = Annotated[Desk, Depends(desk_of)]


def settings_of(request: Request, desk: DeskOfPath) -> Settings:
    """The desk's settings, read for each request, since its registry may move."""
    return house_of(request).settings_of(desk)


DeskSettings = Annotated[Settings, Depends(settings_of)]


def registry_of(settings: DeskSettings) -> Iterator[Registry]:
    """The desk's registry, open for this request."""
    with Registry.configured(settings) as registry:
        yield registry


OpenRegistry = Annotated[Registry, Depends(registry_of)]


def actor_of(request: Request, desk: DeskOfPath) -> str:
    """The acting user's name, for the audit. Raises HTTPException if the user may not change the registry."""
    _refuse_other_sites(request)
    entrance = house_of(request).entrance
    if not entrance.may_act(request, desk):
        raise HTTPException(403, f"Nothing has changed: this needs the right to run the DAG {desk.dag_id('promote')}.")
    return entrance.actor(request)


Actor = Annotated[str, Depends(actor_of)]


def _refuse_other_sites(request: Request) -> None:
    """Cross-site request protection: an act needs our header or a bearer token, since any page sends the cookie along.

    Some set-ups add a token to each request by themselves, so the request must also be declared as JSON, and the
    browser must not mark it as coming from another site.
    """
    headers = request.headers
    if headers.get("sec-fetch-site") not in _OWN_SITE:
        raise HTTPException(403, "Nothing has changed: the request came from a page of another site.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Nothing has changed: send JSON with `Content-Type: application/json`.")
    bearer = headers.get("authorization", "").lower().startswith("bearer ")
    if HEADER not in headers and not bearer:
        raise HTTPException(
            403, f"Nothing has changed: a cookie alone is not enough. Send the header `{HEADER}` or a bearer token."
        )
