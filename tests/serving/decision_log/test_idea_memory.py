"""Memory of idea ids: the first decision stands, in every process, over restarts and kills (Case 123)."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from decision_samples import NOON, decision, until
from hypothesis import given, settings
from hypothesis import strategies as st
from idea_memories import OTHER_MODEL, ask, memory, told

from gatekeeper.errors import Unavailable
from gatekeeper.registry.decision_log.line_format import Decision, decision_lines
from gatekeeper.serving.decision_log import segment_lines

SPAWN = get_context("spawn")


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
