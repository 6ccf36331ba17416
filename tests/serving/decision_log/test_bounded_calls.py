"""Bounded calls: a database that hangs keeps no request, and no process, for longer than was said."""

import subprocess
import sys
from concurrent.futures import Future
from threading import Event, Thread, current_thread

import pytest

from gatekeeper.errors import Unavailable
from gatekeeper.registry.decision_log.log import OutcomeRefused
from gatekeeper.serving.decision_log import bounded_calls
from gatekeeper.serving.decision_log.bounded_calls import BoundedCalls

ENDS = """
from threading import Event
from gatekeeper.errors import Unavailable
from gatekeeper.serving.decision_log.bounded_calls import BoundedCalls
try:
    BoundedCalls(0.01).call(Event().wait)
except Unavailable as fault:
    print(fault)
"""


def test_the_answer_and_the_error_are_those_of_the_work() -> None:
    calls = BoundedCalls(600)
    assert calls.call(lambda: 7) == 7

    def refused() -> None:
        raise OutcomeRefused("no")

    with pytest.raises(OutcomeRefused, match=r"^no$"):
        calls.call(refused)

    def late() -> None:
        raise TimeoutError("of the work itself")

    with pytest.raises(TimeoutError, match="of the work itself"):
        calls.call(late)


def test_while_one_hangs_no_other_is_made_and_afterwards_they_go_on() -> None:
    calls, gate, made = BoundedCalls(0.01), Event(), []
    with pytest.raises(Unavailable, match=r"no answer for 0\.01 s"):
        calls.call(lambda: (made.append(current_thread()), gate.wait()))
    with pytest.raises(Unavailable, match="no answer"):
        calls.call(lambda: made.append(current_thread()))
    assert len(made) == 1  # the second was not even begun
    gate.set()
    made[0].join()
    patient = BoundedCalls(600)
    patient._late = calls._late
    assert patient.call(lambda: 8) == 8


def test_an_answer_at_the_last_moment_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last(Future):
        """Its answer comes between the end of the wait and the look whether there is one."""

        def result(self, timeout: float | None = None) -> object:
            found = super().result(600)
            if timeout is not None:
                raise TimeoutError
            return found

    monkeypatch.setattr(bounded_calls, "Future", Last)
    assert BoundedCalls(0.01).call(lambda: 7) == 7


def test_a_system_without_threads_is_told_as_an_unavailable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(bounded_calls.Thread, "start", refused)
    with pytest.raises(Unavailable, match=r"no thread for the database \(can't start new thread\)"):
        BoundedCalls(600).call(lambda: 7)


def test_a_call_that_never_ends_keeps_no_process() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no answer for 0.01 s" in ended.stdout
