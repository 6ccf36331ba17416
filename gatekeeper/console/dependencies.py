"""Who may come in, and who may change what? Asked of whoever runs the console; alone, it only shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, HTTPException, Request, params

from gatekeeper.config import Settings
from gatekeeper.desks import Desk
from gatekeeper.registry import Registry

HEADER = "X-Gatekeeper-Act"
"""What our own pages send along with each act: a page of another site can't without being asked first."""

_OWN_SITE = {None, "same-origin", "none"}


class Entrance(Protocol):
    """Whoever runs the console says who may do what in it."""

    title: str
    """Of the place that the console is part of; "" where it stands alone."""
    home: str
    """Its address."""

    def reading(self) -> Sequence[params.Depends]:
        """What every route asks first: raises HTTPException 401 for a stranger and 403 for who may not look."""

    def may_act(self, request: Request, desk: Desk) -> bool:
        """May whoever asks change this desk's registry?"""

    def actor(self, request: Request) -> str:
        """The name of whoever asks, for the audit."""

    def login(self, request: Request) -> str | None:
        """Where a stranger may log in and come back from."""


class ReadOnly:
    """Alone: whoever reaches this machine may look, and nobody may change a thing."""

    title = ""
    home = ""

    def reading(self) -> Sequence[params.Depends]:
        """Nothing: only this machine can ask."""
        return ()

    def may_act(self, request: Request, desk: Desk) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nobody."""
        return False

    def actor(self, request: Request) -> str:  # noqa: ARG002  # the protocol's signature
        """Nobody is asked for a name."""
        return ""

    def login(self, request: Request) -> str | None:  # noqa: ARG002  # the protocol's signature
        """There is none."""
        return None


@dataclass(frozen=True, slots=True)
class House:
    """What a console shows: the desks, where each one's registry is, and who may come in."""

    desks: Callable[[], Sequence[Desk]]
    settings_of: Callable[[Desk], Settings]
    entrance: Entrance


def house_of(request: Request) -> House:
    """The house that this request is in."""
    return cast("House", request.app.state.house)


def desk_of(request: Request, desk: str) -> Desk:
    """The desk that the address names."""
    desks = house_of(request).desks()
    for one in desks:
        if one.name == desk:
            return one
    raise HTTPException(404, f"There is no desk {desk!r}; there are {', '.join(one.name for one in desks)}.")


DeskOfPath = Annotated[Desk, Depends(desk_of)]


def settings_of(request: Request, desk: DeskOfPath) -> Settings:
    """The desk's settings, asked for anew each time: where its registry is may change."""
    return house_of(request).settings_of(desk)


DeskSettings = Annotated[Settings, Depends(settings_of)]


def registry_of(settings: DeskSettings) -> Iterator[Registry]:
    """The desk's registry, open for this request."""
    with Registry.configured(settings) as registry:
        yield registry


OpenRegistry = Annotated[Registry, Depends(registry_of)]


def actor_of(request: Request, desk: DeskOfPath) -> str:
    """Who acts, for the audit. Raises HTTPException where this request may not."""
    _refuse_other_sites(request)
    entrance = house_of(request).entrance
    if not entrance.may_act(request, desk):
        raise HTTPException(403, f"This needs the right to run the DAG {desk.dag_id('promote')}; nothing has changed.")
    return entrance.actor(request)


Actor = Annotated[str, Depends(actor_of)]


def _refuse_other_sites(request: Request) -> None:
    """A cookie comes along with whatever page asks: only a header of ours, or a token, says that somebody meant it.

    Some set-ups add a token to each request by themselves, so that alone is not enough either: JSON has to be said, and
    the browser must not say that another site is asking.
    """
    headers = request.headers
    if headers.get("sec-fetch-site") not in _OWN_SITE:
        raise HTTPException(403, "A page of another site asked for this; nothing has changed.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, and say so: `Content-Type: application/json`. Nothing has changed.")
    bearer = headers.get("authorization", "").lower().startswith("bearer ")
    if HEADER not in headers and not bearer:
        raise HTTPException(
            403, f"A cookie alone changes nothing: send the header `{HEADER}`, or a bearer token. Nothing has changed."
        )
