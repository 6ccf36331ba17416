"""Spool and delivery on a disk that refuses: every file operation, every order of segments."""

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from decision_samples import NOON, decision, outcome, rejected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spool_faults import ERRORS, OPERATIONS, ByHand, Disk, open_files

from gatekeeper.errors import Unavailable
from gatekeeper.registry.decision_log.line_format import decision_lines, outcome_lines
from gatekeeper.serving.decision_log.spool import ENDING

AFTER = NOON + timedelta(hours=3)


def write(hand: ByHand, *numbers: int) -> None:
    if hand.log.write([decision(number) for number in numbers]):
        hand.acknowledged |= {f"idea-{number}" for number in numbers}


def close(hand: ByHand, number: int) -> None:
    try:
        hand.log.close([outcome(number, at=AFTER)])
    except Unavailable:
        return
    hand.closed.add(f"idea-{number}")


def left_by_a_dead_process(folder: Path, name: str, *numbers: int, torn: bytes = b"") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{ENDING}").write_bytes(decision_lines([decision(number) for number in numbers]) + torn)


def a_day(folder: Path, *, refusing: Callable[[], None] = lambda: None) -> ByHand:
    """All that spool and delivery do: two dead processes, a bad line, an early outcome, a rotation, a lost folder."""
    left_by_a_dead_process(folder, "7-dead", 100, 101, torn=b'["idea","torn')
    left_by_a_dead_process(folder, "8-dead", 102)
    (folder / "9-dead.new").touch()
    (folder / f"10-dead{ENDING}").write_bytes(b"[1, 2]\n" + decision_lines([decision(103)]))
    hand = ByHand(folder, lambda: AFTER)
    hand.acknowledged |= {f"idea-{number}" for number in range(100, 104)}
    refusing()
    hand.disk_turn()
    write(hand, 1, 2)
    close(hand, 50)  # before its idea
    hand.disk_turn()
    hand.delivery_turn()
    write(hand, 3)
    with_faults_ignored(hand.spool.rotate, 1)
    write(hand, 4)
    hand.delivery_turn()
    hand.disk_turn()
    held = {segment.path for segment in hand.spool.segments()}
    nobodys = b"".join(path.read_bytes() for path in hand.left() if path not in held)
    hand.acknowledged -= {f"idea-{number}" for number in range(100, 104) if f'"idea-{number}"'.encode() in nobodys}
    shutil.rmtree(folder, ignore_errors=True)
    write(hand, 5)
    hand.disk_turn()
    write(hand, 50, 6)
    hand.delivery_turn()
    hand.disk_turn()
    return hand


def with_faults_ignored(act: Callable[..., object], *given: object) -> None:
    with suppress(OSError):
        act(*given)


def settle(hand: ByHand) -> None:
    """The disk is well again."""
    for _ in range(4):
        hand.disk_turn()
        hand.delivery_turn()
    assert [one.fault for one in hand.log.loops()] == [None, None]
    assert hand.log.state().fault is None
    assert hand.log.state().backlog == len(hand.closed - hand.table.ideas)
    write(hand, 7, 50)  # again, if the first time was refused
    hand.delivery_turn()
    assert hand.log.state().backlog == 0


def check(hand: ByHand) -> None:
    """What was acknowledged is in the table; nothing is left over."""
    assert "idea-7" in hand.acknowledged
    assert hand.acknowledged <= hand.table.ideas
    assert hand.closed == set(hand.table.outcomes)
    assert hand.log.state().backlog_bytes == 0


