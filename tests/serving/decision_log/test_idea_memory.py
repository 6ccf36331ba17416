"""Memory of idea ids: the first decision stands, in every process, over kills, damage and full disks (Case 123)."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from decision_samples import NOON, decision, until
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.errors import Unavailable
from gatekeeper.registry.decision_log.line_format import Decision, decision_lines
from gatekeeper.serving.decision_log import idea_file, segment_lines
from gatekeeper.serving.decision_log.idea_memory import FILE, IdeaMemory, discard_damaged

SPAWN = get_context("spawn")
OTHER_MODEL = {"score": 0.25, "approved": False, "version": "gatekeeper_primary9", "model_id": 9, "sha256": "cd" * 32}


@contextmanager
def memory(folder: Path, *, most: int = 1000, waiting=lambda: iter(()), logged=lambda: iter(()), **options):
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


def test_the_first_decision_stands_whatever_the_model_says_later(tmp_path):
    first = decision(1)
    later = decision(1, **OTHER_MODEL, at=first.at.replace(hour=20), threshold=0.6, degraded=True, strategy="other")
    with memory(tmp_path) as there:
        assert ask(there, first) == [(first, False)]
        ((again, repeated),) = ask(there, later)
        assert (told(again), repeated) == (told(first), True)
        assert again.at == later.at  # of this request, which the log takes only if it has not the first
        assert there.state().ids == 1
        assert there.state().fault is None


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "GBPUSD"},
        {"symbol": "EURUSD "},
        {"features": (*decision(1).features[:-1], 1.0)},  # the other side
        {"features": (21.000002, *decision(1).features[1:])},  # one bit of a float32
    ],
)
def test_another_idea_of_the_same_id_is_none(tmp_path, change):
    with memory(tmp_path) as there:
        ask(there, decision(1))
        assert ask(there, decision(1, **change), decision(2)) == [(None, False), (decision(2), False)]
        ((again, repeated),) = ask(there, decision(1))
        assert (told(again), repeated) == (told(decision(1)), True)


def test_zero_has_no_sign(tmp_path):
    positive = decision(7)  # a feature is -0.01 * (7 % 7)
    features = tuple(-0.0 if value == 0 else value for value in positive.features)
    with memory(tmp_path) as there:
        ask(there, positive)
        assert ask(there, replace(positive, features=features))[0][1]


def test_without_a_model_a_decision_stands_too(tmp_path):
    bare = decision(1, score=None, model_id=None, version=None, sha256=None, approved=True, degraded=True)
    with memory(tmp_path) as there:
        assert ask(there, bare, reason="No model may answer.") == [(bare, False)]
        ((again, repeated),) = ask(there, decision(1))
        assert (told(again), repeated) == (told(bare), True)


def test_recall_claims_nothing(tmp_path):
    with memory(tmp_path) as there:
        assert there.recall([decision(1)]) is None
        ask(there, decision(1))
        (known,) = there.recall([decision(1, **OTHER_MODEL)])
        assert (told(known.decision), known.repeated) == (told(decision(1)), True)
        assert there.recall([decision(1, symbol="X")])[0].decision is None
        assert there.recall([decision(1), decision(2)]) is None
        assert there.state().ids == 1


@settings(max_examples=40, deadline=None)
@given(most=st.integers(1, 6), asked=st.lists(st.integers(0, 14), max_size=60), data=st.data())
def test_law_the_last_ids_are_remembered(tmp_path_factory, most, asked, data):
    """Whatever is asked: the last `most` new ids are repeated, and nothing is but the decision that was first."""
    firsts: dict[int, Decision] = {}
    order: list[int] = []
    with memory(tmp_path_factory.mktemp("ideas"), most=most) as there:
        for turn, number in enumerate(asked):
            now = decision(number, score=turn / 128, version=f"v{turn}", at=NOON.replace(minute=turn % 60))
            other = data.draw(st.booleans(), "another idea of this id")
            if other:
                now = replace(now, symbol=f"X{turn}")
            ((one, repeated),) = ask(there, now)
            if repeated:
                assert told(one) == told(firsts[number])
            elif one is None:
                assert firsts[number].symbol != now.symbol
            else:
                assert one == now
                assert number not in order[-most:]
                firsts[number] = now
                order.append(number)
        assert min(most, len(order)) <= there.state().ids <= 2 * most


def test_a_generation_is_dropped_whole_and_the_age_is_that_of_the_oldest(tmp_path):
    def at(second: int) -> Decision:
        return decision(second, at=NOON.replace(second=second))

    with memory(tmp_path, most=3, now=lambda: NOON.replace(second=59).timestamp()) as there:
        assert there.state().age is None
        for second in range(1, 7):
            ask(there, at(second))
        assert (there.state().ids, there.state().age) == (6, 58.0)
        assert ask(there, at(1))[0][1]
        ask(there, at(7))
        assert (there.state().ids, there.state().age) == (4, 55.0)
        assert [ask(there, at(second))[0][1] for second in (4, 5, 6, 7)] == [True] * 4
        assert not ask(there, at(1))[0][1]


def test_a_batch_of_many_is_claimed_in_parts(tmp_path):
    with memory(tmp_path, most=400) as there:
        many = [decision(number) for number in range(1200)]
        assert ask(there, *many) == [(one, False) for one in many]
        assert [one[1] for one in ask(there, *many[-400:])] == [True] * 400


def claims_of(folder: str, worker: int, numbers: list[int], start, out) -> None:
    """In a process of its own: what it was told of each id."""
    with memory(Path(folder)) as there:
        out.put(None)  # open
        start.wait()
        said = []
        for number in numbers:
            mine = decision(number, version=f"worker-{worker}", symbol="EURUSD" if number % 3 else f"S{worker}")
            ((one, repeated),) = ask(there, mine)
            said.append((number, None if one is None else one.version, repeated))
        out.put(said)


def test_of_processes_that_race_for_one_id_one_is_first(tmp_path):
    """With the same features the others repeat it; with other ones they get none."""
    workers, count = 3, 300
    start, out = SPAWN.Event(), SPAWN.Queue()
    numbers = list(range(count))
    crowd = [
        SPAWN.Process(target=claims_of, args=(str(tmp_path), worker, numbers[:: 1 if worker % 2 else -1], start, out))
        for worker in range(workers)
    ]
    for process in crowd:
        process.start()
    for _ in crowd:
        out.get(timeout=60)
    start.set()
    said = [entry for _ in crowd for entry in out.get(timeout=60)]
    for process in crowd:
        process.join(60)
    for number in numbers:
        answers = [(version, repeated) for one, version, repeated in said if one == number]
        (first,) = [version for version, repeated in answers if version is not None and not repeated]
        rest = sorted(map(str, (answer for answer in answers if answer != (first, False))))
        assert rest == [str((first, True) if number % 3 else (None, False))] * (workers - 1)


VICTIM = """
import sys
from pathlib import Path
from decision_samples import decision
from gatekeeper.serving.decision_log.idea_memory import IdeaMemory
there = IdeaMemory(Path(sys.argv[1]), most=200, waiting=lambda: iter(()), logged=lambda: iter(()))
there.start()
assert there.state().fault is None
for number in range(10**9):
    claim, = there.claim([decision(number, version=sys.argv[2])], None)
    if number % 7 == 0:
        there.claim([decision(number + 10**6 + part) for part in range(40)], None)
    sys.stdout.write(f"{number} {claim.decision.version}\\n")
    sys.stdout.flush()
