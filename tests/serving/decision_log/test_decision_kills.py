"""`kill -9` of a logging server: what was promised is in the tables, each once, whoever delivers it."""

import random
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import pytest
from decision_processes import decide
from decision_samples import logged, rejected, until
from registry_site import Site

from gatekeeper.serving.decision_log.log import DecisionLog
from gatekeeper.serving.decision_log.spool import ENDING

PATH = str(Path(__file__).parents[2] / "support")
WORKERS = 2
FORKED = get_context("forkserver")  # a worker promises at once, its imports done


@pytest.fixture(autouse=True)
def imported(monkeypatch):
    """What the server of forks has imported; it starts with the first fork."""
    monkeypatch.setenv("PYTHONPATH", PATH)
    FORKED.set_forkserver_preload(["decision_processes"])


class Victim:
    """A worker; `said` is what it promised before it was killed."""

    def __init__(self, site: Site, worker: int) -> None:
        self.said: list[str] = []
        self.heard, told = FORKED.Pipe(duplex=False)
        self.process = FORKED.Process(target=decide, args=(site.root, site.postgres, worker, told))
        self.process.start()
        told.close()
        self.reader = Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        with suppress(EOFError, OSError):  # nothing more, or half of what it was killed in
            while True:
                self.said += self.heard.recv()

    def kill(self) -> list[str]:
        self.process.kill()
        self.process.join()
        self.reader.join()
        assert self.process.exitcode == -9
        return self.said


@pytest.mark.parametrize(
    "kills", [3, pytest.param(60, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])], ids=["short", "long"]
)
def test_what_was_promised_is_kept_once(site, kills, figures):
    """Workers share the spool; one of them is killed at a time, and the next one takes its place."""
    chance = random.Random(kills)
    pause = Event()
    promised: list[str] = []
    crowd = [Victim(site, worker) for worker in range(WORKERS)]
    try:
        until(lambda: all(list((site.root / "spool").glob(f"*{ENDING}"))[worker:] for worker in range(WORKERS)))
        for turn in range(kills):
            pause.wait(chance.uniform(0.05, 1.5))
            place = turn % WORKERS
            promised += crowd[place].kill()
            crowd[place] = Victim(site, WORKERS + turn)
        pause.wait(1)
    finally:
        promised += [line for victim in crowd for line in victim.kill()]
    with site.open() as registry:
        log = DecisionLog(registry, site.root / "spool", cap_bytes=10**9)
        log.start()
        until(lambda: log.state().last_flush is not None and log.state().backlog == 0, 120)
        log.stop()
    ideas = {line.split()[1] for line in promised if line.startswith("idea ")}
    ends = {line.split()[1]: float(line.split()[2]) for line in promised if line.startswith("outcome ")}
    found = dict(logged(site))
    assert len(ideas) > 100
    assert ends
    assert ideas <= set(found)
    assert site.sql("SELECT count(*), count(DISTINCT idea_id) FROM gatekeeper_decision") == [(len(found),) * 2]
    assert {idea: found[idea] for idea in ends} == ends
    assert [entry for entry in rejected(site.root / "spool") if "is incomplete" not in entry["why"]] == []
    assert list((site.root / "spool").glob(f"*{ENDING}")) == []
    figures(
        f"{site.dialect}: {kills + WORKERS} kills, {len(ideas)} ideas and {len(ends)} outcomes promised, all kept once"
    )
