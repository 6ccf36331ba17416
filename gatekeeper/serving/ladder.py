"""Serving ladder: loads the verified primary, or else the next model in the order of trust."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gatekeeper.errors import ModelRefused, NoModel, Unavailable
from gatekeeper.model.verify import Scorer, verify
from gatekeeper.registry import Model, Registry

DEFAULT_THRESHOLD = 0.55

Fallback = Literal["primary", "blob", "last_served", "earlier_primary", "newest_passed", "none"]
"""Where the answering model comes from: the primary's own file, its blob, the model that this process served last, an
earlier primary, the newest model that passed an evaluation; `none` if no model may answer."""
ORDER_OF_TRUST: tuple[Fallback, ...] = get_args(Fallback)

Fault = ModelRefused | Unavailable
Report = Callable[[Fault], None]


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """Origin of an answer: the facts about one loaded model that each of its answers gives. All share one object."""

    model_id: int
    version: str
    sha256: str
    threshold: float
    fallback: Fallback
    degraded: bool
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """One verified model that may answer, and its place in the order of trust."""

    model: Model
    scorer: Scorer
    origin: ModelOrigin

    @property
    def fallback(self) -> Fallback:
        """Its place in the order of trust, never `none`."""
        return self.origin.fallback

    @property
    def degraded(self) -> bool:
        """Whether it is another model than the primary."""
        return self.origin.degraded

    @property
    def reason(self) -> str | None:
        """Why it is not the primary from its own file; None if it is."""
        return self.origin.reason


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    fallback: Fallback
    model: Model
    read: Callable[[Model], bytes]


def fallbacks(registry: Registry, primary: Model | None) -> Iterator[Model]:
    """The models after the primary in the order of trust, without quarantined and repeated ones.

    Earlier primaries come first, newest first; then models of the same feature schema that passed an evaluation, newest
    first.
    """
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
    passed = registry.passed()
    for model in sorted(rows.values(), key=lambda one: one.id, reverse=True):
        if (model.id, model.sha256) in passed and schema in (None, model.feature_schema):
            yield model


def load(
    registry: Registry,
    last: Loaded | None = None,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    report: Report = lambda _fault: None,
) -> Loaded:
    """The first model in the order of trust that passes every check. `last`: the model that this process served before.

    `threshold` is for a model without one of its own; `report` gets the fault of each refused candidate. Raises NoModel
    with all faults if no candidate passes, and Unavailable if registry or store can't be reached: then the primary is
    unknown, and the caller keeps its model.
    """
    primary = registry.primary()
    attempt = _Attempt(registry, threshold, primary, report)
    if (own := attempt.first(_own(registry, primary), degraded=False)) is not None:
        return own
    away = next((fault for fault in attempt.faults if isinstance(fault, Unavailable)), None)
    if last is not None and registry.quarantined(last.scorer.sha256) is None:
        if away is not None:
            raise away
        if primary is not None and primary.sha256 == last.scorer.sha256:  # the same bytes, perhaps under another row
            return attempt.loaded(primary, last.scorer, "last_served", degraded=False)
        return attempt.loaded(last.model, last.scorer, "last_served", degraded=True)
    if (other := attempt.first(_others(registry, primary), degraded=True)) is not None:
        return other
    if away is not None and last is None:
        raise away
    raise NoModel(f"No model may answer. {attempt.reason()}")


class _Attempt:
    """One pass through the order of trust, and its faults."""

    def __init__(self, registry: Registry, threshold: float, primary: Model | None, report: Report) -> None:
        self._registry = registry
        self._threshold = threshold
        self._primary = primary
        self._report = report
        self.faults: list[Fault] = []

    def first(self, candidates: Iterator[_Candidate], *, degraded: bool) -> Loaded | None:
        """The first candidate that passes every check."""
        for candidate in candidates:
            model = candidate.model
            try:
                scorer = checked(self._registry, model, candidate.read(model))
            except ModelRefused as refusal:
                self._failed(refusal, ModelRefused(refusal.reason, f"{model.version}: {refusal}"))
            except Unavailable as fault:  # the next candidate's file may be reachable
                self._failed(fault, Unavailable(f"{model.version}: {fault}"))
            else:
                return self.loaded(model, scorer, candidate.fallback, degraded=degraded)
        return None

    def loaded(self, model: Model, scorer: Scorer, fallback: Fallback, *, degraded: bool) -> Loaded:
        """The loaded model, with all faults so far as its reason."""
        threshold = self._threshold if model.threshold is None else model.threshold
        origin = ModelOrigin(model.id, model.version, scorer.sha256, threshold, fallback, degraded, self.reason())
        return Loaded(model, scorer, origin)

    def reason(self) -> str | None:
        """Why it is not the primary's own file; None if nothing has failed."""
        none: Sequence[str] = [] if self._primary else ["No primary is registered."]
        return " ".join([*none, *map(str, self.faults)]) or None

    def _failed(self, cause: Fault, fault: Fault) -> None:
        fault.__cause__ = cause
        self.faults.append(fault)
        self._report(fault)


def _own(registry: Registry, primary: Model | None) -> Iterator[_Candidate]:
    if primary is not None:
        yield _Candidate("primary", primary, registry.named_bytes)
        yield _Candidate("blob", primary, registry.blob_bytes)


def _others(registry: Registry, primary: Model | None) -> Iterator[_Candidate]:
    promoted = {promotion.to_id for promotion in registry.promotions()}
    for model in fallbacks(registry, primary):
        yield _Candidate("earlier_primary" if model.id in promoted else "newest_passed", model, registry.model_bytes)


def checked(registry: Registry, model: Model, content: bytes) -> Scorer:
    """The scorer of `model` from its bytes, after every check. Raises ModelRefused."""
    if model.sha256 is None:
        raise ModelRefused("unregistered", f"{model.version} has no artifact. Run `gatekeeper db upgrade` to adopt it.")
    return verify(content, sha256=model.sha256, cap=registry.size_cap, canary=model.canary)
