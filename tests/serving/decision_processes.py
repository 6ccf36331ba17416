"""A server's process that decides as fast as it can, and says which decisions and outcomes it has promised to keep.

Run as a script: `decision_processes.py FOLDER URL WORKER`, with "" for the database in the folder. It prints a line
for each promise, after it was given, and lives until it is killed.
"""

import os
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from decision_samples import decision
from registry_site import Site

from gatekeeper.registry.decision_lines import Outcome
from gatekeeper.serving.decisions import DecisionLog


def main(root: str, url: str, worker: str) -> None:
    site = Site(Path(root), url or None)
    log = DecisionLog(site.open(), site.root / "spool", cap_bytes=10**9)
    log.start()
    for number in count():
        ideas = [f"{worker}-{os.getpid()}-{number}-{part}" for part in range(1 + number % 3)]
        if log.write([decision(number, idea_id=idea) for idea in ideas]):
            say(*[f"idea {idea}" for idea in ideas])
        if number % 25 == 0:
            now = datetime.now(UTC)
            log.close([Outcome(ideas[0], number / 1000, now, now, False, now)])
            say(f"outcome {ideas[0]} {number / 1000}")


def say(*lines: str) -> None:
    """In one piece: who is killed in the middle has said nothing of it."""
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


main(*sys.argv[1:])
