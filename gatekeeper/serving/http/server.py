"""HTTP application of one process: its routes and the components behind them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from gatekeeper.errors import NoModel
from gatekeeper.logs import logger
from gatekeeper.registry import Registry
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.decision_log.answered import newest
from gatekeeper.serving.decision_log.idea_memory import IdeaMemory
from gatekeeper.serving.decision_log.log import DecisionLog
from gatekeeper.serving.decision_log.segment_lines import waiting
from gatekeeper.serving.http import openapi
from gatekeeper.serving.http.connections import Connections, raise_file_limit
from gatekeeper.serving.http.counters import Counters
from gatekeeper.serving.http.error_middleware import ErrorMiddleware, FastPath, Get, Post, no_route
from gatekeeper.serving.http.handlers import Closing, Scoring, utc_now
from gatekeeper.serving.http.messages import Alive, Ready, Serving
from gatekeeper.serving.http.peer_workers import PeerWorkers, repeat
from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.http.replies import Reply
from gatekeeper.serving.http.request_limits import RequestLimits
from gatekeeper.serving.http.worker_state import Snapshot, gauges
from gatekeeper.serving.loader import Gatekeeper
from gatekeeper.serving.supervised import LoopState, SupervisedLoop
from gatekeeper.settings import Settings

log = logger(__name__)

# At the end, a database that hangs is waited for that long, so that all ends before Docker kills it, after 10 s.
HANGING_SECONDS = 1.0  # for a thread that only reads
DELIVERY_SECONDS = 4.0  # for the decision log

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Parts:
    """The components behind the routes of one process."""

    registry: Registry
    gatekeeper: Gatekeeper
    log: DecisionLog
    memory: IdeaMemory
    counters: Counters
    connections: Connections
    sweeper: SupervisedLoop

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """The components of these settings. Makes no query yet, so the database may be unreachable."""
        context = RegistryContext.at(
            settings.db,
            models=settings.models,
            path_prefix=settings.path_prefix,
            size_cap=settings.model_size_cap,
            grace_seconds=settings.grace_seconds,
        )
        registry = Registry(context)
        spool = Path(settings.spool)
        counters = Counters()
        connections = Connections(raise_file_limit(), counters, time.monotonic)
        return cls(
            registry,
            Gatekeeper(registry, poll_seconds=settings.poll_seconds, threshold=settings.threshold),
            DecisionLog(registry, spool, cap_bytes=settings.spool_cap_mb * 1024 * 1024),
            IdeaMemory(
                spool,
                most=settings.idea_memory,
                waiting=partial(waiting, spool),
                logged=partial(newest, context.database),
            ),
            counters,
            connections,
            SupervisedLoop("connections", connections.sweep, late_after=10.0),
        )

    def start(self) -> None:
        """Start the log, the memory of idea ids, and the watch, which loads the model."""
        self.log.start()
        self.memory.start()
        self.gatekeeper.start()

    def stop(self) -> None:
        """Stop, and deliver the log as far as possible; the rest stays on the spool."""
        self.gatekeeper.stop(HANGING_SECONDS)
        self.memory.stop(HANGING_SECONDS)
        self.log.stop(DELIVERY_SECONDS)
        self.registry.close()

    def loops(self, *more: LoopState) -> list[LoopState]:
        """The background loops of this process."""
        return [self.gatekeeper.loop(), *self.log.loops(), self.sweeper.state(), *more]

    def snapshot(self, now: datetime, *more: LoopState) -> Snapshot:
        """The counters and gauges of this process."""
        state, logged, counts = self.gatekeeper.state(), self.log.state(), self.counters.counts
        counts.conflicts = logged.conflicts
        loops = self.loops(*more)
        counts.failures = dict(state.failures)
        counts.dropped, counts.rejected, counts.torn = logged.dropped, logged.rejected, logged.torn
        counts.loop_failures = {one.name: one.failures for one in loops}
        return Snapshot(counts, gauges(state, logged, self.memory.state(), loops, self.connections, now))


def create(settings: Settings, folder: Path | None = None, clock: Callable[[], datetime] = utc_now) -> FastPath:
    """The application of one process; `folder` is shared with the server's other processes, None if it has none."""
    parts = Parts.of(settings)
    peers = PeerWorkers(folder, lambda *more: parts.snapshot(clock(), *more))
    limits = RequestLimits.of(settings)
    posts = {path: Post(limits, answer) for path, answer in _posts(settings, parts, clock).items()}
    gets = {path: Get(answer) for path, answer in _gets(settings, parts, peers).items()}
    app = Starlette(
        routes=[
            *(Route(path, post, methods=["POST"]) for path, post in posts.items()),
            *(Route(path, get, methods=["GET"]) for path, get in gets.items()),
        ],
        middleware=[Middleware(ErrorMiddleware, counters=parts.counters)],
        exception_handlers={HTTPException: no_route},
        lifespan=_lifespan(parts, peers),
    )
    app.router.redirect_slashes = False
    return FastPath(app, counters=parts.counters, posts=posts, connections=parts.connections)


