"""Memories of idea ids for tests, without a spool or a database behind them unless a test gives one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatekeeper.registry.decision_log.line_format import Decision
from gatekeeper.serving.decision_log.idea_memory import IdeaMemory

OTHER_MODEL: dict[str, Any] = {
    "score": 0.25,
    "approved": False,
    "version": "gatekeeper_primary9",
    "model_id": 9,
    "sha256": "cd" * 32,
}


@contextmanager
def memory(
    folder: Path, *, most: int = 1000, waiting: Any = lambda: iter(()), logged: Any = lambda: iter(()), **options: Any
) -> Iterator[IdeaMemory]:
    """One that is open."""
    made = IdeaMemory(folder, most=most, waiting=waiting, logged=logged, **options)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def ask(there: IdeaMemory, *decisions: Decision, reason: str | None = None) -> list[tuple[Decision | None, bool]]:
    return [(one.decision, one.repeated) for one in there.claim(decisions, reason)]


def told(one: Decision | None) -> tuple[object, ...] | None:
    """What an answer tells of a decision."""
    if one is None:
        return None
    return one.score, one.approved, one.threshold, one.model_id, one.version, one.sha256, one.degraded
