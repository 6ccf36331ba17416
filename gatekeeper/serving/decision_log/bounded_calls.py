"""Bounded calls: what a request asks of a database that may hang, waited for so long and no longer."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TypeVar

from gatekeeper.errors import Unavailable

Answer = TypeVar("Answer")


class BoundedCalls:
    """Calls `work` in a thread of its own, and waits `seconds` for its answer.

    A call that takes longer goes on by itself: nobody hears its answer, and it keeps no process from ending. Until it
    has ended, no other call is made, so that requests neither pile up threads nor wait one after another.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._late: list[Thread] = []

    def call(self, work: Callable[[], Answer]) -> Answer:
        """The answer of `work`, or what it raises. Raises Unavailable if it, or one before it, takes too long."""
        with self._lock:
            self._late = [one for one in self._late if one.is_alive()]
            late = bool(self._late)
        if late:
            raise self._slow()
        future: Future[Answer] = Future()
        thread = Thread(target=_answer, args=[future, work], daemon=True, name="gatekeeper-bounded-call")
        try:
            thread.start()
        except RuntimeError as fault:
            raise Unavailable(f"The system gives no thread for the database ({fault}). Try again later.") from fault
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():  # it ended at the last moment, or its own error is a TimeoutError
                return future.result()
            with self._lock:
                self._late.append(thread)
            raise self._slow() from None

    def _slow(self) -> Unavailable:
        return Unavailable(f"The database has given no answer for {self._seconds:g} s. Try again later.")


def _answer(future: "Future[Answer]", work: Callable[[], Answer]) -> None:
    try:
        future.set_result(work())
    except BaseException as fault:  # noqa: BLE001  # raised where the answer is waited for
        future.set_exception(fault)
