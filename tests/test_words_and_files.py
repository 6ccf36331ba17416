"""Tests that belong to no room: days in words, and files written whole."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatekeeper.errors import Unavailable
from gatekeeper.files import replace, write_whole
from gatekeeper.pipeline import parse_as_of


@pytest.mark.parametrize(
    "text", ["2018-12-31", "20181231", "2018-12-31T02:00Z", "2018-12-30T21:00:00-05:00", "2018-W01-1"]
)
def test_a_bare_date_means_the_hour_of_the_schedule(text: str) -> None:
    day = datetime(2018, 1, 1, 2, tzinfo=UTC) if "W" in text else datetime(2018, 12, 31, 2, tzinfo=UTC)
    assert parse_as_of(text) == day


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """As by `receipt -o /dev/stdout`, which replaced it for everybody where root did it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    link = tmp_path / "stdout"
    link.symlink_to(pipe)
    for place in (pipe, link):
        write_whole(place, b"whole")
        assert os.read(reader, 100) == b"whole"
    os.close(reader)
    assert pipe.is_fifo()
    assert link.is_symlink()
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(Unavailable, match="No space left on device"):
        write_whole(full, b"whole")


def test_readers_see_whole_files_whoever_writes(tmp_path: Path) -> None:
    """Two writers, one reader: every read is one of the two contents."""
    target, contents = tmp_path / "file", (b"a" * 100_000, b"b" * 100_000)
    write_whole(target, contents[0])
    over = threading.Event()

    def keep_writing(content: bytes) -> None:
        while not over.is_set():
            write_whole(target, content)

    writers = [threading.Thread(target=keep_writing, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = {target.read_bytes() for _ in range(300)}
    over.set()
    for writer in writers:
        writer.join()
    assert seen <= set(contents)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    seen: list[list[bytes]] = []

    def fail() -> None:
        seen.append(sorted(path.read_bytes() for path in tmp_path.iterdir()))
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space left"):
        replace(target, b"new", mode=0o644, written=fail)
    assert seen == [[b"new", b"old"]]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
