"""Model verification: checks a model's bytes and reads their metadata.

The model runtime is imported lazily: reading the registry does not need it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gatekeeper.errors import ModelRefused
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.records import Details, Model
from gatekeeper.registry.store.base import sha256_of

_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Inspected:
    """Facts about a usable model's bytes: digest, canaries, output signature, metadata."""

    sha256: str
    size: int
    canary_json: str
    recognised: str
    feature_schema: str
    details: Details


def inspect(content: bytes, *, cap: int, details: Details | None, known_canary: str | None = None) -> Inspected:
    """Verify `content`. With `details` it is Gatekeeper's own export, and must be exact; else it is untrusted.

    An untrusted file makes its first canary run in a child process, unless the same bytes have made it before
    (`known_canary`). Raises ModelRefused.
    """
    from gatekeeper.features import FEATURE_SCHEMA
    from gatekeeper.model.verify import Canary, canary_of, canary_rows, verify, verify_exact, verify_untrusted

    if known_canary is not None:
        canary = Canary.from_json(known_canary)
        scorer = verify(content, cap=cap, canary=canary)
    elif details is not None:
        verify_exact(content)
        scorer = verify(content, cap=cap)
        canary = canary_of(scorer, canary_rows())
    else:
        canary = verify_untrusted(content, cap=cap)
        scorer = verify(content, cap=cap, canary=canary)
    metadata = scorer.metadata
    known = details or Details()
    return Inspected(
        sha256=scorer.sha256,
        size=len(content),
        canary_json=canary.to_json(),
        recognised=str(scorer.signature),
        feature_schema=metadata.get("feature_schema", FEATURE_SCHEMA),
        details=replace(
            known,
            trained_from=known.trained_from or _instant(metadata.get("trained_from")),
            trained_to=known.trained_to or _instant(metadata.get("trained_to")),
            estimator=known.estimator or metadata.get("estimator"),
            fingerprint=known.fingerprint or metadata.get("data_fingerprint"),
        ),
    )


def verify_registered(context: RegistryContext, model: Model, content: bytes) -> None:
    """Verify the registered bytes of `model`, canaries included. Raises ModelRefused.

    Runs once for each sha256 in a process.
    """
    if model.sha256 in context.verified and sha256_of(content) == model.sha256:
        return
    from gatekeeper.model.verify import verify

    verify(content, sha256=model.sha256, cap=context.store.cap, canary=model.canary)
    if model.sha256 is not None:
        context.verified.add(model.sha256)


def refuse_unregistered(model: Model) -> str:
    """The sha256 of `model`. Raises ModelRefused if the row has no artifact."""
    if model.sha256 is None:
        why = model.fault or "another tool wrote the row"
        raise ModelRefused(
            "unregistered",
            f"Model {model.id} ({model.version}) is not usable ({why}). Repair its file, then run "
            "`gatekeeper db upgrade` to adopt it.",
        )
    return model.sha256


def _instant(text: str | None) -> datetime | None:
    """A time from a file's metadata; None if market data can't be of it: an untrusted file may hold anything.

    An end of the training data in 1970 would make every window out of sample.
    """
    try:
        instant = datetime.fromisoformat(text or "")
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if _EARLIEST <= instant <= datetime.now(UTC) + timedelta(days=1) else None
