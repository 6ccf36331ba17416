"""Which model may answer? The primary, verified; where it can't, the next in the order of trust."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gatekeeper.errors import ModelRefused, NoModel, Unavailable
from gatekeeper.model.verify import Scorer, verify
from gatekeeper.registry import Model, Registry

DEFAULT_THRESHOLD = 0.55

Fault = ModelRefused | Unavailable
Tell = Callable[[Fault], None]


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """Who says so: what every answer of one loaded model names. One object for all of them."""

    model_id: int
    version: str
    sha256: str
    threshold: float
    step: int
    degraded: bool
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """One verified model that may answer, and how far down the order of trust it stands (1 to 5)."""

    model: Model
    scorer: Scorer
    origin: ModelOrigin

    @property
    def step(self) -> int:
        """1 the primary's own file, 2 its blob, 3 what was served last, 4 an earlier primary, 5 one that passed."""
        return self.origin.step

    @property
    def degraded(self) -> bool:
        """Does another model answer than the primary?"""
        return self.origin.degraded

    @property
    def reason(self) -> str | None:
        """Why it isn't the primary from its own file; None where it is."""
        return self.origin.reason


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
    passed = registry.passed()
    for model in sorted(rows.values(), key=lambda one: one.id, reverse=True):
        if (model.id, model.sha256) in passed and schema in (None, model.feature_schema):
            yield model


def load(
    registry: Registry,
    last: Loaded | None = None,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    tell: Tell = lambda _fault: None,
) -> Loaded:
    """The first model in the order of trust that passes every check; `last` is what this process served before.

    `threshold` is for a model that says none of its own; `tell` hears why a step failed. Raises NoModel, with what
    each step said, where none passes, and Unavailable where registry or store can't be reached: then nobody knows,
    and the caller keeps what it has.
    """
    primary = registry.primary()
    attempt = _Attempt(registry, threshold, primary, tell)
    if (own := attempt.first(_own(registry, primary), degraded=False)) is not None:
        return own
    away = next((fault for fault in attempt.faults if isinstance(fault, Unavailable)), None)
    if last is not None and registry.quarantined(last.scorer.sha256) is None:
        if away is not None:
            raise away
        if primary is not None and primary.sha256 == last.scorer.sha256:  # the same model, under whatever row
            return attempt.loaded(primary, last.scorer, 3, degraded=False)
        return attempt.loaded(last.model, last.scorer, 3, degraded=True)
    if (other := attempt.first(_others(registry, primary), degraded=True)) is not None:
        return other
    if away is not None and last is None:
        raise away
    raise NoModel(f"no model may answer: {attempt.said()}")


class _Attempt:
    """One way down the order of trust, and what was said on it."""

    def __init__(self, registry: Registry, threshold: float, primary: Model | None, tell: Tell) -> None:
        self._registry = registry
        self._threshold = threshold
        self._primary = primary
        self._tell = tell
        self.faults: list[Fault] = []

    def first(self, rungs: Iterator[_Rung], *, degraded: bool) -> Loaded | None:
        """The first that passes every check."""
        for rung in rungs:
            try:
                scorer = checked(self._registry, rung.model, rung.read(rung.model))
            except ModelRefused as refusal:
                self._failed(refusal, ModelRefused(refusal.reason, f"{rung.model.version}: {refusal}"))
            except Unavailable as trouble:  # one file may be out of reach where the next one isn't
                self._failed(trouble, Unavailable(f"{rung.model.version}: {trouble}"))
            else:
                return self.loaded(rung.model, scorer, rung.step, degraded=degraded)
        return None

    def loaded(self, model: Model, scorer: Scorer, step: int, *, degraded: bool) -> Loaded:
        """With all that was said until now as the reason."""
        threshold = self._threshold if model.threshold is None else model.threshold
        origin = ModelOrigin(model.id, model.version, scorer.sha256, threshold, step, degraded, self.said())
        return Loaded(model, scorer, origin)

    def said(self) -> str | None:
        """Why it isn't the primary's own file; None where nothing spoke against that."""
        none: Sequence[str] = [] if self._primary else ["no primary is registered"]
        return "; ".join([*none, *map(str, self.faults)]) or None

    def _failed(self, cause: Fault, fault: Fault) -> None:
        fault.__cause__ = cause
        self.faults.append(fault)
        self._tell(fault)


def _own(registry: Registry, primary: Model | None) -> Iterator[_Rung]:
    if primary is not None:
        yield _Rung(1, primary, registry.named_bytes)
        yield _Rung(2, primary, registry.blob_bytes)


def _others(registry: Registry, primary: Model | None) -> Iterator[_Rung]:
    promoted = {promotion.to_id for promotion in registry.promotions()}
    for model in fallbacks(registry, primary):
        yield _Rung(4 if model.id in promoted else 5, model, registry.model_bytes)


def checked(registry: Registry, model: Model, content: bytes) -> Scorer:
    """`content` as the scorer of `model`, after every check. Raises ModelRefused."""
    if model.sha256 is None:
        raise ModelRefused("unregistered", f"{model.version} has no artifact; `gatekeeper db upgrade` takes it in")
    return verify(content, sha256=model.sha256, cap=registry.size_cap, canary=model.canary)
