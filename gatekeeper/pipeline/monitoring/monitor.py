"""The daily look at the primary: does it do what its evaluation promised, and may it stay?"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from gatekeeper.config import Settings
from gatekeeper.documents.step_output import MonitorOutput
from gatekeeper.errors import AsOfError, GatekeeperError, NoModel
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.alarms import Alarm
from gatekeeper.pipeline.monitoring.check_document import Reign, observe, reign
from gatekeeper.pipeline.monitoring.live_ideas import logs_only
from gatekeeper.registry import Registry
from gatekeeper.registry.promotion.checks import Check
from gatekeeper.serving import load

log = logging.getLogger("gatekeeper")

ACTOR = "gatekeeper_monitor"


@dataclass(frozen=True, slots=True)
class Monitored:
    """What one look came to. check: None where there was nothing to look at, and `summary` says why.

    rolled_back: the generation in which the predecessor came back, where it did.
    """

    summary: str
    check: Check | None = None
    rolled_back: int | None = None

    @property
    def output(self) -> MonitorOutput:
        """What the DAG's task hands on."""
        if self.check is None:
            return MonitorOutput(self.summary, self.rolled_back)
        drift, breaker = self.check.document.drift, self.check.document.breaker
        drifted = drift.drifted if drift else ()
        return MonitorOutput(
            self.summary, self.rolled_back, self.check.id, self.check.model_id, breaker.tripped, drifted
        )


def monitor(as_of: datetime, registry: Registry, settings: Settings, *, now: datetime, actor: str = ACTOR) -> Monitored:
    """One look at the primary with what was known by `as_of`; the same look again changes nothing.

    Sends what alarms it gives rise to, and where `breaker` is `rollback` puts the predecessor back for a drawdown too
    deep. Raises AsOfError (in the future), ModelRefused and NoModel (nothing can answer), and what the data raise.
    """
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    if as_of > now:
        raise AsOfError(f"as-of {as_of:%Y-%m-%d %H:%M}Z lies in the future (now {now.astimezone(UTC):%Y-%m-%d %H:%M}Z)")
    primary = registry.primary()
    if primary is None or primary.sha256 is None:
        return Monitored("there is no primary to look at; a weekly run or `gatekeeper promote -i ID` makes one")
    lasting = reign(registry, primary)
    if lasting is None:
        return Monitored(
            f"nobody recorded how {primary.version} became the primary; `gatekeeper doctor --repair` does that"
        )
    _tell_degraded(registry, settings, as_of, primary.sha256)
    try:
        check = registry.check(as_of, primary.sha256) or registry.record_check(
            primary,
            as_of=as_of,
            generation=lasting.promotion.generation,
            document=observe(registry, settings, lasting, as_of),
        )
    except AsOfError as fault:
        if not logs_only(settings):
            raise
        return Monitored(f"nothing to look at yet: {fault}")
    return _act(registry, settings, lasting, check, actor)


def _tell_degraded(registry: Registry, settings: Settings, as_of: datetime, sha256: str) -> None:
    """Would a server answer with the primary? Loads what it would. Raises NoModel, Unavailable."""
    key = f"{ACTOR}/{as_of:%Y-%m-%dT%H:%M:%SZ}/{sha256[:12]}"
    doctor = "`gatekeeper doctor --repair` puts files back, `gatekeeper promote -i ID` makes another model the primary"
    try:
        loaded = load(registry)
    except NoModel as fault:
        alarms.tell(settings, registry, Alarm("degraded", key, f"no model may answer: {fault}", doctor))
        raise
    if loaded.degraded:
        text = f"{loaded.model.version} answers instead of the primary: {loaded.reason}"
        alarms.tell(settings, registry, Alarm("degraded", key, text, doctor))


def _act(registry: Registry, settings: Settings, lasting: Reign, check: Check, actor: str) -> Monitored:
    document = check.document
    drift, breaker = document.drift, document.breaker
    name = lasting.primary.version
    if drift and drift.drifted:
        # Once for these columns in this reign: a market that has changed stays changed.
        key = f"{ACTOR}/generation {check.generation}/{','.join(drift.drifted)}"
        text = f"what {name} is asked about has drifted: {', '.join(drift.drifted)}"
        alarms.tell(settings, registry, Alarm("drift", key, text, document.text))
    if not breaker.tripped:
        return Monitored(document.text, check)
    key = f"{ACTOR}/{check.as_of:%Y-%m-%dT%H:%M:%SZ}/{check.sha256[:12]}"
    may = settings.breaker == "rollback"
    what = "the model before it comes back" if may else "`gatekeeper rollback` puts the model before it back"
    text = f"{name}: {breaker.text}"
    alarms.tell(settings, registry, Alarm("breaker", key, text, f"{what}\n{document.text}"))
    if not may:
        return Monitored(f"BREAKER: {document.text}", check)
    outcome, generation = _rolled_back(registry, settings, lasting, text, key, actor)
    if generation is None:
        alarms.tell(settings, registry, Alarm("breaker", f"{key}/stays", f"{name} stays: {outcome}", text))
    return Monitored(f"BREAKER: {outcome}; {document.text}", check, generation)


def _rolled_back(
    registry: Registry, settings: Settings, lasting: Reign, reason: str, key: str, actor: str
) -> tuple[str, int | None]:
    """What came of it, and the new generation. A hold, or nothing to go back to, leaves the primary where it is."""
    hold = registry.current_hold()
    if hold is not None:
        why = f"a hold stands, by {hold.actor} ({hold.reason}): `gatekeeper rollback` by hand goes through it"
        return f"not rolled back: {why}", None
    try:
        promotion = registry.rollback(
            actor=actor, reason=reason, expected_generation=lasting.promotion.generation, run_key=key
        )
    except GatekeeperError as fault:
        if fault.retryable:
            raise
        log.error("the breaker could not roll back: %s", fault)
        return f"could not roll back: {fault}", None
    alarms.tell_promotion(settings, registry, promotion)
    return f"rolled back to model {promotion.to_id} (generation {promotion.generation})", promotion.generation