"""


def test_a_claim_outlives_kill_9(tmp_path):
    """Killed at any moment, also within a transaction: what was told stands, for those who go on and come after."""
    chance = random.Random(1)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "support")}
    firsts: dict[int, str] = {}
    with memory(tmp_path, most=200) as there:  # another worker, which goes on
        for turn in range(4):
            victim = subprocess.Popen(
                [sys.executable, "-c", VICTIM, str(tmp_path), f"turn-{turn}"],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            lines = [victim.stdout.readline() for _ in range(100 + chance.randrange(200))]
            victim.kill()
            lines += victim.stdout.readlines()
            assert victim.wait(60) == -signal.SIGKILL
            said = {int(line.split()[0]): line.split()[1] for line in lines if line.endswith("\n")}
            newest = max(said)
            for number in range(newest - 25, newest + 1):  # 25 and their batches are fewer than 200
                ((one, repeated),) = ask(there, decision(number, version="later"))
                assert (one.version, repeated) == (said[number], True)
            firsts |= said
        assert there.state().fault is None
    assert firsts


# Damage


def break_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(3).randbytes(path.stat().st_size))


def garbage_head(path: Path) -> None:
    path.write_bytes(random.Random(4).randbytes(8192) + path.read_bytes()[8192:])


def zeros_behind_the_head(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:8192] + bytes(len(content) - 8192))


def garbage_behind_the_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192] + random.Random(5).randbytes(path.stat().st_size - 8192))


def changed_values(path: Path) -> None:
    content = path.read_bytes()
    score = idea_file._VALUE.pack(b"\0" * 12, decision(1).score, 1, b"\0" * 8)[12:16]
    assert content.count(score) > 100
    path.write_bytes(content.replace(score, b"\x00\x00\x00\x3f"))


DAMAGES = [
    lambda path: path.write_bytes(b""),
    lambda path: path.unlink(),
    break_off,
    garbage,
    garbage_head,
    zeros_behind_the_head,
    garbage_behind_the_head,
    changed_values,
]
NAMES = ["emptied", "removed", "cut", "garbage", "garbage-head", "zeros", "garbage-behind", "changed"]


@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
def test_a_damaged_file_is_made_anew_and_nothing_wrong_is_repeated(tmp_path, damage):
    """While no server runs. What the log has is filled in again."""
    many = [decision(number) for number in range(300)]
    with memory(tmp_path) as there:
        ask(there, *many)
    damage(tmp_path / FILE)
    discard_damaged(tmp_path)
    with memory(tmp_path, logged=lambda: iter([many[:200]])) as there:
        for _ in range(2):
            for number, first in enumerate(many):
                later = decision(number, **OTHER_MODEL)
                ((one, repeated),) = ask(there, later)
                assert told(one) in ([told(first), told(later)] if repeated else [told(later)])
            until(lambda: there.state().fault is None)
        assert ask(there, decision(299, **OTHER_MODEL))[0][1]


@pytest.mark.parametrize("damage", [DAMAGES[1], garbage_head], ids=["removed", "garbage-head"])
def test_a_file_that_is_lost_under_a_running_server(tmp_path, damage):
    first = decision(1)
    with memory(tmp_path, logged=lambda: iter([[first]])) as there:
        ask(there, first)
        damage(tmp_path / FILE)
        until(lambda: there.state().ids == 1 and there.state().fault is None)
        ((one, repeated),) = ask(there, decision(1, **OTHER_MODEL))
        assert told(one) == told(first)
        assert repeated


def test_a_folder_in_its_place(tmp_path, caplog):
    """The server goes on, says so once, and takes it up again."""
    (tmp_path / FILE).mkdir()
    with memory(tmp_path) as there:
        for _ in range(3):
            assert ask(there, decision(1)) == [(decision(1), False)]
        assert FILE in there.state().fault
        assert "decided anew" in there.state().fault
        assert len([entry for entry in caplog.records if entry.levelname == "ERROR"]) == 1
        (tmp_path / FILE).rmdir()
        until(lambda: there.state().fault is None)
        assert ask(there, decision(1), decision(2)) == [(decision(1), False), (decision(2), False)]
        assert ask(there, decision(1, **OTHER_MODEL))[0][1]


FULL = """
import resource, signal, sys
from pathlib import Path
from decision_samples import decision
from gatekeeper.serving.decision_log.idea_memory import FILE, IdeaMemory
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
there = IdeaMemory(Path(sys.argv[1]), most=10**6, waiting=lambda: iter(()), logged=lambda: iter(()))
there.start()
there.claim([decision(0)], None)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ((Path(sys.argv[1]) / FILE).stat().st_size + 100_000, hard))
number = 1
while there.state().fault is None:
    number += 1
    claim, = there.claim([decision(number)], None)
    assert not claim.repeated and claim.decision == decision(number)
