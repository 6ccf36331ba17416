"""Real processes on a store that race or are killed: `store_processes.py race|promote FOLDER`.

The end point of the object store and its credentials come with the environment.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import s3fs  # noqa: F401  # imported before the forks, as is verify: 1 s each otherwise
from bucket_site import BucketSite
from registry_site import OWN, own_model

import gatekeeper.model.verify  # noqa: F401
from gatekeeper.errors import GenerationMoved

WORKERS = 4
ROUNDS = 3


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


def race(root: Path) -> int:
    """Workers register and promote at once: some without a guard, some with the generation that they last saw."""

    def work(worker: int) -> None:
        with BucketSite(root).open() as registry:
            for turn in range(ROUNDS):
                shared = registry.register(own_model(turn), run_key=f"shared {turn}", details=OWN)
                own = registry.register(own_model(100 * (worker + 1) + turn), details=OWN)
                for model in (shared, own):
                    guard = registry.generation() if worker % 2 else None
                    with suppress(GenerationMoved):
                        registry.promote(model.id, actor=f"worker {worker}", reason="race", expected_generation=guard)

    children = [fork(lambda worker=worker: work(worker)) for worker in range(WORKERS)]
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def promote(sites: Path) -> int:
    """Promote model 2 in each folder of `sites`, in order: killed at the first step, the second, and so on."""

    def work(site: BucketSite, number: int) -> None:
        left = number

        def step(name: str) -> None:
            nonlocal left
            if left == 0:
                (site.root / "died_at").write_text(name)
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        with site.open(step=step, grace_seconds=0) as registry:
            registry.promote(2, actor="ann", reason="kill me")

    for number, folder in enumerate(sorted(sites.iterdir())):
        child = fork(lambda folder=folder, number=number: work(BucketSite(folder), number))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            return abs(code)
    return 0


if __name__ == "__main__":
    sys.exit({"race": race, "promote": promote}[sys.argv[1]](Path(sys.argv[2])))