def operations(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    disk = Disk(monkeypatch)
    hand = a_day(folder)
    settle(hand)
    check(hand)
    assert len(hand.acknowledged) == 12 and hand.closed == {"idea-50"}
    return disk.done


def test_the_day_has_every_operation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that what follows leaves out none. `replace` takes 16 MB of refused lines to come about."""
    assert set(operations(monkeypatch, tmp_path / "spool")) == (OPERATIONS | {"flock"}) - {"replace"}


@pytest.mark.usefixtures("unlogged")
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("lasting", [1, 12])
def test_a_fault_at_every_operation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: int, lasting: int) -> None:
    """Case 97, case 100: nothing that was acknowledged is lost, nothing is left, no descriptor leaks, no loop ends."""
    count = len(operations(monkeypatch, tmp_path / "first"))
    disk = Disk(monkeypatch)
    disk.error = error
    for first in range(0, count, 1 if lasting == 1 else 7):
        folder = tmp_path / str(first)
        disk.refused = range(0)
        hand = a_day(folder, refusing=lambda first=first: _refuse(disk, range(first, first + lasting)))
        disk.refused = range(0)
        settle(hand)
        check(hand)
        hand.log.stop()
        assert hand.left() == [], (first, disk.done[first])
        assert open_files(folder) == [], (first, disk.done[first])
        disk.done.clear()


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Thousands of faults make thousands of lines."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _refuse(disk: Disk, numbers: range) -> None:
    disk.done.clear()
    disk.refused = numbers


def test_while_the_disk_refuses_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Case 97: both loops are named as stalled as long as the fault lasts, and no decision is promised."""
    disk = Disk(monkeypatch)
    hand = ByHand(tmp_path / "spool", lambda: AFTER)
    hand.disk_turn()
    write(hand, 1)
    disk.error, disk.refused = errno.EMFILE, range(10**9)
    for _ in range(3):
        hand.disk_turn()
        hand.delivery_turn()
        assert not hand.log.write([decision(2)])
        assert [one.name for one in hand.log.loops() if one.stalled] == ["spool", "delivery"]
        assert all("Too many open files" in str(one) for one in hand.log.loops())
    assert (hand.log.state().dropped, hand.log.state().backlog) == (3, 1)
    disk.refused = range(0)
    settle(hand)
    assert hand.table.ideas == {"idea-1", "idea-7", "idea-50"}


def test_an_outage_is_two_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 101: a line for each request. Now one when it begins, one when it ends."""
    disk = Disk(monkeypatch)
    hand = ByHand(tmp_path / "spool", lambda: AFTER)
    hand.disk_turn()

    def away(*_: object, **__: object) -> list[object]:
        raise Unavailable("The database is away")

    well = hand.table.close_decisions
    hand.table.close_decisions = away  # type: ignore[method-assign]
    for _ in range(50):
        assert hand.log.close([outcome(1, at=AFTER)]) == ["pending"]
    disk.refused = range(10**9)
    for _ in range(50):
        assert not hand.log.write([decision(1)])
        hand.disk_turn()
    disk.refused = range(0)
    hand.table.close_decisions = well  # type: ignore[method-assign]
    for _ in range(50):
        hand.disk_turn()
        assert hand.log.write([decision(1)])
        hand.log.close([outcome(2, at=AFTER)])
    spoken = [record.getMessage() for record in caplog.records]
    assert len(spoken) == 7
    for words in (
        "1 files",
        "Outcomes wait",
        "full or refuses",
        "can't be written,",
        "be written again",
        "takes decisions again",
    ):
        assert sum(words in line for line in spoken) == 1, words
    assert "recorded in the database again" in spoken[-1]


def test_a_folder_that_is_removed_is_made_anew(tmp_path: Path) -> None:
    """Case 100: `logged: true`, and nothing arrived. The next line is written to a new file, with those before it."""
    folder = tmp_path / "spool"
    hand = ByHand(folder, lambda: AFTER)
    hand.disk_turn()
    write(hand, 1, 2)
    shutil.rmtree(folder)
    write(hand, 3)
    (file,) = hand.left()
    assert file.read_bytes() == decision_lines([decision(number) for number in (1, 2, 3)])
    shutil.rmtree(folder)
    hand.disk_turn()  # and without any line
    assert len(hand.left()) == 1
    hand.delivery_turn()
    assert hand.table.ideas == hand.acknowledged == {"idea-1", "idea-2", "idea-3"}


def test_a_folder_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    hand = ByHand(folder, lambda: AFTER)
    hand.disk_turn()
    write(hand, 1)
    folder.rename(tmp_path / "elsewhere")
    hand.disk_turn()
    write(hand, 2)
    (file,) = hand.left()
    assert file.read_bytes() == decision_lines([decision(1), decision(2)])


def test_a_folder_that_cannot_be_made_anew_promises_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    hand = ByHand(folder, lambda: AFTER)
    hand.disk_turn()
    write(hand, 1)
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert not hand.log.write([decision(2)])
    hand.disk_turn()
    assert [one.name for one in hand.log.loops() if one.stalled] == ["spool"]
    folder.unlink()
    settle(hand)
    assert hand.table.ideas == {"idea-1", "idea-7", "idea-50"}


def test_a_file_that_somebody_cut_short_holds_nobody_up(tmp_path: Path) -> None:
    hand = ByHand(tmp_path / "spool", lambda: AFTER)
    hand.disk_turn()
    write(hand, 1, 2)
    (file,) = hand.left()
    os.truncate(file, len(decision_lines([decision(1)])) + 5)
    hand.spool.rotate(1)
    write(hand, 3)
    hand.delivery_turn()
    assert hand.table.ideas == {"idea-1", "idea-3"}
    assert (hand.log.state().torn, hand.log.state().backlog_bytes) == (1, 0)


def test_a_sync_that_failed_is_not_believed_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a failed sync, Linux takes the pages for clean: the next one says that all is well."""
    disk = Disk(monkeypatch)
    hand = ByHand(tmp_path / "spool", lambda: AFTER)
    hand.disk_turn()
    write(hand, 1)
    (file,) = hand.left()
    disk.refused = range(len(disk.done), 10**9)
    hand.disk_turn()
    disk.refused = range(0)
    hand.disk_turn()
    (anew,) = hand.left()
    assert anew != file
    assert anew.read_bytes() == decision_lines([decision(1)])


LINES = st.lists(st.tuples(st.sampled_from(["idea", "outcome"]), st.integers(0, 5)), max_size=14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(LINES, min_size=1, max_size=5), st.randoms(use_true_random=False), st.integers(1, 3000))
def test_it_drains_in_whatever_order_segments_are_taken(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[str, int]]], chance, cap: int
) -> None:
    """Case 100: an outcome before its idea, in a full spool, kept all that came after it from the database for ever."""
    folder = tmp_path_factory.mktemp("spool")
    for place, part in enumerate(parts[1:]):
        lines = [
            decision_lines([decision(number)]) if kind == "idea" else outcome_lines([outcome(number, at=AFTER)])
            for kind, number in part
        ]
        (folder / f"{place}-dead{ENDING}").write_bytes(b"".join(lines))
    now = [AFTER]
    hand = ByHand(folder, lambda: now[0], cap=10**7)
    hand.disk_turn()
    for kind, number in parts[0]:
        write(hand, number) if kind == "idea" else close(hand, number)
    hand.spool._cap = cap
    hand.spool.adopt()
    chance.shuffle(hand.spool._closed)
    everything = {pair for part in parts for pair in part}
    ideas = {f"idea-{number}" for kind, number in everything if kind == "idea"}
    ends = {f"idea-{number}" for kind, number in everything if kind == "outcome"}
    for _ in range(2):
        hand.delivery_turn()
    assert hand.table.ideas == ideas
    assert set(hand.table.outcomes) == ideas & ends
    assert hand.log.state().backlog == len(ends - ideas)
    assert len(hand.left()) == 1  # only what waits for its idea is left, in the active one
    assert not any(one.stalled for one in hand.log.loops())
    now[0] += timedelta(hours=1)
    for _ in range(2):
        hand.delivery_turn()
    assert hand.log.state().backlog_bytes == 0
    assert {entry["line"].split('"')[3] for entry in rejected(folder)} == ends - ideas
    hand.log.stop()
    assert hand.left() == []


def test_what_waits_for_its_idea_does_not_fill_the_spool(tmp_path: Path) -> None:
    """A delivered segment of 300 KB was kept for an hour by one line of it."""
    hand = ByHand(tmp_path / "spool", lambda: AFTER, cap=310_000)
    hand.disk_turn()
    close(hand, 0)
    number = 1
    while hand.spool.segments()[0].end < 300_000:
        write(hand, *range(number, number + 100))
        number += 100
    for _ in range(3):
        hand.delivery_turn()
    (segment,) = hand.spool.segments()
    assert segment.end == len(outcome_lines([outcome(0, at=AFTER)]))
    write(hand, 0)
    hand.delivery_turn()
    assert set(hand.table.outcomes) == {"idea-0"}
