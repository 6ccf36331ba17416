"""Do these bytes pass every check, and what did they show of themselves?

The model runtime is imported inside: reading the registry needs none of it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gatekeeper.errors import ModelRefused
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.records import Details, Model
from gatekeeper.registry.store.base import sha256_of


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a usable model shows: its digest, its canaries, how its score is read, what its metadata say."""

    sha256: str
    size: int
    canary_json: str
    recognised: str
    feature_schema: str
    details: Details


def inspect(content: bytes, *, cap: int, details: Details | None, known_canary: str | None = None) -> Inspected:
    """Verify `content`. With `details` it is our own export, and exactness is asked of it; else nobody vouches for it.

    A foreign file takes its first canary run in a child process, unless the same bytes took it before
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
    said = scorer.metadata
    known = details or Details()
    return Inspected(
        sha256=scorer.sha256,
        size=len(content),
        canary_json=canary.to_json(),
        recognised=str(scorer.signature),
        feature_schema=said.get("feature_schema", FEATURE_SCHEMA),
        details=replace(
            known,
            trained_from=known.trained_from or _instant(said.get("trained_from")),
            trained_to=known.trained_to or _instant(said.get("trained_to")),
            estimator=known.estimator or said.get("estimator"),
            fingerprint=known.fingerprint or said.get("data_fingerprint"),
        ),
    )


def vouch(context: RegistryContext, model: Model, content: bytes) -> None:
    """Verify the registered bytes of `model`, canaries included. Raises ModelRefused.

    Once for each sha256 and process: the same bytes answer alike.
    """
    if model.sha256 in context.vouched and sha256_of(content) == model.sha256:
        return
    from gatekeeper.model.verify import verify

    verify(content, sha256=model.sha256, cap=context.store.cap, canary=model.canary)
    if model.sha256 is not None:
        context.vouched.add(model.sha256)


def refuse_unregistered(model: Model) -> str:
    """The sha256 of `model`. Raises ModelRefused where the row has no artifact."""
    if model.sha256 is None:
        why = model.fault or "another tool wrote the row"
        raise ModelRefused(
            "unregistered",
            f"model {model.id} ({model.version}) is no usable model ({why}); put its file in order, then "
            "`gatekeeper db upgrade` takes it up",
        )
    return model.sha256


def _instant(said: str | None) -> datetime | None:
    """What a file's metadata say, where it is a time: a foreign file may say anything."""
    try:
        instant = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
