"""Is the model that answers still the registry's, and since when isn't it?

A look costs three short queries, and now and then the bytes of the primary's file. A new primary is loaded beside the
old one and swapped in by one assignment; whatever fails leaves the old one answering, is said, and is tried again.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from types import MappingProxyType

from gatekeeper.errors import GatekeeperError, ModelRefused, NoModel, Unavailable
from gatekeeper.registry import Model, Registry
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.serving.ladder import DEFAULT_THRESHOLD, Loaded, load

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 60.0  # seconds; what stays wrong is said again as often
FILE_SHARE = 100  # reading the primary's file again takes at most one part of so many of the time
OVERDUE = 1.0  # seconds that a look may take before what is served counts as unseen

Seen = tuple[int, tuple[int, str, str | None] | None]  # the generation; the primary's id, version and sha256


@dataclass(frozen=True, slots=True, eq=False)
class ServingState:
    """What answers, and how it stands with the registry. For metrics: made without asking anybody."""

    loaded: Loaded | None = None
    fault: str | None = "nothing has been loaded yet"
    """Why none answers, or not the primary from its own file, or why the registry can't be followed."""
    failures: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Looks since the start in which a step failed for this reason."""
    generation: int | None = None
    """Of the registry, as last seen."""
    served_generation: int | None = None
    """Whose primary the loaded model is; None where it is that of none."""
    lag_seconds: float = 0.0
    """How long what is served has been behind the registry, or the registry unseen; 0 when in step."""
    last_seen: datetime | None = None
    """When the registry was last read, by this process's clock."""
    last_verdict: datetime | None = None
    """When the registry's newest evaluation was recorded."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Watch:
    """Follows the primary of a registry without a restart.

    Between `start` and `stop` a thread looks every `poll_seconds`, and no request waits for it. Otherwise `current`
    looks itself, at most as often. What fails is tried again with growing pauses; another primary at once.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        poll_seconds: float = 1.0,
        threshold: float = DEFAULT_THRESHOLD,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._registry = registry
        self._poll = poll_seconds
        self._threshold = threshold
        self._clock = clock
        self._now = now
        self._lock = Lock()  # one look at a time
        self._stop = Event()
        self._thread: Thread | None = None
        self._loaded: Loaded | None = None
        self._state = ServingState()
        self._behind = True
        self._in_step_at = clock()
        self._seen: Seen | None = None
        self._next_look = self._next_try = self._next_file = float("-inf")
        self._pauses = 0
        self._failures: Counter[str] = Counter()
        self._said: tuple[str, float] | None = None

    def current(self) -> Loaded:
        """The model that answers now. Raises NoModel."""
        if self._thread is None and self._clock() >= self._next_look:
            self._look_if_due()
        loaded = self._loaded
        if loaded is None:
            raise NoModel(str(self._state.fault))
        return loaded

    def start(self) -> None:
        """Look now, and from now on in a thread of its own."""
        with self._lock:
            if self._thread is None:
                self._look()
                self._stop = Event()
                self._thread = Thread(target=self._run, args=[self._stop], name="gatekeeper-watch", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; a look that hangs is left behind after `timeout` seconds."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(timeout)

    def state(self) -> ServingState:
        """Never raises, never waits."""
        since = self._clock() - self._in_step_at
        if not self._behind and since <= 2 * self._poll + OVERDUE:
            since = 0.0
        return replace(self._state, lag_seconds=since)

    def _run(self, stop: Event) -> None:
        while not stop.wait(self._poll):
            with self._lock:
                self._look()

    def _look_if_due(self) -> None:
        """Where another thread looks already, this one answers with what is there, if anything is."""
        if self._lock.acquire(blocking=self._loaded is None):
            try:
                if self._clock() >= self._next_look:
                    self._look()
            finally:
                self._lock.release()

    def _look(self) -> None:
        started = self._clock()
        self._next_look = started + self._poll
        told: set[str] = set()
        fault = None
        try:
            self._follow(started, told)
            if self._loaded is None:  # nothing was tried this time: what was said before holds
                fault = self._state.fault
        except NoModel as trouble:
            fault = str(trouble)
            self._loaded = None  # what was quarantined stops answering, though nothing better is there
            self._back_off(started)
        except Exception as trouble:  # noqa: BLE001  # whatever it is: nobody knows better than what is loaded
            told.add(_slug(trouble))
            fault = str(trouble) if isinstance(trouble, GatekeeperError) else repr(trouble)
            fault = fault if self._loaded else f"no model may answer: {fault}"
            self._registry.close()  # a connection may hold on to a file or server that is gone for good
        self._failures.update(told)
        self._note(started, fault)

    def _follow(self, now: float, told: set[str]) -> None:
        """Load what the registry says, where it says something new, or where what failed may be tried again."""
        generation = self._registry.generation()  # before the primary: what is loaded is never older than it says
        primary = self._registry.primary()
        verdict = self._registry.last_verdict()
        self._state = replace(self._state, generation=generation, last_seen=self._now(), last_verdict=verdict)
        seen: Seen = (generation, (primary.id, primary.version, primary.sha256) if primary else None)
        if seen != self._seen:
            self._pauses = 0
        elif not self._due(now, primary, told):
            return
        try:
            loaded = load(
                self._registry,
                self._loaded,
                threshold=self._threshold,
                tell=lambda fault: told.add(_slug(fault)),
            )
        except NoModel:
            self._seen = seen
            raise
        self._seen = seen  # not before: a store that is away now has to be asked again
        self._loaded = loaded
        if loaded.degraded:
            self._back_off(now)
        if not loaded.degraded or loaded.step > 3:
            self._state = replace(self._state, served_generation=None if loaded.degraded else generation)

    def _due(self, now: float, primary: Model | None, told: set[str]) -> bool:
        """Nothing new in the registry: is it time for another attempt, or did the primary's own file change?"""
        loaded = self._loaded
        if loaded is None or loaded.degraded or primary is None:
            return now >= self._next_try
        if now < self._next_file:
            return False
        started = self._clock()
        try:
            holds = sha256_of(self._registry.named_bytes(primary)) == primary.sha256
        except ModelRefused:
            holds = False
        except Unavailable:
            told.add("unavailable")
            return False
        finally:
            self._next_file = now + FILE_SHARE * (self._clock() - started)
        return holds != (loaded.step == 1)

    def _back_off(self, now: float) -> None:
        self._next_try = now + min(LONGEST_BACKOFF, self._poll * 2 ** min(self._pauses, 16))
        self._pauses += 1

    def _note(self, now: float, fault: str | None) -> None:
        """What came of this look, for `state` and for the log."""
        loaded = self._loaded
        self._behind = fault is not None or loaded is None or loaded.degraded
        if not self._behind:
            self._in_step_at = now
        self._state = replace(
            self._state,
            loaded=loaded,
            fault=fault or (loaded.reason if loaded else None),
            failures=MappingProxyType(dict(self._failures)),
            served_generation=self._state.served_generation if loaded else None,
        )
        self._say(now, _message(loaded, fault))

    def _say(self, now: float, message: str | None) -> None:
        """What is wrong is said once, and again every minute that it stays so; that it is over, too."""
        if message is None:
            if self._said is not None and self._loaded is not None:
                log.warning("%s answers, in step with the registry again", self._loaded.model.version)
            self._said = None
        elif self._said is None or self._said[0] != message or now >= self._said[1] + LONGEST_BACKOFF:
            log.error("%s", message)
            self._said = (message, now)


def _slug(fault: Exception) -> str:
    """For a metric's label: a refusal's own reason, else the kind of error."""
    if isinstance(fault, ModelRefused):
        return fault.reason
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(fault).__name__).lower()


def _message(loaded: Loaded | None, fault: str | None) -> str | None:
    """For the log: who answers in spite of what."""
    if loaded is None:
        return fault
    version = loaded.model.version
    if fault is not None:
        return f"{version} goes on; the registry can't say who is to answer: {fault}"
    if loaded.degraded:
        return f"degraded: {version} answers instead of the primary: {loaded.reason}"
    return f"{version} answers, not from its own file: {loaded.reason}" if loaded.reason else None
