"""Hostile model files (case 24): each is refused with its own reason, and none is run in this process."""

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_files import (
    GOOD,
    OUTSIDE,
    biting_its_tail,
    contents,
    contract_with,
    control_flow,
    doubling,
    external,
    forty_gigabytes,
    hours_of_work,
    never_ending,
    table_of_40_gigabytes,
)
from model_files import placeholder_model
from onnx import helper

from gatekeeper.errors import ModelRefused
from gatekeeper.model.verify import read_model, verify, verify_untrusted

CAP = 50 << 20
SMALL_CAP = 1 << 20
HOSTILE = contents(SMALL_CAP)
AS_REGISTERED = {"canary"}  # the reasons that only other bytes' canaries can give


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """Whoever runs hours of work in this process is stopped after two minutes of the processor."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 120)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def read_reason(path: Path, root: Path | None, cap: int = CAP) -> str:
    with pytest.raises(ModelRefused) as caught:
        read_model(path, root=root, cap=cap)
    assert str(path) in str(caught.value)
    return caught.value.reason


def reason_of(content: bytes) -> str:
    """The reason that `verify` gives, without having run the model."""
    with pytest.raises(ModelRefused) as caught:
        verify(content, cap=CAP)
    return caught.value.reason


def reason_apart(content: bytes, **limits: int) -> str:
    """The reason of the child process alone: what this process must not run."""
    with pytest.raises(ModelRefused) as caught:
        verify_untrusted(content, cap=CAP, **limits)
    return caught.value.reason


# Files


def test_a_file_inside_the_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(GOOD)
    (tmp_path / "link.onnx").symlink_to("good.onnx")
    assert read_model(tmp_path / "good.onnx", root=tmp_path, cap=CAP) == GOOD
    assert read_model(tmp_path / "link.onnx", root=tmp_path, cap=CAP) == GOOD
    assert read_model(tmp_path / "good.onnx", root=None, cap=len(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "html"),
        (b"\xef\xbb\xbf\n  <html>", "html"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "html"),
        (b"x" * 2000, "size"),
    ],
)
def test_files_that_are_plainly_no_model(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert read_reason(path, tmp_path, cap=1999) == reason


def test_the_cap_itself_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 1999)
    assert len(read_model(path, root=tmp_path, cap=1999)) == 1999


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "dangling.onnx").symlink_to("nowhere.onnx")
    (tmp_path / "circle.onnx").symlink_to("circle.onnx")
    assert read_reason(tmp_path / "folder.onnx", tmp_path) == "directory"
    assert read_reason(tmp_path / "pipe.onnx", tmp_path) == "special"
    assert read_reason(Path("/dev/zero"), None) == "special"
    assert read_reason(tmp_path / "dangling.onnx", tmp_path) == "dangling"
    assert read_reason(tmp_path / "circle.onnx", tmp_path) == "dangling"
    assert read_reason(tmp_path / "missing.onnx", tmp_path) == "missing"
    assert read_reason(tmp_path / "folder.onnx" / "missing.onnx" / "deep", tmp_path) == "missing"


def test_what_lies_outside_the_root(tmp_path: Path) -> None:
    root = tmp_path / "models"
    root.mkdir()
    (tmp_path / "outside.onnx").write_bytes(GOOD)
    (root / "link.onnx").symlink_to(tmp_path / "outside.onnx")
    (root / "folder").symlink_to(tmp_path)
    for path in (
        root / ".." / "outside.onnx",
        tmp_path / "outside.onnx",
        root / "link.onnx",
        root / "folder" / "outside.onnx",
    ):
        assert read_reason(path, root) == "outside"


# Graphs


@pytest.mark.parametrize("name", [name for name, (_, reason) in HOSTILE.items() if reason not in AS_REGISTERED])
def test_each_has_its_own_reason(name: str) -> None:
    """Cases 24 and 25: found without having run what could do harm."""
    content, reason = HOSTILE[name]
    with pytest.raises(ModelRefused) as caught:
        verify(content, cap=SMALL_CAP)
    assert caught.value.reason == reason


@pytest.mark.parametrize("location", OUTSIDE)
def test_external_data(tmp_path: Path, location: str) -> None:
    """By '..', absolute path, symlink, plain or hard-linked name, or address in memory: nothing outside is read."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "weights.bin").write_bytes(np.ones(7, dtype=np.float32).tobytes())
    with contextlib.chdir(tmp_path):  # where the runtime would look for names without a folder
        assert [reason_of(content) for content in external(location)] == ["external", "external"]


def test_a_small_waste_is_allowed() -> None:
    """The models below are refused for their size alone."""
    content = contract_with(
        helper.make_node("Add", ["column", "row"], ["waste"]), column=np.ones((9, 1)), row=np.ones(9)
    )
    assert verify_untrusted(content, cap=CAP) == verify_untrusted(GOOD, cap=CAP)


def test_they_are_as_tiny_as_those_that_were_seen() -> None:
    assert len(forty_gigabytes()) < 200
    assert len(never_ending()) <= 251


def test_40_gigabytes_out_of_allowed_operators() -> None:
    """A column plus a row; doubling thirty times over. This process stays small, and the child under its cap."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ample = {"seconds": 60}  # so that memory is what ends it, however slow the machine (case 112)
    assert reason_apart(table_of_40_gigabytes(), **ample) == "memory"
    assert reason_apart(doubling(), **ample) == "memory"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_300_000  # kB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_hours_of_work_out_of_allowed_operators() -> None:
    """Sixty products of matrices that the runtime would work out while it loads the model."""
    assert reason_apart(hours_of_work()) == "time"


def test_a_tree_that_bites_its_tail() -> None:
    """A branch whose both ways lead back to itself."""
    assert reason_apart(biting_its_tail()) in {"session", "time", "crash", "run"}


def test_the_child_gives_the_same_reasons() -> None:
    """Registration asks the child process: it says what `verify` says, word for word."""
    for content in (b"ORTM" * 50, contract_with(control_flow("Loop")), placeholder_model()):
        with pytest.raises(ModelRefused) as here:
            verify(content, cap=CAP)
        with pytest.raises(ModelRefused) as apart:
            verify_untrusted(content, cap=CAP)
        assert (apart.value.reason, str(apart.value)) == (here.value.reason, str(here.value))
