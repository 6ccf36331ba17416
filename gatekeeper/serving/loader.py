"""Which model answers? The primary, verified; where it can't, the next in the order of trust, and loudly."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatekeeper.errors import GatekeeperError, ModelRefused, NoModel, Unavailable
from gatekeeper.judgement.backtest import keeps
from gatekeeper.model.verify import Scorer, check_features, verify
from gatekeeper.registry import Model, Registry
from gatekeeper.registry.records import COPIED

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """One verified model that may answer, and how far down the order of trust it stands (1 to 5)."""

    model: Model
    scorer: Scorer
    step: int
    degraded: bool
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The answer to n ideas: `values` (n,) float32, the probability that each trade wins, and who says so."""

    values: NDArray[np.float32]
    version: str
    sha256: str
    threshold: float
    degraded: bool
    reason: str | None

    @property
    def approved(self) -> NDArray[np.bool_]:
        """(n,): which ideas are not vetoed, by the very comparison that the backtest makes."""
        return keeps(self.values, self.threshold)


@dataclass(frozen=True, slots=True, eq=False)
class _Rung:
    step: int
    model: Model
    read: Callable[[Model], bytes]


def fallbacks(registry: Registry, primary: Model | None) -> Iterator[Model]:
    """The models behind the primary, in the order of trust: earlier primaries, newest first, then the newest model
    that passed an evaluation with the same feature schema. Never a quarantined one, never one twice."""
    seen = {primary.sha256} if primary else set()
    for model in _candidates(registry, primary):
        if model.sha256 and model.sha256 not in seen and registry.quarantined(model.sha256) is None:
            seen.add(model.sha256)
            yield model


def _candidates(registry: Registry, primary: Model | None) -> Iterator[Model]:
    rows = {model.id: model for model in registry.models()}
    for promotion in registry.promotions():
        if promotion.to_id in rows:
            yield rows[promotion.to_id]
    schema = primary.feature_schema if primary else None
    passed = {
        (e.challenger, e.challenger_sha256)
        for e in registry.evaluations()
        if e.verdict == "promote" and e.kind != COPIED  # judged elsewhere, against another primary
    }
    for model in sorted(rows.values(), key=lambda one: one.id, reverse=True):
        if (model.id, model.sha256) in passed and schema in (None, model.feature_schema):
            yield model


def load(registry: Registry, last: Loaded | None = None) -> Loaded:
    """The first model in the order of trust that passes every check; `last` is what this process served before.

    Raises NoModel, with what each step said, where none passes, and Unavailable where registry or store can't be
    reached: then nobody knows, and the caller keeps what it has.
    """
    primary = registry.primary()
    faults: list[ModelRefused | Unavailable] = []
    for rung in _own(registry, primary):
        if (scorer := _attempt(registry, rung, faults)) is not None:
            return Loaded(rung.model, scorer, rung.step, False, _said(primary, faults))
    away = next((fault for fault in faults if isinstance(fault, Unavailable)), None)
    if last is not None and registry.quarantined(last.scorer.sha256) is None:
        if away is not None:
            raise away
        same = primary is not None and primary.sha256 == last.scorer.sha256
        return Loaded(last.model, last.scorer, 3, not same, _said(primary, faults))
    for rung in _others(registry, primary):
        if (scorer := _attempt(registry, rung, faults)) is not None:
            return Loaded(rung.model, scorer, rung.step, True, _said(primary, faults))
    if away is not None and last is None:
        raise away
    raise NoModel(f"no model may answer: {_said(primary, faults)}")


def _said(primary: Model | None, faults: Sequence[ModelRefused | Unavailable]) -> str | None:
    return "; ".join([*([] if primary else ["no primary is registered"]), *map(str, faults)]) or None


def _own(registry: Registry, primary: Model | None) -> Iterator[_Rung]:
    if primary is not None:
        yield _Rung(1, primary, registry.named_bytes)
        yield _Rung(2, primary, registry.blob_bytes)


def _others(registry: Registry, primary: Model | None) -> Iterator[_Rung]:
    promoted = {promotion.to_id for promotion in registry.promotions()}
    for model in fallbacks(registry, primary):
        yield _Rung(4 if model.id in promoted else 5, model, registry.model_bytes)


