"""The HTTP server of one process: which routes are there, and what stands behind them?"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from gatekeeper.config import Settings
from gatekeeper.errors import NoModel
from gatekeeper.registry import Registry
from gatekeeper.registry.context import RegistryContext
from gatekeeper.serving.decision_log.log import DecisionLog
from gatekeeper.serving.http import openapi
from gatekeeper.serving.http.counters import Meters
from gatekeeper.serving.http.error_middleware import Door, Edge, Get, Post, no_route
from gatekeeper.serving.http.handlers import Closing, Scoring, utc_now
from gatekeeper.serving.http.messages import Alive, Ready, Serving
from gatekeeper.serving.http.peer_workers import Colleagues
from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.http.replies import Reply
from gatekeeper.serving.http.request_limits import Guard
from gatekeeper.serving.http.worker_state import Snapshot, gauges
from gatekeeper.serving.loader import Gatekeeper

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands behind the routes of one process."""

    registry: Registry
    gatekeeper: Gatekeeper
    log: DecisionLog
    meters: Meters

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """As the settings say. Nothing is asked of the database yet: it may be away."""
        context = RegistryContext.at(
            settings.db,
            models=settings.models,
            path_prefix=settings.path_prefix,
            size_cap=settings.model_size_cap,
            grace_seconds=settings.grace_seconds,
        )
        registry = Registry(context)
        return cls(
            registry,
            Gatekeeper(registry, poll_seconds=settings.poll_seconds, threshold=settings.threshold),
            DecisionLog(registry, Path(settings.spool), cap_bytes=settings.spool_cap_mb * 1024 * 1024),
            Meters(),
        )

    def start(self) -> None:
        """Look at the registry once, and from then on beside the requests."""
        self.log.start()
        self.gatekeeper.start()

    def stop(self) -> None:
        """Bring what was logged to the database, as far as it lets us; the rest stays on the spool."""
        self.gatekeeper.stop()
        self.log.stop()
        self.registry.close()

    def snapshot(self, now: datetime) -> Snapshot:
        """How this process stands."""
        state, logged, counts = self.gatekeeper.state(), self.log.state(), self.meters.counts
        counts.failures = dict(state.failures)
        counts.dropped, counts.rejected, counts.torn = logged.dropped, logged.rejected, logged.torn
        return Snapshot(counts, gauges(state, logged, now))


def create(settings: Settings, folder: Path | None = None, clock: Callable[[], datetime] = utc_now) -> Door:
    """The application of one process; `folder` is where it meets the others, if there are any."""
    parts = Parts.of(settings)
    colleagues = Colleagues(folder, lambda: parts.snapshot(clock()))
    guard = Guard.of(settings)
    posts = {path: Post(guard, answer) for path, answer in _posts(settings, parts, clock).items()}
    gets = {path: Get(answer) for path, answer in _gets(settings, parts, colleagues).items()}
    app = Starlette(
        routes=[
            *(Route(path, post, methods=["POST"]) for path, post in posts.items()),
            *(Route(path, get, methods=["GET"]) for path, get in gets.items()),
        ],
        middleware=[Middleware(Edge, meters=parts.meters)],
        exception_handlers={HTTPException: no_route},
        lifespan=_lifespan(parts, colleagues),
    )
    app.router.redirect_slashes = False
    return Door(app, meters=parts.meters, posts=posts)


def _posts(
    settings: Settings, parts: Parts, clock: Callable[[], datetime]
) -> dict[str, Callable[[bytes], Awaitable[Reply]]]:
    scoring = Scoring(
        parts.gatekeeper,
        parts.log,
        parts.meters,
        on_no_model=settings.on_no_model,
        threshold=settings.threshold,
        most=settings.max_ideas,
        clock=clock,
    )
    return {"/v1/score": scoring, "/v1/outcomes": Closing(parts.log, most=settings.max_ideas, clock=clock)}


def _gets(settings: Settings, parts: Parts, colleagues: Colleagues) -> dict[str, Callable[[], Awaitable[Reply]]]:
    description = Reply(200, _encode(openapi.document(settings.max_ideas, with_token=settings.token is not None)))

    async def scrape() -> Reply:
        # Prometheus' library takes as long to import as the model to load, and nobody scrapes before the first answer.
        await asyncio.to_thread(import_module, "gatekeeper.serving.http.metrics")
        from gatekeeper.serving.http import metrics

        return metrics.exposition(await colleagues.snapshots(), settings.workers)

    async def live() -> Reply:
        return Reply(200, _encode(Alive("alive")))

    async def described() -> Reply:
        return description

    async def ready() -> Reply:
        return _ready(parts.gatekeeper)

    async def model() -> Reply:
        return _model(parts.gatekeeper)

    return {"/v1/model": model, "/livez": live, "/readyz": ready, "/metrics": scrape, "/openapi.json": described}


def _ready(gatekeeper: Gatekeeper) -> Reply:
    origin = _current(gatekeeper).origin
    return Reply(200, _encode(Ready("ready", origin.version, origin.degraded, origin.reason)))


def _model(gatekeeper: Gatekeeper) -> Reply:
    loaded = _current(gatekeeper)
    state, origin = gatekeeper.state(), loaded.origin
    serving = Serving(
        model_id=origin.model_id,
        version=origin.version,
        sha256=origin.sha256,
        threshold=origin.threshold,
        step=origin.step,
        degraded=origin.degraded,
        reason=origin.reason,
        created_at=loaded.model.created_at,
        trained_to=loaded.model.trained_to,
        generation=state.generation,
        lag_seconds=round(state.lag_seconds, 3),
    )
    return Reply(200, _encode(serving))


def _current(gatekeeper: Gatekeeper) -> Any:
    try:
        return gatekeeper.current()
    except NoModel as fault:
        raise Problem(503, "no_model", str(fault)) from None


def _lifespan(parts: Parts, colleagues: Colleagues) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        parts.start()
        await colleagues.start()
        try:
            yield
        finally:
            await colleagues.stop()
            parts.stop()

    return lifespan
