"""Supervised loops: no fault ends one, and each has a heartbeat; an outage has a first and a last line."""

import errno
import logging
from threading import Event

import pytest
from serving_load import Clock, until

from gatekeeper.serving.supervised import OutageLog, SupervisedLoop

log = logging.getLogger("outage")


class Turns:
    """A turn that fails as long as there are faults."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.well = Event()

    def __call__(self) -> float:
        if self.faults:
            raise self.faults.pop(0)
        self.well.set()
        return 0.01


def test_a_heartbeat_is_the_last_finished_turn(caplog: pytest.LogCaptureFixture) -> None:
    clock, turns = Clock(), Turns()
    loop = SupervisedLoop("delivery", turns, late_after=60, clock=clock)
    clock.now = 59.0
    assert (loop.state().age, loop.state().stalled) == (59.0, False)
    clock.now = 61.0
    assert str(loop.state()) == "The background loop delivery has been silent for 61 s."
    assert loop.state().stalled
    assert loop.once() == 0.01
    assert (loop.state().age, loop.state().stalled) == (0.0, False)
    turns.faults = [OSError(errno.EMFILE, "Too many open files") for _ in range(8)]
    clock.now = 70.0
    assert [loop.once() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    state = loop.state()
    assert (state.age, state.failures, state.stalled) == (9.0, 8, True)
    assert str(state) == (
        "The background loop delivery failed (OSError: [Errno 24] Too many open files) and is tried again."
    )
    loop.once()
    assert (loop.state().fault, loop.state().stalled, loop.state().failures) == (None, False, 8)
    assert [record.getMessage() for record in caplog.records] == [
        "The background loop delivery failed (OSError: [Errno 24] Too many open files); it is tried again",
        "The background loop delivery works again",
    ]


@pytest.mark.parametrize(
    "fault", [OSError(errno.EMFILE, "x"), MemoryError(), RecursionError(), SystemExit(1), KeyboardInterrupt()], ids=repr
)
def test_nothing_ends_its_thread(fault: BaseException) -> None:
    """Case 97: one EMFILE ended the delivery thread for good."""
    turns = Turns(fault)
    loop = SupervisedLoop("delivery", turns)
    loop.start()
    until(turns.well.is_set)
    assert loop.stop(30)
    assert (loop.state().failures, loop.state().stalled) == (1, False)


def test_a_fault_that_comes_and_goes_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outage = OutageLog(log, clock)
    outage.end("well")
    for second in range(120):
        clock.now = float(second)
        for _ in range(10):
            outage.begin(f"fault of second {second}")
        outage.end("well")
    assert [record.getMessage() for record in caplog.records] == [
        "fault of second 0",
        "well",
        "fault of second 60",
        "well",
    ]
