"""Monitor: the daily check of the primary, with drift alarms and the circuit breaker's rollback."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gatekeeper.documents.step_output import MonitorOutput
from gatekeeper.errors import AsOfError, GatekeeperError, NoModel
from gatekeeper.logs import logger
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.alarms import Alarm
from gatekeeper.pipeline.monitoring.check_document import Reign, observe, reign, starved
from gatekeeper.pipeline.monitoring.live_ideas import logs_only
from gatekeeper.pipeline.weekly import read_data
from gatekeeper.registry import Registry
from gatekeeper.registry.promotion.checks import Check
from gatekeeper.serving import load
from gatekeeper.settings import Settings

log = logger("gatekeeper")

ACTOR = "gatekeeper_monitor"


@dataclass(frozen=True, slots=True)
class Monitored:
    """Result of one check. check: None if there was nothing to check; `summary` gives the reason.

    rolled_back: the generation of the rollback, if there was one.
    """

    summary: str
    check: Check | None = None
    rolled_back: int | None = None

    @property
    def output(self) -> MonitorOutput:
        """The output of the DAG's task."""
        if self.check is None:
            return MonitorOutput(self.summary, self.rolled_back)
        drift, breaker = self.check.document.drift, self.check.document.breaker
        drifted = drift.drifted if drift else ()
        return MonitorOutput(
            self.summary, self.rolled_back, self.check.id, self.check.model_id, breaker.tripped, drifted
        )


def monitor(as_of: datetime, registry: Registry, settings: Settings, *, now: datetime, actor: str = ACTOR) -> Monitored:
    """Check the primary with the data known by `as_of`; the same check again changes nothing.

    Sends the alarms. If `breaker` is `rollback` and the drawdown is too deep, rolls back to the model before. Raises
    AsOfError (in the future), ModelRefused and NoModel (nothing can answer), and the data source's errors.
    """
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    if as_of > now:
        raise AsOfError(f"as-of {as_of:%Y-%m-%d %H:%M}Z lies in the future (now {now.astimezone(UTC):%Y-%m-%d %H:%M}Z)")
    primary = registry.primary()
    if primary is None or primary.sha256 is None:
        return Monitored("nothing was checked: there is no primary; a weekly run or `gatekeeper promote` makes one")
    lasting = reign(registry, primary)
    if lasting is None:
        return Monitored(
            f"nothing was checked: no promotion of {primary.version} is on record; `gatekeeper doctor --repair` adds it"
        )
    _tell_degraded(registry, settings, as_of, primary.sha256)
    try:
        check = registry.checks.find(as_of, primary.sha256) or registry.checks.record(
            primary,
            as_of=as_of,
            generation=lasting.promotion.generation,
            document=observe(registry, settings, lasting, as_of),
        )
    except AsOfError as fault:
        if not logs_only(settings):
            raise
        return Monitored(f"nothing was checked yet: {fault}")
    return _act(registry, settings, lasting, check, actor)


def _tell_degraded(registry: Registry, settings: Settings, as_of: datetime, sha256: str) -> None:
    """Load what a server would, and send an alarm if it isn't the primary. Raises NoModel, Unavailable."""
    key = f"{ACTOR}/{as_of:%Y-%m-%dT%H:%M:%SZ}/{sha256[:12]}"
    doctor = "`gatekeeper doctor --repair` restores files; `gatekeeper promote -i ID` makes another model the primary"
    try:
        loaded = load(registry)
    except NoModel as fault:
        alarms.tell(settings, registry, Alarm("degraded", key, f"no model can answer: {fault}", doctor))
        raise
    if loaded.degraded:
        text = f"{loaded.model.version} answers instead of the primary: {loaded.reason}"
        alarms.tell(settings, registry, Alarm("degraded", key, text, doctor))


def _act(registry: Registry, settings: Settings, lasting: Reign, check: Check, actor: str) -> Monitored:
    document = check.document
    drift, breaker = document.drift, document.breaker
    name = lasting.primary.version
    if drift and drift.drifted:
        # Once for these columns and this primary: a market that has changed stays changed.
        key = f"{ACTOR}/generation {check.generation}/{','.join(drift.drifted)}"
        text = f"drift since the backtest of {name}: {', '.join(drift.drifted)}"
        alarms.tell(settings, registry, Alarm("drift", key, text, document.text))
    if document.data_warnings:
        read_data.tell(settings, registry, str(settings.data), document.data_warnings)
    if few := starved(document):
        key = f"{ACTOR}/generation {check.generation}/starved"
        alarms.tell(settings, registry, Alarm("undecided", key, few, document.text, pressing=True))
    if not breaker.tripped:
        return Monitored(document.text, check)
    key = f"{ACTOR}/{check.as_of:%Y-%m-%dT%H:%M:%SZ}/{check.sha256[:12]}"
    may = settings.breaker == "rollback"
    what = "rolling back to the model before" if may else "`gatekeeper rollback` returns to the model before"
    text = f"{name}: {breaker.text}"
    alarms.tell(settings, registry, Alarm("breaker", key, text, f"{what}\n{document.text}"))
    if not may:
        return Monitored(f"BREAKER: {document.text}", check)
    outcome, generation = _rolled_back(registry, settings, lasting, text, key, actor)
    if generation is None:
        alarms.tell(settings, registry, Alarm("breaker", f"{key}/stays", outcome, text))
    return Monitored(f"{outcome} BREAKER: {document.text}", check, generation)


def _rolled_back(
    registry: Registry, settings: Settings, lasting: Reign, reason: str, key: str, actor: str
) -> tuple[str, int | None]:
    """The effect, and the new generation if rolled back. A hold, or no model to return to, keeps the primary."""
    if holds := registry.holds():
        told = ", ".join(f"a hold by {hold.actor} is in force ({hold.reason})" for hold in holds)
        why = f"{told}; `gatekeeper rollback` by hand goes through it"
        return registry.effect(None, why, "rolled back"), None
    try:
        promotion = registry.rollback(
            actor=actor, reason=reason, expected_generation=lasting.promotion.generation, run_key=key
        )
    except GatekeeperError as fault:
        if fault.retryable:
            raise
        log.error("the breaker could not roll back: %s", fault)
        return registry.effect(None, str(fault), "rolled back"), None
    alarms.tell_promotion(settings, registry, promotion)
    return registry.effect(promotion), promotion.generation
