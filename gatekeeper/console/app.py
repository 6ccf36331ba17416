"""Console application (FastAPI): routes, static files, access checks and error pages in one app."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console import actions, error_pages, rendering, views
from gatekeeper.console.dependencies import House


def create(house: House) -> FastAPI:
    """The console of `house`, to be mounted anywhere. Every route checks access, static files included."""
    app = FastAPI(
        title="Gatekeeper console",
        dependencies=list(house.entrance.reading()),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.house = house
    app.middleware("http")(_secured)
    error_pages.install(app)

    @app.get("/", include_in_schema=False)
    def first(request: Request) -> RedirectResponse:
        """Redirect to the first desk."""
        return RedirectResponse(f"{rendering.root_of(request)}/{house.desks()[0].name}/models")

    app.include_router(rendering.router)
    app.include_router(actions.router)
    app.include_router(views.router)
    return app


async def _secured(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await forward(request)
    for name, value in rendering.SECURITY.items():
        answer.headers.setdefault(name, value)
    return answer
