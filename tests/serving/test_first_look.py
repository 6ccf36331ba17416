"""One `Gatekeeper` that many threads share, from its first call on."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from model_files import constant_model
from registry_site import OWN, Site

from gatekeeper.errors import NoModel
from gatekeeper.serving import Gatekeeper

THREADS = 32
ROW = np.zeros((1, 7), dtype=np.float32)
WORDS = {"actor": "ann", "reason": "test"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.upgrade()
    with made.open() as registry:
        for score in (0.25, 0.75):
            registry.register(constant_model(score), details=OWN)
        registry.promote(1, **WORDS)
    return made


def answers(gatekeeper: Gatekeeper, start: Barrier, times: int) -> list[tuple[int, float]]:
    start.wait()
    found = []
    for _ in range(times):
        scores = gatekeeper.score(ROW)
        found.append((scores.model_id, round(float(scores.values[0]), 6)))
    return found


@pytest.mark.parametrize("started", [False, True])
def test_the_first_look_is_waited_for_by_all(site: Site, started: bool) -> None:
    """Case 77: thousands of `NoModel` in the first 0.2 s. Each round is a cold start, with promotions going on."""
    over = Event()

    def promote() -> None:
        with site.open() as registry:
            while not over.wait(0.01):
                registry.promote(3 - registry.primary().id, **WORDS)  # type: ignore[union-attr]

    promoting = Thread(target=promote)
    promoting.start()
    seen = set()
    try:
        for _ in range(6):
            with site.open() as registry, ThreadPoolExecutor(THREADS) as pool:
                gatekeeper = Gatekeeper(registry, poll_seconds=0.005)
                start = Barrier(THREADS + started)
                asked = [pool.submit(answers, gatekeeper, start, 20) for _ in range(THREADS)]
                if started:
                    start.wait()
                    gatekeeper.start()
                for one in asked:
                    seen.update(one.result())
                gatekeeper.stop()
    finally:
        over.set()
        promoting.join()
    assert seen <= {(1, 0.25), (2, 0.75)}
    assert seen


def test_where_there_is_no_model_all_are_told_why(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.upgrade()
    with site.open() as registry, ThreadPoolExecutor(THREADS) as pool:
        gatekeeper = Gatekeeper(registry)
        start = Barrier(THREADS)
        for one in [pool.submit(answers, gatekeeper, start, 1) for _ in range(THREADS)]:
            with pytest.raises(NoModel, match="No primary is registered"):
                one.result()
