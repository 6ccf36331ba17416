"""Real processes that race, are killed, or may not write, for lack of disk space or of rights.

Run as a script: it imports what is slow, then reads acts from stdin, a line each: `[ACT, FOLDER, URL, POOLER, OPTIONS]`
in JSON, with null for the database in the folder and for no pooler. Each act is a fork, which forks its workers and
prints as JSON what happened; the line is empty where it failed. The tests check what it left in another process.
"""

import ctypes
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401  # imported before the forks, as is verify: 0.5 s each otherwise
from psycopg.errors import DeadlockDetected
from registry_site import MONDAY, OWN, REFUSED, Site, own_model

import gatekeeper.model.verify  # noqa: F401
from gatekeeper.errors import EvaluationOutdated, GenerationMoved, StorageFailed, Unavailable
from gatekeeper.registry import Registry

WORKERS = 8
READERS = 4
PACE = 0.01  # seconds between two looks of a reader: two cores are few for so many
MODELS = 10  # registered by the tests before a race
WORDS = {"actor": "ann", "reason": "as it is killed"}

ACTS: dict[str, Callable[[Registry], object]] = {
    "register": lambda registry: registry.register(own_model(9), run_key="week 9", details=OWN),
    "promote": lambda registry: registry.promote(2, **WORDS),
    "rollback": lambda registry: registry.rollback(**WORDS),
    "migrate_naming": lambda registry: registry.migrate_naming(**WORDS),
    "gc": lambda registry: registry.gc(),
    "repair": lambda registry: registry.doctor(repair=True),
}


def fork(work: Callable[[], object]) -> int:
    """`work` in a process of its own, whose id is returned."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(children: list[int]) -> None:
    """Until all have ended, well."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        raise SystemExit(f"workers ended with {codes}")


def crowd(work: Callable[[int, Callable[[], object]], object]) -> list:
    """`work(number, together)` in WORKERS processes, and what each returned; `together()` lets all go on at once."""
    barrier = get_context("fork").Barrier(WORKERS)
    ends = [os.pipe() for _ in range(WORKERS)]

    def one(number: int) -> None:
        said = work(number, lambda: barrier.wait(60))
        with os.fdopen(ends[number][1], "w") as end:
            json.dump(said, end)

    children = [fork(lambda number=number: one(number)) for number in range(WORKERS)]
    for _, end in ends:
        os.close(end)
    said = [os.fdopen(end).read() for end, _ in ends]
    wait(children)
    return [json.loads(text) for text in said]


def promote(site: Site, promotions: int, sql: bool) -> object:
    """Workers promote, two of them guarded by the generation that they saw, until there are so many promotions.

    Readers look up the primary and open its path meanwhile, and yesterday's path. With `sql`, an older server writes
    as well.
    """
    stop = get_context("fork").Event()
    lost = (GenerationMoved, Unavailable) if sql else ()

    def promoter(worker: int, together: Callable[[], object]) -> int:
        chance = random.Random(worker)
        won = 0
        with site.open() as registry:
            together()
            while (generation := registry.generation()) < promotions:
                guard = generation if worker < 2 else None
                words = {"actor": f"worker {worker}", "reason": "race", "expected_generation": guard}
                with suppress(*((GenerationMoved,) if guard else ()), *lost):
                    won += registry.promote(chance.randint(1, MODELS), **words).actor == words["actor"]
        return won

    def reader(number: int) -> None:
        reads, before = 0, None
        with site.open() as registry, site.connection() as connection:
            while not stop.wait(PACE):
                now = by_sql(connection) if number % 2 else by_registry(registry)
                for model_id, file in (now, before or now):
                    if (site.models / file).read_bytes() != own_model(model_id):
                        raise SystemExit(f"{file} holds other bytes than those of model {model_id}")
                reads, before = reads + 1, now
        (site.root / f"reads_{number}").write_text(str(reads))

    readers = [fork(lambda number=number: reader(number)) for number in range(READERS)]
    writers = [fork(lambda: older_server(site, stop))] if sql else []
    started = time.monotonic()
    won = crowd(promoter)
    seconds = time.monotonic() - started
    stop.set()
    wait(readers + writers)
    reads = [int((site.root / f"reads_{number}").read_text()) for number in range(READERS)]
    refused = int((site.root / "refused").read_text()) if sql else None
    return {"won": won, "reads": reads, "seconds": seconds, "refused": refused}


def by_registry(registry: Registry) -> tuple[int, str]:
    primary = registry.primary()
    if primary is None:
        raise SystemExit("there is no primary")
    return primary.id, primary.file_name


def by_sql(connection: Any) -> tuple[int, str]:
    """As servers of the older system look it up."""
    select = "SELECT id, path FROM \"RLModel\" WHERE substr(version, 1, 18) = 'gatekeeper_primary'"
    found = connection.execute(select).fetchall()
    if len(found) != 1:
        raise SystemExit(f"{len(found)} primaries: {found}")
    return found[0][0], found[0][1].removeprefix("models/")


