"""Spool files: whole lines, the locks of running processes, and disks that refuse."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from decision_samples import rejected

from gatekeeper.errors import Unavailable
from gatekeeper.serving.decision_log.spool import ENDING, Spool

LINES = b'["a"]\n["b"]\n'


def opened(folder: Path, cap: int = 10_000) -> Spool:
    spool = Spool(folder, cap_bytes=cap)
    spool.open()
    return spool


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{ENDING}"))


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool")
    assert spool.append(LINES, 2)
    (segment,) = spool.segments()
    assert segment.read() == ([b'["a"]', b'["b"]'], len(LINES))
    assert segment.read(7) == ([b'["a"]'], 6)
    assert segment.read(3) == ([b'["a"]'], 6)  # a line that is longer than a batch is a batch of its own
    assert files(tmp_path / "spool")[0].read_bytes() == LINES
    assert segment.waiting == 2


def test_a_segment_in_use_is_nobody_elses(tmp_path: Path) -> None:
    mine, other = opened(tmp_path), opened(tmp_path)
    assert mine.append(LINES, 2)
    assert (mine.adopt(), other.adopt()) == (0, 0)
    mine.close()
    assert (other.adopt(), other.adopt()) == (1, 0)
    taken = other.segments()[0]
    assert (taken.read()[0], taken.waiting) == ([b'["a"]', b'["b"]'], 2)
    assert not other.is_active(taken)
    other.remove(taken)
    assert [path.name.split("-")[0] for path in files(tmp_path)] == [str(os.getpid())]


def test_of_two_who_find_a_dead_processs_segment_one_takes_it(tmp_path: Path) -> None:
    (tmp_path / f"1-dead{ENDING}").write_bytes(LINES)
    one, two = opened(tmp_path), opened(tmp_path)
    assert one.adopt() + two.adopt() == 1


def test_what_was_not_begun_when_its_process_died_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "1-dead.new").touch()
    assert opened(tmp_path).adopt() == 0
    assert not (tmp_path / "1-dead.new").exists()


def test_a_line_that_breaks_off_is_told_from_whole_ones(tmp_path: Path) -> None:
    (tmp_path / f"1-dead{ENDING}").write_bytes(LINES + b'["c')
    spool = opened(tmp_path)
    spool.adopt()
    segment = spool.segments()[0]
    assert (segment.read()[0], segment.waiting) == ([b'["a"]', b'["b"]'], 2)
    segment.done = segment.read()[1]
    assert segment.read() == ([], len(LINES))
    assert segment.torn() == b'["c'


def test_a_full_spool_takes_nothing_until_there_is_room(tmp_path: Path) -> None:
    spool = opened(tmp_path, cap=30)
    assert [spool.append(LINES, 2) for _ in range(3)] == [True, True, False]
    assert files(tmp_path)[0].stat().st_size == 24
    (segment,) = spool.segments()
    segment.done = segment.end
    spool.empty(segment)
    assert spool.append(LINES, 2)
    assert files(tmp_path)[0].read_bytes() == LINES


def test_what_others_hold_counts(tmp_path: Path) -> None:
    other = opened(tmp_path)
    assert other.append(LINES, 2)
    spool = opened(tmp_path, cap=30)
    spool.measure()
    assert [spool.append(LINES, 2) for _ in range(2)] == [True, False]
    other.close()
    spool.adopt()
    spool.measure()
    assert not spool.append(LINES, 2)
    spool.remove(spool.segments()[0])
    assert spool.append(LINES, 2)


def test_a_long_segment_is_closed_and_the_next_one_begun(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(LINES, 2)
    spool.rotate(at_least=1000)
    assert len(spool.segments()) == 1
    spool.rotate(at_least=len(LINES))
    spool.append(b'["c"]\n', 1)
    assert [segment.read()[0] for segment in spool.segments()] == [[b'["a"]', b'["b"]'], [b'["c"]']]
    spool.sync()
    assert len(files(tmp_path)) == 2


def test_a_segment_that_still_waits_is_never_emptied(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(LINES, 2)
    (segment,) = spool.segments()
    segment.done = 6
    spool.empty(segment)
    assert files(tmp_path)[0].read_bytes() == LINES
    spool.close()
    assert files(tmp_path)[0].read_bytes() == LINES


def test_closing_leaves_nothing_of_what_is_done(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(LINES, 2)
    (segment,) = spool.segments()
    segment.done = segment.end
    spool.close()
    assert list(tmp_path.iterdir()) == []
    assert not spool.append(LINES, 2)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(Unavailable, match=r"Can't write to the spool .*spool"):
        opened(tmp_path / "spool")


def test_rejected_lines_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.reject([{"why": "first"}])
    spool.reject([{"why": "second"}])
    assert [entry["why"] for entry in rejected(tmp_path)] == ["first", "second"]
    with (tmp_path / "rejected.jsonl").open("a") as file:
        file.truncate(17 * 1024 * 1024)
    spool.reject([{"why": "third"}])
    assert [entry["why"] for entry in rejected(tmp_path)] == ["third"]
    assert (tmp_path / "rejected.old.jsonl").exists()


DISK = """
import os, resource, sys
from pathlib import Path
from gatekeeper.serving.decision_log.spool import Spool
spool = Spool(Path(sys.argv[1]), cap_bytes=10**6)
spool.open()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
line = b'["123456"]\\n'  # 11 bytes: of the second, nine fit
print([spool.append(line, 1) for _ in range(3)])
print(os.path.getsize(spool.segments()[0].path))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(spool.append(b'["b"]\\n', 1))
print(spool.segments()[0].path.read_bytes())
"""


def test_a_disk_that_is_full_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """Case 14: the half line is taken back, and the next one stands by itself."""
    done = subprocess.run([sys.executable, "-c", DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, False, False]", "11", "True", repr(b'["123456"]\n["b"]\n')]
