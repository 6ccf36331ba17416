"""Alarms: notifications of promotions, verdicts, faults and drift to receivers by `apprise`, each sent once.

Sending never fails the step that it reports. If a receiver is down, that is logged with its scheme and its place in
GATEKEEPER_ALARMS, and it gets the alarm when the step runs again. Each receiver gets an alarm of one kind and run key
once.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from gatekeeper.documents.step_output import Promoted
from gatekeeper.errors import ConfigError, GatekeeperError, StaleData, with_reason
from gatekeeper.logs import logger
from gatekeeper.registry import Promotion, Registry
from gatekeeper.registry.records import WHAT_IF
from gatekeeper.secret_urls import SecretUrl, hide_all
from gatekeeper.settings import Settings
from gatekeeper.texts import plain

if TYPE_CHECKING:
    from apprise import NotifyBase

log = logger("gatekeeper")

Level = Literal["off", "quiet", "loud"]

LEVELS: dict[str, Level] = {
    "promoted": "quiet",
    "kept": "off",
    "undecided": "quiet",
    "failed": "loud",
    "degraded": "loud",
    "rolled_back": "loud",
    "stale_feed": "loud",
    "data": "quiet",
    "breaker": "loud",
    "drift": "quiet",
    "approval": "quiet",
}

PATIENCE = 20  # seconds, for one receiver


@dataclass(frozen=True, slots=True)
class Alarm:
    """One event to report. key: names the run; the same kind and key are one alarm.

    text: one sentence. more: further help and the way out. pressing: loud unless its kind is off.
    """

    kind: str
    key: str
    text: str
    more: str = ""
    pressing: bool = False


@dataclass(frozen=True, slots=True)
class AlarmDelivery:
    """Result of sending an alarm to one receiver: its scheme and place in the setting. fault: None if it arrived."""

    receiver: str
    fault: str | None


def levels(settings: Settings) -> dict[str, Level]:
    """The level of each kind: the defaults, overridden by `alarm_levels`."""
    words = (word.partition("=") for word in settings.alarm_levels.replace(",", " ").split())
    return LEVELS | {kind: cast("Level", level) for kind, _, level in words}


def tell(settings: Settings, registry: Registry | None, alarm: Alarm) -> None:
    """Send the alarm to all receivers that don't have it yet. Never raises.

    Without a registry (the fault may be that it can't be reached) all receivers get it, since deliveries are unknown.
    """
    if not settings.alarms.each():
        return
    try:
        level = levels(settings)[alarm.kind]
        if alarm.pressing and level == "quiet":
            level = "loud"
        if level != "off":
            for delivery in _send(settings, registry, alarm, level):
                if delivery.fault is not None:
                    log.error("the alarm %r did not reach %s: %s", alarm.kind, delivery.receiver, delivery.fault)
    except Exception as fault:  # noqa: BLE001  # whatever it is: what the alarm tells of has happened, and stands
        log.error("the alarm %r could not be sent: %s", alarm.kind, settings.alarms.hide(hide_all(fault)))


def tell_promotion(settings: Settings, registry: Registry, promotion: Promotion, *, pressing: bool = False) -> None:
    """Report a change of the primary: `rolled_back` or `promoted`, once for each generation."""
    try:
        text = registry.effect(promotion)
    except GatekeeperError as fault:  # the registry can't be asked again; what it answered before still holds
        log.warning("the effect of generation %s could not be read back: %s", promotion.generation, fault)
        text = f"Model {promotion.to_id} became the primary (generation {promotion.generation})."
    more = (
        f"{promotion.kind} by {plain(promotion.actor)}: {plain(promotion.reason)}\n"
        f"`gatekeeper explain {promotion.to_id}`, `gatekeeper history`"
    )
    kind = "rolled_back" if promotion.kind == "rollback" else "promoted"
    key = f"generation {promotion.generation}"
    tell(settings, registry, Alarm(kind, key, text, more, pressing))


def tell_verdict(settings: Settings, registry: Registry, run_key: str, output: Promoted) -> None:
    """Report the end of a weekly run: promoted, kept or undecided; pressing if the verdict needs a person.

    A `what-if` evaluation of a past week is reported as kept, whatever its verdict.
    """
    if not settings.alarms.each():
        return
    try:
        verdict = registry.evaluation(output.evaluation_id).document.verdict
        promotion = next((one for one in registry.promotions() if one.generation == output.generation), None)
    except GatekeeperError as fault:
        log.error("the alarm about this verdict could not be sent: %s", fault)
        return
    if promotion is not None:
        tell_promotion(settings, registry, promotion, pressing=verdict.alert)
        return
    open_question = output.verdict == "undecided" and output.kind != WHAT_IF
    kind = "undecided" if open_question else "kept"
    more = f"`gatekeeper explain {output.challenger_id}` prints each gate; the report is {output.report}"
    tell(settings, registry, Alarm(kind, run_key, output.summary, more, verdict.alert))


def of_fault(fault: BaseException, key: str, what: str) -> Alarm:
    """The alarm that `what` failed: `stale_feed` or `failed`."""
    kind = "stale_feed" if isinstance(fault, StaleData) else "failed"
    return Alarm(kind, key, f"{what} failed", hide_all(f"{type(fault).__name__}: {with_reason(fault)}"))


@contextmanager
def tells_of_faults(settings: Settings, key: str, what: str) -> Iterator[None]:
    """Send an alarm about any error raised within, and raise it on; not about an interruption by a person."""
    try:
        yield
    except Exception as fault:
        tell(settings, None, of_fault(fault, key, what))
        raise


def rehearse(settings: Settings) -> list[AlarmDelivery]:
    """Send a test message to every receiver, and return the deliveries.

    Raises ConfigError if no receiver is named or a level can't be read.
    """
    if not settings.alarms.each():
        raise ConfigError("GATEKEEPER_ALARMS names no receiver; give it URLs of apprise, separated by spaces")
    levels(settings)
    alarm = Alarm("test", "", "This is a test: alarms of this desk reach you.", "`gatekeeper alarms test`")
    return list(_send(settings, None, alarm, "quiet"))


def _send(settings: Settings, registry: Registry | None, alarm: Alarm, level: Level) -> Iterator[AlarmDelivery]:
    reached = _reached(registry, alarm)
    for url in settings.alarms.each():
        receiver = hashlib.sha256(url.reveal().encode()).hexdigest()[:16]
        if receiver in reached:
            continue
        delivery = _notify(url, settings.desk, alarm, level)
        if delivery.fault is None and registry is not None:
            try:
                registry.checks.note_alarm(alarm.kind, alarm.key, receiver)
            except GatekeeperError as fault:
                log.warning("could not record that %s got the alarm %r: %s", delivery.receiver, alarm.kind, fault)
        yield delivery


def _reached(registry: Registry | None, alarm: Alarm) -> set[str]:
    if registry is None:
        return set()
    try:
        return registry.checks.alarm_reached(alarm.kind, alarm.key)
    except GatekeeperError as fault:
        log.warning("could not read which receivers have the alarm %r, so all get it: %s", alarm.kind, fault)
        return set()


def _notify(url: SecretUrl, desk: str, alarm: Alarm, level: Level) -> AlarmDelivery:
    apprise = _library()
    own = logging.getLogger("apprise")
    own.disabled = True  # what it can't read, it logs as it stands
    try:
        service: NotifyBase | None = apprise.Apprise.instantiate(url.reveal())
    finally:
        own.disabled = False
    if service is None:
        return AlarmDelivery(str(url), "apprise can't read this address; see its list of services")
    letterbox = apprise.Apprise()
    letterbox.add(service)
    result = letterbox.notify(
        title=f"Gatekeeper {desk}: {'ALARM: ' if level == 'loud' else ''}{alarm.kind.replace('_', ' ')}",
        body="\n".join(filter(None, [alarm.text, alarm.more])),
        body_format=apprise.NotifyFormat.TEXT,  # reasons of people are in it, which are no Markdown or HTML
        notify_type=apprise.NotifyType.FAILURE if level == "loud" else apprise.NotifyType.INFO,
        timeout=PATIENCE,
        log_level=logging.WARNING,
    )
    if result:
        return AlarmDelivery(str(url), None)
    reasons = url.hide("; ".join(entry.message for entry in result.logs()))
    return AlarmDelivery(str(url), reasons or f"no answer within {PATIENCE} s")


def _library() -> Any:
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "GATEKEEPER_ALARMS is set, but apprise isn't installed. Run `pip install 'gatekeeper[alarms]'`."
        ) from None
    own = logging.getLogger("apprise")
    own.setLevel(logging.WARNING)
    if own.propagate:  # it logs addresses; what it says of a failure is kept by its result, and told by us
        own.propagate = False
        own.addHandler(logging.NullHandler())
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs paths, which are the secret of many
    return apprise
