"""Memory of idea ids whose file is damaged, cut, lost or full: nothing wrong is repeated, and it is made anew."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from decision_samples import decision, until
from idea_memories import OTHER_MODEL, ask, memory, told

from gatekeeper.serving.decision_log import idea_file
from gatekeeper.serving.decision_log.idea_memory import FILE, discard_damaged

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "support")}


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


CUT = """
import os, sys
from pathlib import Path
from decision_samples import decision
from idea_memories import OTHER_MODEL, ask, memory
path = Path(sys.argv[1])
many, later = ([decision(number, **change) for number in range(500)] for change in ({}, OTHER_MODEL))
for size in (lambda whole: 0, lambda whole: 4096, lambda whole: whole // 2, lambda whole: whole - 1):
    for act in ("claim", "recall", "state", "stop"):
        with memory(path.parent) as there:
            ask(there, *many)
            os.truncate(path, size(path.stat().st_size))
            if act == "claim":
                assert ask(there, *later) == [(one, False) for one in later]
                assert all(repeated for _, repeated in ask(there, *many))
            elif act == "recall":
                assert there.recall(later) is None
            elif act == "state":
                there.state()
        for each in path.parent.glob("ideas.lmdb*"):
            each.unlink()
print("ended")
"""


@pytest.mark.parametrize("name", [FILE, f"{FILE}-lock"])
def test_a_file_that_is_cut_under_a_running_server(tmp_path, name):
    """To read beyond its end would end the process by SIGBUS. The ids are forgotten, and those that come remembered."""
    command = [sys.executable, "-c", CUT, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


GROWN = """
import os, subprocess, sys
from pathlib import Path
from decision_samples import decision
from idea_memories import OTHER_MODEL, ask, memory
from gatekeeper.serving.decision_log import idea_memory
path = Path(sys.argv[1]) / idea_memory.FILE
idea_memory.LOOK_SECONDS = 3600.0  # no look is near, whatever the machine does
if len(sys.argv) > 2:
    with memory(path.parent) as there:
        ask(there, *(decision(number) for number in range(3000)))
    sys.exit()
for act in ("claim", "recall", "state"):
    with memory(path.parent) as there:
        ask(there, decision(5000))
        known = path.stat().st_size
        subprocess.run([sys.executable, "-c", os.environ["GROWN"], str(path.parent), "another"], check=True)
        assert path.stat().st_size > 2 * known
        os.truncate(path, known)
        for number in range(0, 3000, 7):
            if act == "claim":
                ((one, _),) = ask(there, decision(number, **OTHER_MODEL))
                assert one in (decision(number), decision(number, **OTHER_MODEL))
            elif act == "recall":
                there.recall([decision(number)])
            else:
                there.state()
    for each in path.parent.glob("ideas.lmdb*"):
        each.unlink()
print("ended")
"""


def test_a_file_that_another_worker_made_longer_is_cut(tmp_path):
    """To a size that this worker has known: only the file's head tells that pages are missing behind it."""
    command = [sys.executable, "-c", GROWN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "GROWN": GROWN})
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


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
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True, env=ENVIRONMENT
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


def test_a_folder_whose_name_is_no_utf_8(tmp_path):
    """LMDB takes text in UTF-8 alone: the server didn't start, and the file counted as damaged at each start."""
    folder = tmp_path / "caf\udce9"  # café, in Latin-1
    folder.mkdir()
    with memory(folder) as there:
        assert [repeated for _, repeated in ask(there, decision(1))] == [False]
    discard_damaged(folder)
    with memory(folder) as there:
        assert [repeated for _, repeated in ask(there, decision(1))] == [True]