def older_server(site: Site, stop: Event) -> None:
    """Promotes by UPDATE: the new before the old is demoted, which nothing but the database itself can refuse."""
    chance = random.Random(0)
    refused = 0
    while not stop.wait(PACE):
        number = chance.randint(1, MODELS)
        name = f"gatekeeper_primary{number}"
        try:
            site.sql(
                "UPDATE \"RLModel\" SET version = ?, path = ? WHERE id = ? AND version NOT LIKE 'gatekeeper_primary%'",
                *(name, f"models/{name}.onnx", number),
            )
        except (*REFUSED, DeadlockDetected):  # a server may choose either of two that wait for each other
            refused += 1
    (site.root / "refused").write_text(str(refused))


def register(site: Site, rounds: int) -> object:
    """In each round all register one file under one run key, then each a file of its own: the ids they got."""

    def work(worker: int, together: Callable[[], object]) -> list[tuple[int, int]]:
        ids = []
        with site.open() as registry:
            for turn in range(rounds):
                together()
                shared = registry.register(own_model(turn), run_key=f"shared {turn}", details=OWN)
                own = registry.register(own_model(1000 * (worker + 1) + turn), details=OWN)
                ids.append((shared.id, own.id))
        return ids

    return crowd(work)


def upgrade(site: Site) -> object:
    """All make the tables at once, and adopt what is there: what each reports of it."""

    def work(_worker: int, together: Callable[[], object]) -> list[object]:
        together()
        report = site.upgrade()
        return [report.revision_before, report.revision, report.primary]

    return crowd(work)


def judge(site: Site, rounds: int) -> object:
    """In each round all judge their own model at one generation, and promote it at once: what each was answered."""

    def work(worker: int, together: Callable[[], object]) -> list[str]:
        answers = []
        with site.open() as registry:
            for turn in range(rounds):
                together()
                champion, generation = registry.primary(), registry.generation()
                challenger = worker + 1 if worker + 1 != champion.id else WORKERS + 1
                judged = registry.record_evaluation(
                    challenger=challenger,
                    champion=champion.id,
                    generation=generation,
                    as_of=MONDAY + timedelta(weeks=turn, hours=worker),
                    kind="weekly",
                    verdict="promote",
                    document={},
                    run_key=f"{turn} {worker}",
                    report=None,
                )
                together()
                try:
                    registry.promote(challenger, actor="weekly", reason="r", evaluation=judged.id, kind="weekly")
                    answers.append("promoted")
                except (GenerationMoved, EvaluationOutdated) as refused:
                    answers.append(type(refused).__name__)
        return answers

    return crowd(work)


def kill(template: Site, act: str) -> object:
    """`act` in copies of the site, killed at the first step, the second, and so on to the end."""
    killed = []
    for number in range(200):
        site = template.clone(Path(tempfile.mkdtemp(prefix=f"{act}_", dir=template.root.parent)))
        place = {"root": str(site.root), "url": site.postgres}

        def work(site: Site = site, number: int = number) -> None:
            left = number

            def step(name: str) -> None:
                nonlocal left
                if left == 0:
                    (site.root / "died_at").write_text(name)
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

            with site.open(step=step, grace_seconds=0) as registry:
                ACTS[act](registry)

        status = os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
        if status == 0:
            site.drop()
            return killed
        if status != -signal.SIGKILL:
            raise SystemExit(f"{act} ended with {status}")
        killed.append({**place, "step": (site.root / "died_at").read_text()})
    raise SystemExit(f"{act} has no end")


def full(site: Site, limit: int, acts: list[str]) -> object:
    """Acts where no file may grow over `limit` bytes, as on a full disk: the refusals."""
    with site.open() as registry:
        registry.models()  # opened before the disk is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return refusals(registry, acts)


def readonly(site: Site, acts: list[str]) -> object:
    """Acts where a folder's mode forbids to write, which root is made to heed: the refusals."""
    _give_up_powers()
    with site.open() as registry:
        return refusals(registry, acts)


def _give_up_powers() -> None:
    """This process keeps its user, and none of root's capabilities (Linux; version 3: two times 32 bits)."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def refusals(registry: Registry, acts: list[str]) -> list[str]:
    """What each act that is refused says."""
    said = []
    for act in acts:
        try:
            ACTS[act](registry)
        except (Unavailable, StorageFailed) as refused:
            said.append(str(refused))
    return said


BY_NAME: dict[str, Callable[..., object]] = {
    act.__name__: act for act in (promote, register, upgrade, judge, kill, full, readonly)
}


def told(act: str, root: str, url: str | None, pooler: str | None, options: dict[str, Any]) -> None:
    """Do it, and print what happened."""
    Site.pooler = pooler
    say(json.dumps(BY_NAME[act](Site(Path(root), url), **options)))


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        child = fork(lambda line=line: told(*json.loads(line)))
        if os.waitpid(child, 0)[1]:
            say("")