print(there.state().fault)
print(there.claim([decision(number)], None)[0].repeated)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(there.claim([decision(number)], None)[0].repeated, there.state().fault)
print(there.claim([decision(number)], None)[0].repeated, there.claim([decision(0)], None)[0].repeated)
"""


def test_a_full_disk(tmp_path):
    """The server goes on answering and says why; once there is room, ids are remembered again, the old ones too."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "support")}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True, env=environment
    )
    fault, *rest = done.stdout.splitlines()
    assert "can't be used" in fault
    assert rest == ["False", "False None", "True True"]


def test_a_full_map_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(idea_file, "MAP_BYTES", 256 * 1024)
    with memory(tmp_path, most=10**6) as there:
        for number in range(6000):
            assert ask(there, decision(number)) == [(decision(number), False)]
        assert there.state().ids < 6000
        assert ask(there, decision(5999))[0][1]


# Filling


def test_after_a_power_failure_it_is_filled_from_the_spool_and_the_database(tmp_path):
    """A file of another run of the system may be damaged in ways that nobody sees."""
    logged = [decision(number) for number in range(40)]
    with memory(tmp_path, boot="before") as there:
        ask(there, decision(0, **OTHER_MODEL), decision(77))
    (tmp_path / "1-dead.spool").write_bytes(decision_lines([decision(50), decision(51)]) + b'["idea","br')
    with memory(
        tmp_path,
        boot="after",
        waiting=lambda: segment_lines.waiting(tmp_path),
        logged=lambda: iter([logged[20:], logged[:20]]),
    ) as there:
        until(lambda: there.state().fault is None)
        assert there.state().ids == 42
        for number in (0, 19, 39, 50, 51):
            ((one, repeated),) = ask(there, decision(number, **OTHER_MODEL))
            assert (told(one), repeated) == (told(decision(number)), True)
        assert not ask(there, decision(77))[0][1]