def _attempt(registry: Registry, rung: _Rung, faults: list[ModelRefused | Unavailable]) -> Scorer | None:
    try:
        return checked(registry, rung.model, rung.read(rung.model))
    except ModelRefused as refusal:
        faults.append(ModelRefused(refusal.reason, f"{rung.model.version}: {refusal}"))
    except Unavailable as trouble:  # one file may be out of reach where the next one isn't
        faults.append(Unavailable(f"{rung.model.version}: {trouble}"))
    return None


def checked(registry: Registry, model: Model, content: bytes) -> Scorer:
    """`content` as the scorer of `model`, after every check. Raises ModelRefused."""
    if model.sha256 is None:
        raise ModelRefused("unregistered", f"{model.version} has no artifact; `gatekeeper db upgrade` takes it in")
    return verify(content, sha256=model.sha256, cap=registry.size_cap, canary=model.canary)


class Gatekeeper:
    """Scores ideas with the primary of a registry, and follows promotions without a restart.

    It looks at the registry's generation at most once in `poll_seconds`. A new primary is loaded beside the old one
    and swapped in by one assignment; one that fails leaves the old one answering, and is tried again with growing
    pauses, another one at once. `threshold` is for models that say none of their own.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        poll_seconds: float = 1.0,
        threshold: float = 0.55,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._poll = poll_seconds
        self._threshold = threshold
        self._clock = clock
        self._lock = Lock()
        self._loaded: Loaded | None = None
        self._fault = "nothing has been loaded yet"
        self._seen: tuple[int, str | None] | None = None
        self._next_look = self._next_try = float("-inf")
        self._failures = 0

    def score(self, features: ArrayLike) -> Scores:
        """features: (n, 7) in FEATURES order; n may be 0. Raises DataError for values that are not features, and
        NoModel where no model may answer: there is never a made-up score."""
        rows = check_features(features)
        loaded = self.current()
        threshold = loaded.model.threshold
        return Scores(
            values=loaded.scorer.score(rows),
            version=loaded.model.version,
            sha256=loaded.scorer.sha256,
            threshold=self._threshold if threshold is None else threshold,
            degraded=loaded.degraded,
            reason=loaded.reason,
        )

    def current(self) -> Loaded:
        """The model that answers now, after a look at the registry where one is due. Raises NoModel."""
        if self._clock() >= self._next_look and self._lock.acquire(blocking=self._loaded is None):
            try:
                self._look()
            finally:
                self._lock.release()
        loaded = self._loaded
        if loaded is None:
            raise NoModel(self._fault)
        return loaded

    def _look(self) -> None:
        now = self._clock()
        if now < self._next_look:
            return  # another thread looked while this one waited
        self._next_look = now + self._poll
        try:
            self._follow(now)
        except NoModel as trouble:
            self._fault = str(trouble)
            self._loaded = None  # what was quarantined stops answering, though nothing better is there
            self._back_off(now)
            log.error("%s", trouble)
        except (
            GatekeeperError
        ) as trouble:  # the registry is away, or unsettled: nobody knows better than what is loaded
            self._fault = f"no model may answer: {trouble}"
            log.warning("the registry can't say who is to answer; %s: %s", self._goes_on(), trouble)

    def _goes_on(self) -> str:
        return f"{self._loaded.model.version} goes on" if self._loaded else "nothing has been loaded yet"

    def _follow(self, now: float) -> None:
        primary = self._registry.primary()
        seen = (self._registry.generation(), primary.sha256 if primary else None)
        if seen == self._seen and (now < self._next_try or (self._loaded and not self._loaded.degraded)):
            return
        if seen != self._seen:
            self._failures = 0
        try:
            loaded = load(self._registry, self._loaded)
        except NoModel:
            self._seen = seen
            raise
        self._seen = seen  # not before: a store that is away now has to be asked again
        if loaded.degraded:
            self._back_off(now)
            log.error("degraded: %s answers instead of the primary: %s", loaded.model.version, loaded.reason)
        elif loaded.reason:
            log.warning("the primary answers, not from its own file: %s", loaded.reason)
        self._loaded = loaded

    def _back_off(self, now: float) -> None:
        self._next_try = now + min(LONGEST_BACKOFF, self._poll * 2 ** min(self._failures, 16))
        self._failures += 1
