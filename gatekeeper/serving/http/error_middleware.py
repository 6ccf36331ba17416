"""How does a request reach what answers it, and what is noted of each?

Pure ASGI: what every request passes costs next to nothing.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from starlette.exceptions import HTTPException

from gatekeeper.serving.http.counters import Meters
from gatekeeper.serving.http.problems import Problem, unexpected
from gatekeeper.serving.http.replies import Message, Receive, Reply, Send
from gatekeeper.serving.http.request_limits import ClientGone, Guard

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Post:
    """A route that takes a body, once the guard lets it in."""

    def __init__(self, guard: Guard, answer: Callable[[bytes], Awaitable[Reply]]) -> None:
        self._guard = guard
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as the router hands it on."""
        await (await self.reply(scope, receive)).send(send)

    async def reply(self, scope: Scope, receive: Receive) -> Reply:
        """The answer to one request. Raises Problem, and ClientGone."""
        return await self._answer(await self._guard.body(scope["headers"], receive))


class Door:
    """Before the whole application: `posts` by path are asked straight, counted and timed, all else goes in.

    The layers of the application would cost an idea a quarter of its time.
    """

    def __init__(self, app: Application, *, meters: Meters, posts: Mapping[str, Post]) -> None:
        self._app = app
        self._meters = meters
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        post = self._posts.get(scope["path"]) if scope.get("method") == "POST" else None
        if post is None:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0
        try:
            reply = await _settled(post.reply(scope, receive), scope)
            status = reply.status
            await reply.send(send)
        except ClientGone:
            return
        finally:
            self._meters.request(scope["path"], status, perf_counter() - started)


class Edge:
    """Around the routes: counts, times, and turns what went wrong into problem JSON."""

    def __init__(self, app: Application, *, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0
        try:
            status = await self._routed(scope, receive, send)
        except ClientGone:
            return
        finally:
            self._meters.request(scope["path"], status, perf_counter() - started)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> int:
        """By the router; returns the status."""
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as fault:
            if status:
                raise  # half an answer is out: the connection has to break
            await _refusal(fault, scope).send(watched, without_body=scope["method"] == "HEAD")
        return status


async def _settled(answer: Awaitable[Reply], scope: Scope) -> Reply:
    try:
        return await answer
    except ClientGone:
        raise
    except Exception as fault:  # noqa: BLE001  # a caller gets an answer, whatever it is
        return _refusal(fault, scope)


def _refusal(fault: Exception, scope: Scope) -> Reply:
    if isinstance(fault, Problem):
        return fault.reply()
    log.error("%s %s failed", scope["method"], scope["path"], exc_info=fault)
    return unexpected().reply()


class Get:
    """A route that tells how things stand. Whoever reaches the server may ask."""

    def __init__(self, answer: Callable[[], Awaitable[Reply]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """One request."""
        await (await self._answer()).send(send, without_body=scope["method"] == "HEAD")


async def no_route(request: Any, fault: Exception) -> Any:
    """Starlette's own refusals (404, 405) as a problem."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    headers = (fault.headers if isinstance(fault, HTTPException) else None) or {}
    path, method = request.scope["path"], request.scope["method"]
    said = {404: f"there is no {path!r:.100} here; /openapi.json says what there is"}.get(
        status, f"{path} takes {headers.get('allow') or headers.get('Allow') or 'other methods'}, not {method:.20}"
    )
    slug = {404: "unknown_path", 405: "method"}.get(status, "request")
    raise Problem(
        status, slug, said, headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()]
    )
