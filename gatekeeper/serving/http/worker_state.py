"""Worker state: counters and gauges of one process, as its peers read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.serving.http.counters import Counts
from gatekeeper.serving.ladder import Fallback

if TYPE_CHECKING:
    from gatekeeper.serving.decision_log.idea_memory import MemoryState
    from gatekeeper.serving.decision_log.log import LogState
    from gatekeeper.serving.http.connections import Connections
    from gatekeeper.serving.loader import ServingState
    from gatekeeper.serving.supervised import LoopState


class Gauges(msgspec.Struct, frozen=True):
    """The current state of one process. Ages and lag in seconds; `loops`: of each background loop's last turn."""

    model_id: int | None
    version: str | None
    sha256: str | None
    model_age: float | None
    fallback: Fallback
    degraded: bool
    generation: int | None
    served_generation: int | None
    lag: float
    verdict_age: float | None
    backlog: int
    backlog_bytes: int
    flush_age: float | None
    loops: dict[str, float]
    connections: int
    most_connections: int
    ids: int = 0
    oldest_id: float | None = None
    forgetful: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """Counters and gauges of one process; `gauges` is None if it has ended."""

    counts: Counts
    gauges: Gauges | None


def gauges(
    state: "ServingState",
    log: "LogState",
    memory: "MemoryState",
    loops: Sequence["LoopState"],
    connections: "Connections",
    now: datetime,
) -> Gauges:
    """The gauges of this process."""
    loaded = state.loaded
    created = loaded.model.created_at if loaded else None
    return Gauges(
        model_id=loaded.model.id if loaded else None,
        version=loaded.model.version if loaded else None,
        sha256=loaded.scorer.sha256 if loaded else None,
        model_age=_age(created, now),
        fallback=loaded.fallback if loaded else "none",
        degraded=loaded is None or loaded.degraded or state.replaced is not None,
        generation=state.generation,
        served_generation=state.served_generation,
        lag=state.lag_seconds,
        verdict_age=_age(state.last_verdict, now),
        backlog=log.backlog,
        backlog_bytes=log.backlog_bytes,
        flush_age=_age(log.last_flush, now),
        loops={one.name: one.age for one in loops},
        connections=connections.count,
        most_connections=connections.most,
        ids=memory.ids,
        oldest_id=memory.age,
        forgetful=memory.fault is not None,
    )


def _age(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds())
