"""Sample decisions and outcomes: idea `number` is of the number's minute, and all its values differ."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from gatekeeper.registry.decision_log.line_format import Decision, Outcome, decision_lines, parse

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)


def decision(number: int, **changes: Any) -> Decision:
    """Received a second after its time; even ones are buys, every third is vetoed."""
    time = NOON + timedelta(minutes=number, microseconds=number)
    row = [20 + number % 60, 30.3, -0.01 * (number % 7), 0.04, 0.0, -1.5, number % 2 == 0]
    features = tuple(float(value) for value in np.array(row, dtype=np.float32))
    score = float(np.float32(0.3 if number % 3 == 0 else 0.7))
    values = {
        "idea_id": f"idea-{number}",
        "at": time + timedelta(seconds=1),
        "time": time,
        "symbol": "EURUSD",
        "strategy": None,
        "features": features,
        "score": score,
        "threshold": 0.55,
        "approved": score >= 0.55,
        "model_id": 3,
        "version": "gatekeeper_primary3",
        "sha256": "ab" * 32,
        "degraded": False,
    }
    return Decision(**{**values, **changes})


def outcome(number: int, **changes: Any) -> Outcome:
    """Closed two hours after the idea's time, received a minute later."""
    closed_at = NOON + timedelta(minutes=number, microseconds=number, hours=2)
    at = closed_at + timedelta(minutes=1)
    values = {
        "idea_id": f"idea-{number}",
        "outcome": (number % 5 - 2) / 100,
        "closed_at": closed_at,
        "known_at": at,
        "stated": False,
        "at": at,
    }
    return Outcome(**{**values, **changes})


def parsed(*decisions: Decision) -> list[list[Any]]:
    """As the log hands them to the registry."""
    return parse(decision_lines(decisions).splitlines())


def rejected(folder: Path) -> list[dict[str, str]]:
    """What a spool set aside."""
    file = folder / "rejected.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def logged(site: Any) -> list[tuple]:
    """(idea_id, outcome) of every idea that is in both tables, and nothing but that is in either."""
    rows = site.sql('SELECT idea_id, outcome FROM gatekeeper_decision JOIN "RLDataset" ON id = dataset_id')
    counts = site.sql('SELECT (SELECT count(*) FROM gatekeeper_decision), (SELECT count(*) FROM "RLDataset")')
    assert counts == [(len(rows), len(rows))]
    return sorted(rows)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what comes by itself."""
    end, pause = time.monotonic() + seconds, Event()
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        pause.wait(0.02)
