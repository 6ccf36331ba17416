"""Page rendering: templates, static files, and the headers that keep other sites' content out."""

import hashlib
import mimetypes
import re
from functools import cache
from importlib import resources
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from gatekeeper.console import formatting
from gatekeeper.console.dependencies import house_of
from gatekeeper.desks import Desk
from gatekeeper.texts import in_html

ROOM = "gatekeeper.console"
A_YEAR = 31_536_000

SECURITY = {
    # Nothing from outside, no script or style inside a page, and no frame but our own site's (Airflow's).
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

router = APIRouter(prefix="/static")


def root_of(request: Request) -> str:
    """The path at which the console is mounted: "" or "/gatekeeper" or "/airflow/gatekeeper"."""
    return re.sub("/+", "/", str(request.scope.get("root_path", ""))).rstrip("/")


def page(
    request: Request, name: str, *, desk: Desk | None = None, status: int = 200, bare: bool = False, **context: Any
) -> HTMLResponse:
    """The page of that template. bare: without styles and scripts, for visitors who may not load them."""
    house, root = house_of(request), root_of(request)
    text = (
        _templates()
        .get_template(f"{name}.html.j2")
        .render(
            context,
            desk=desk,
            root=root,
            bare=bare,
            base=f"{root}/{desk.name}" if desk else root,
            asset=lambda file: f"{root}/static/{file}?{_asset(file)[1]}",
            entrance=house.entrance,
            may_act=desk is not None and house.entrance.may_act(request, desk),
        )
    )
    return HTMLResponse(text, status)


@router.get("/{name}")
def static(name: str) -> Response:
    """Styles, scripts and licences that come with the package."""
    if name not in _assets():
        raise HTTPException(404, f"There is no file {name!r}.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(_asset(name)[0], media_type=kind, headers={"Cache-Control": f"private, max-age={A_YEAR}"})


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader(ROOM, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=in_html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (
        formatting.number,
        formatting.signed,
        formatting.percent,
        formatting.plain,
        formatting.instant,
        formatting.day,
        formatting.short,
        formatting.size,
    )
    environment.filters.update({each.__name__: each for each in (*shown, formatting.coded)})
    return environment


@cache
def _assets() -> frozenset[str]:
    return frozenset(file.name for file in resources.files(ROOM).joinpath("static").iterdir() if file.is_file())


@cache
def _asset(name: str) -> tuple[bytes, str]:
    """The file, and a version mark that changes with its content."""
    content = resources.files(ROOM).joinpath("static", name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]