def _posts(
    settings: Settings, parts: Parts, clock: Callable[[], datetime]
) -> dict[str, Callable[[bytes], Awaitable[Reply]]]:
    scoring = Scoring(
        parts.gatekeeper,
        parts.log,
        parts.memory,
        parts.counters,
        on_no_model=settings.on_no_model,
        threshold=settings.threshold,
        most=settings.max_ideas,
        clock=clock,
    )
    return {"/v1/score": scoring, "/v1/outcomes": Closing(parts.log, most=settings.max_ideas, clock=clock)}


def _gets(settings: Settings, parts: Parts, peers: PeerWorkers) -> dict[str, Callable[[], Awaitable[Reply]]]:
    description = Reply(200, _encode(openapi.document(settings.max_ideas, with_token=settings.token is not None)))

    async def scrape() -> Reply:
        # prometheus_client takes as long to import as the model to load, and is not needed before the first scrape.
        await asyncio.to_thread(import_module, "gatekeeper.serving.http.metrics")
        from gatekeeper.serving.http import metrics

        return metrics.exposition(await peers.snapshots(), settings.workers)

    async def live() -> Reply:
        return Reply(200, _encode(Alive("alive")))

    async def described() -> Reply:
        return description

    async def ready() -> Reply:
        return _ready(parts, parts.loops(*peers.loops()))

    async def model() -> Reply:
        return _model(parts.gatekeeper)

    return {"/v1/model": model, "/livez": live, "/readyz": ready, "/metrics": scrape, "/openapi.json": described}


def _ready(parts: Parts, loops: Sequence[LoopState]) -> Reply:
    origin, replaced = _current(parts.gatekeeper).origin, parts.gatekeeper.state().replaced
    forgetful = parts.memory.state().fault
    stalled = [one for one in loops if one.stalled]
    reasons = [*filter(None, (replaced, origin.reason, forgetful)), *map(str, stalled)]
    return Reply(
        200,
        _encode(
            Ready(
                "ready",
                origin.version,
                origin.degraded or replaced is not None or forgetful is not None or bool(stalled),
                " ".join(reasons) or None,
                [one.name for one in stalled],
            )
        ),
    )


def _model(gatekeeper: Gatekeeper) -> Reply:
    loaded = _current(gatekeeper)
    state, origin = gatekeeper.state(), loaded.origin
    serving = Serving(
        model_id=origin.model_id,
        version=origin.version,
        sha256=origin.sha256,
        threshold=origin.threshold,
        fallback=origin.fallback,
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


def _lifespan(parts: Parts, peers: PeerWorkers) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        parts.start()
        await peers.start()
        sweeping = asyncio.create_task(repeat(parts.sweeper))
        try:
            yield
        finally:
            sweeping.cancel()
            await peers.stop()
            parts.stop()

    return lifespan
