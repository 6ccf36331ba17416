"""Registry watch: polls the registry, swaps in a new primary, and measures the lag behind the registry.

A poll takes three short queries, and now and then reads the primary's file. A new primary is loaded beside the old one
and swapped in by one assignment. After a fault the old model goes on answering; the fault is logged and the load is
tried again.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from types import MappingProxyType

from gatekeeper.errors import GatekeeperError, ModelRefused, NoModel, RegistryReplaced, Unavailable, slug
from gatekeeper.logs import logger
from gatekeeper.registry import Model, Registry
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.serving.ladder import DEFAULT_THRESHOLD, Loaded, load
from gatekeeper.serving.supervised import LoopState, SupervisedLoop

log = logger(__name__)

LONGEST_BACKOFF = 60.0  # seconds; a lasting fault is logged again at this interval
FILE_SHARE = 100  # reading the primary's file again takes at most 1/100 of the time
LATE = 60.0  # seconds that a poll may take before its loop counts as stalled
OVERDUE = 1.0  # seconds that a poll may take before the model counts as behind the registry

Seen = tuple[int, tuple[int, str, str | None] | None]  # the generation; the primary's id, version and sha256


@dataclass(frozen=True, slots=True, eq=False)
class ServingState:
    """The answering model and its state against the registry, for metrics; reading it makes no query."""

    loaded: Loaded | None = None
    fault: str | None = "No model has been loaded yet."
    """Why no model answers, why it is not the primary from its own file, or why the registry can't be polled."""
    failures: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Polls since the start in which a candidate failed, by reason."""
    replaced: str | None = None
    """Why the registry is not trusted any more: its database was replaced under this process; None if it is."""
    generation: int | None = None
    """The registry's generation, as last seen."""
    served_generation: int | None = None
    """The generation whose primary answers; None if another model answers, or none."""
    lag_seconds: float = 0.0
    """How long the model has been behind the registry, or the registry unreachable; 0 if in step."""
    last_seen: datetime | None = None
    """The last successful poll, by this process's clock."""
    last_verdict: datetime | None = None
    """The time of the registry's newest evaluation."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Watch:
    """Follows the primary of a registry without a restart.

    Between `start` and `stop` a thread polls every `poll_seconds`, and no request waits for it. Otherwise `current`
    polls, at most as often. A failed load is tried again with growing pauses; a new primary is loaded at once.
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
        self._poll_seconds = poll_seconds
        self._threshold = threshold
        self._clock = clock
        self._now = now
        self._lock = Lock()  # one poll at a time
        self._loop = SupervisedLoop("watch", self._look, late_after=LATE + poll_seconds)
        self._looked = False  # nothing is known before the first poll has ended
        self._loaded: Loaded | None = None
        self._state = ServingState()
        self._behind = True
        self._in_step_at = clock()
        self._seen: Seen | None = None
        self._next_poll = self._next_try = self._next_file = float("-inf")
        self._pauses = 0
        self._failures: Counter[str] = Counter()
        self._logged: tuple[str, float] | None = None

    def current(self) -> Loaded:
        """The model that answers now. Raises NoModel."""
        if not self._looked or (not self._loop.started and self._clock() >= self._next_poll):
            self._poll_if_due()
        loaded = self._loaded
        if loaded is None:
            raise NoModel(self._state.fault or "No model may answer just now.")
        return loaded

    def start(self) -> None:
        """Poll once, then in a thread of its own."""
        with self._lock:
            if not self._loop.started:
                self._poll()
                self._loop.start(pause=self._poll_seconds)

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; a poll that hangs is abandoned after `timeout` seconds."""
        self._loop.stop(timeout)

    def state(self) -> ServingState:
        """The current state; never raises, never waits."""
        since = self._clock() - self._in_step_at
        if not self._behind and since <= 2 * self._poll_seconds + OVERDUE:
            since = 0.0
        return replace(self._state, lag_seconds=since)

    def loop(self) -> LoopState:
        """The state of the thread that polls."""
        return self._loop.state()

    def _look(self) -> float:
        with self._lock:
            self._poll()
        return self._poll_seconds

    def _poll_if_due(self) -> None:
        """Poll, unless another thread does so already and a model is loaded; all wait for the first poll."""
        if self._lock.acquire(blocking=self._loaded is None):
            try:
                if self._clock() >= self._next_poll:
                    self._poll()
            finally:
                self._lock.release()

    def _poll(self) -> None:
        started = self._clock()
        self._next_poll = started + self._poll_seconds
        reasons: set[str] = set()
        fault = replaced = None
        try:
            self._follow(started, reasons)
            if self._loaded is None:  # nothing was tried this time, so the earlier fault still holds
                fault = self._state.fault
        except NoModel as error:
            fault = str(error)
            self._loaded = None  # a quarantined model stops answering, even if there is no other
            self._back_off(started)
        except Exception as error:  # noqa: BLE001  # after any fault the loaded model goes on
            reasons.add(_slug(error))
            fault = str(error) if isinstance(error, GatekeeperError) else repr(error)
            replaced = fault if isinstance(error, RegistryReplaced) else None
            fault = fault if self._loaded else f"No model may answer. {fault}"
            self._registry.close()  # a connection may hold on to a file or server that is gone for good
        self._failures.update(reasons)
        self._state = replace(self._state, replaced=replaced)
        self._note(started, fault)
        self._looked = True

    def _follow(self, now: float, reasons: set[str]) -> None:
        """Load a model if the registry has changed, or if a failed load is due again."""
        generation = self._registry.continuity.look()  # before the primary: the loaded model is never older than this
        primary = self._registry.primary()
        verdict = self._registry.last_verdict()
        self._state = replace(self._state, generation=generation, last_seen=self._now(), last_verdict=verdict)
        seen: Seen = (generation, (primary.id, primary.version, primary.sha256) if primary else None)
        if seen != self._seen:
            self._pauses = 0
        elif not self._due(now, primary, reasons):
            return
        try:
            loaded = load(
                self._registry,
                self._loaded,
                threshold=self._threshold,
                report=lambda fault: reasons.add(_slug(fault)),
            )
        except NoModel:
            self._seen = seen
            raise
        self._seen = seen  # only now: after Unavailable the load is tried again
        self._loaded = loaded
        if loaded.degraded:
            self._back_off(now)
        if not loaded.degraded or loaded.fallback != "last_served":
            self._state = replace(self._state, served_generation=None if loaded.degraded else generation)

    def _due(self, now: float, primary: Model | None, reasons: set[str]) -> bool:
        """Whether to load although the registry is unchanged: a retry is due, or the primary's file has changed."""
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
            reasons.add("unavailable")
            return False
        finally:
            self._next_file = now + FILE_SHARE * (self._clock() - started)
        return holds != (loaded.fallback == "primary")

    def _back_off(self, now: float) -> None:
        self._next_try = now + min(LONGEST_BACKOFF, self._poll_seconds * 2 ** min(self._pauses, 16))
        self._pauses += 1

    def _note(self, now: float, fault: str | None) -> None:
        """Record the result of this poll in `state` and the log."""
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
        self._log(now, _message(loaded, fault))

    def _log(self, now: float, message: str | None) -> None:
        """Log a fault once, again every minute while it lasts, and its end."""
        if message is None:
            if self._logged is not None and self._loaded is not None:
                log.warning("%s answers, in step with the registry again", self._loaded.model.version)
            self._logged = None
        elif self._logged is None or self._logged[0] != message or now >= self._logged[1] + LONGEST_BACKOFF:
            log.error("%s", message)
            self._logged = (message, now)


def _slug(fault: Exception) -> str:
    """The metric label of a fault: a refusal's own reason, else the error's class."""
    return fault.reason if isinstance(fault, GatekeeperError) else slug(type(fault))


def _message(loaded: Loaded | None, fault: str | None) -> str | None:
    """The log message: the answering model and the fault; None if all is well."""
    if loaded is None:
        return fault
    version = loaded.model.version
    if fault is not None:
        return f"{version} goes on answering, since the registry can't be read: {fault}"
    if loaded.degraded:
        return f"Degraded: {version} ({loaded.fallback}) answers instead of the primary. {loaded.reason}"
    return (
        f"{version} answers, but not from its own file ({loaded.fallback}). {loaded.reason}" if loaded.reason else None
    )
