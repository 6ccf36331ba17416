"""Real processes that race, are killed, or run out of disk. Run as a script: `processes.py race|kill|full FOLDER`.

Each forks its workers after the slow imports; what happened is checked by the tests, in another process.
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from registry_site import OWN, Site, own_model

import gatekeeper.model.verify  # noqa: F401  # imported before the forks: 0.5 s each otherwise
from gatekeeper.errors import GenerationMoved, Unavailable

WORKERS = 4
ROUNDS = 6


def fork(work: Callable[[], None]) -> int:
    """`work` in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def race(root: Path) -> None:
    """Workers register and promote at once: some without a guard, some with the generation that they last saw."""

    def work(worker: int) -> None:
        with Site(root).open() as registry:
            for turn in range(ROUNDS):
                shared = registry.register(own_model(turn), run_key=f"shared {turn}", details=OWN)
                own = registry.register(own_model(100 * (worker + 1) + turn), details=OWN)
                for model in (shared, own):
                    guard = registry.generation() if worker % 2 else None
                    with suppress(GenerationMoved):
                        registry.promote(model.id, actor=f"worker {worker}", reason="race", expected_generation=guard)

    children = [fork(lambda worker=worker: work(worker)) for worker in range(WORKERS)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(map(abs, codes)))


def kill(root: Path) -> None:
    """Promote model 2 in copies of `root`/template, killed at the first step, the second, and so on to the end."""
    died_at: list[str] = []
    for number in range(100):
        site = Site(root / f"{number:03}")
        shutil.copytree(root / "template", site.root)

        def work(site: Site = site, number: int = number) -> None:
            left = number

            def step(name: str) -> None:
                nonlocal left
                if left == 0:
                    (site.root / "died_at").write_text(name)
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

            with site.open(step=step, grace_seconds=0) as registry:
                getattr(registry, sys.argv[3])(*json.loads(sys.argv[4]), actor="ann", reason="kill me")

        status = os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
        if status != -signal.SIGKILL:
            sys.stdout.write(json.dumps(died_at))
            sys.exit(status)
        died_at.append((site.root / "died_at").read_text())


def full(root: Path, limit: int) -> None:
    """Register and promote where no file may grow over `limit` bytes, as on a full disk."""
    site = Site(root)
    with site.open() as registry:
        registry.models()  # opened before the disk is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for act in (
            lambda: registry.register(own_model(9), details=OWN),
            lambda: registry.promote(2, actor="ann", reason="r"),
            lambda: registry.rollback(actor="ann", reason="r"),
        ):
            try:
                act()
            except Unavailable as refused:
                sys.stdout.write(f"{refused}\n")


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    if sys.argv[1] == "full":
        full(folder, int(sys.argv[3]))
    else:
        {"race": race, "kill": kill}[sys.argv[1]](folder)
