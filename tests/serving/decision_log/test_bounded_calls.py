"""Bounded calls: a database that hangs keeps no request, and no process, for longer than was said."""

import subprocess
import sys
from threading import Event, current_thread

import pytest

from gatekeeper.errors import Unavailable
from gatekeeper.registry.decision_log.log import OutcomeRefused
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


def test_a_call_that_never_ends_keeps_no_process() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no answer for 0.01 s" in ended.stdout