def test_the_same_run_of_the_system_keeps_it(tmp_path):
    with memory(tmp_path, boot="one") as there:
        ask(there, decision(1))
    with memory(tmp_path, boot="one", logged=lambda: iter([[decision(9)]])) as there:
        assert there.state().ids == 1  # nothing was filled in
        assert ask(there, decision(1, **OTHER_MODEL))[0][1]


def test_a_database_that_is_away_is_waited_for(tmp_path):
    """Meanwhile ids are remembered, and what the log says stands in the end."""
    away = [True]

    def logged() -> Iterator[list[Decision]]:
        if away:
            raise Unavailable("The registry is away.")
        yield [decision(1)]

    with memory(tmp_path, logged=logged) as there:
        until(lambda: "is away" in (there.state().fault or ""))
        anew = decision(1, **OTHER_MODEL)
        assert ask(there, anew) == [(anew, False)]
        assert told(ask(there, decision(1))[0][0]) == told(anew)
        away.clear()
        until(lambda: there.state().fault is None)
        ((one, repeated),) = ask(there, anew)
        assert (told(one), repeated) == (told(decision(1)), True)


def test_no_more_is_filled_in_than_is_remembered(tmp_path):
    pages = ([decision(start + part) for part in range(10)] for start in range(0, 10**6, 10))
    with memory(tmp_path, most=25, logged=lambda: pages) as there:
        until(lambda: there.state().fault is None)
        assert there.state().ids == 30
