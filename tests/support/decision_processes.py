"""Server process that decides as fast as it can, and says which decisions and outcomes it has promised to keep.

Each promise is told after it was given; who tells them lives until it is killed.
"""

import os
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from decision_samples import decision
from registry_site import Site

from gatekeeper.registry.decision_log.line_format import Outcome
from gatekeeper.serving.decision_log.log import DecisionLog


def decide(root: Path, url: str | None, worker: int, told: Connection) -> None:
    """In a process of its own. In one piece: who is killed in the middle has said nothing of it."""
    site = Site(root, url)
    log = DecisionLog(site.open(), site.root / "spool", cap_bytes=10**9)
    log.start()
    for number in count():
        ideas = [f"{worker}-{os.getpid()}-{number}-{part}" for part in range(1 + number % 3)]
        if log.write([decision(number, idea_id=idea) for idea in ideas]):
            told.send([f"idea {idea}" for idea in ideas])
        if number % 25 == 0:
            now = datetime.now(UTC)
            log.close([Outcome(ideas[0], number / 1000, now, now, False, now)])
            told.send([f"outcome {ideas[0]} {number / 1000}"])
