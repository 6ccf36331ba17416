"""ASGI middleware: routes requests, counts and times them, and turns errors into problem JSON.

It is plain ASGI, since every request passes through it.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic, perf_counter
from typing import Any

from starlette.exceptions import HTTPException

from gatekeeper.logs import logger
from gatekeeper.serving.http.connections import Connections
from gatekeeper.serving.http.counters import OTHER, PATHS, Counters
from gatekeeper.serving.http.problems import Problem, unexpected
from gatekeeper.serving.http.replies import Message, Receive, Reply, Send
from gatekeeper.serving.http.request_limits import ClientGone, RequestLimits
from gatekeeper.serving.supervised import AGAIN

log = logger(__name__)

STOPPING = "The server stops, and this took longer than it waits. Send it again: what was recorded stays as it is."

Scope = dict[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class FaultLog:
    """Log of faults of ours: of each kind one with its traceback a minute, and how many more there were before it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, type[Exception]], tuple[float, int]] = {}

    def note(self, fault: Exception, method: str, path: str) -> None:
        """Log `fault`, or count it if its kind was logged within the last minute."""
        kind = (path if path in PATHS else OTHER, type(fault))
        shown, more = self._seen.get(kind, (float("-inf"), 0))
        now = self._clock()
        if now < shown + AGAIN:
            self._seen[kind] = (shown, more + 1)
            return
        log.error("%s %s failed%s", method, path, f", as did {more} since" if more else "", exc_info=fault)
        self._seen[kind] = (now, 0)


class Post:
    """A route that takes a body within the request limits."""

    def __init__(self, limits: RequestLimits, answer: Callable[[bytes], Awaitable[Reply]]) -> None:
        self._limits = limits
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request from the router."""
        await (await self.reply(scope, receive)).send(send)

    async def reply(self, scope: Scope, receive: Receive) -> Reply:
        """The answer to one request. Raises Problem, ClientGone."""
        return await self._answer(await self._limits.body(scope["headers"], receive))


class FastPath:
    """Calls the routes in `posts` (by path) directly, counted and timed; all other requests go to the application.

    The application's layers would take a quarter of the time of a scored idea.
    """

    def __init__(
        self, app: Application, *, counters: Counters, posts: Mapping[str, Post], connections: Connections
    ) -> None:
        self._app = app
        self.connections = connections  # for the protocol, which gets the application and no other part
        self._counters = counters
        self._faults = FaultLog()
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        post = self._posts.get(scope["path"]) if scope.get("method") == "POST" else None
        if post is None:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0
        try:
            reply = await _reply_or_refusal(post.reply(scope, receive), scope, self._faults)
            status = reply.status
            await reply.send(send)
        except ClientGone:
            return
        finally:
            self._counters.request(scope["path"], status, perf_counter() - started)


class ErrorMiddleware:
    """Counts and times every request, and turns errors into problem JSON."""

    def __init__(self, app: Application, *, counters: Counters) -> None:
        self._app = app
        self._counters = counters
        self._faults = FaultLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
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
            self._counters.request(scope["path"], status, perf_counter() - started)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer by the router; returns the status."""
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
                raise  # part of the answer is sent already, so the connection has to break
            await _refusal(fault, scope, self._faults).send(watched, without_body=scope["method"] == "HEAD")
        return status


async def _reply_or_refusal(answer: Awaitable[Reply], scope: Scope, faults: FaultLog) -> Reply:
    try:
        return await answer
    except ClientGone:
        raise
    except CancelledError:  # uvicorn waits no longer
        return Problem(503, "unavailable", STOPPING).reply()
    except Exception as fault:  # noqa: BLE001  # a caller gets an answer to every fault
        return _refusal(fault, scope, faults)


def _refusal(fault: Exception, scope: Scope, faults: FaultLog) -> Reply:
    if isinstance(fault, Problem):
        return fault.reply()
    faults.note(fault, scope["method"], scope["path"])
    return unexpected().reply()


class Get:
    """A route without a body, which needs no token."""

    def __init__(self, answer: Callable[[], Awaitable[Reply]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Answer one request."""
        await (await self._answer()).send(send, without_body=scope["method"] == "HEAD")


async def no_route(request: Any, fault: Exception) -> Any:
    """Starlette's own refusals (404, 405) as problem JSON."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    headers = (fault.headers if isinstance(fault, HTTPException) else None) or {}
    path, method = request.scope["path"], request.scope["method"]
    detail = {404: f"There is no path {path!r:.100}. /openapi.json lists the paths."}.get(
        status, f"{path} takes {headers.get('allow') or headers.get('Allow') or 'other methods'}, not {method:.20}."
    )
    slug = {404: "unknown_path", 405: "method"}.get(status, "request")
    raise Problem(
        status, slug, detail, headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()]
    )
