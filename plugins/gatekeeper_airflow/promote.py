"""Acts by hand (DAG `gatekeeper_promote`): promote, roll back, hold and release, first checked, then carried out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook

if TYPE_CHECKING:
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.registry import Hold, Promotion, Registry
    from gatekeeper.settings import Settings

from gatekeeper.logs import logger

log = logger("gatekeeper")

PARAMETERS = ("act", "model_id", "reason", "hold_until", "hold_id")
PROMOTE, ROLL_BACK, HOLD, RELEASE, RELEASE_QUARANTINE = ACTS = (
    "promote",
    "roll back",
    "hold",
    "release",
    "release quarantine",
)
NEEDS_MODEL = (PROMOTE, RELEASE_QUARANTINE)
TAKES_MODEL = (*NEEDS_MODEL, ROLL_BACK)


@dataclass(frozen=True, slots=True)
class RequestedAct:
    """One requested act, with its actor and reason."""

    act: str
    model_id: int | None
    reason: str
    until: datetime | None
    hold_id: int | None
    actor: str
    key: str  # the run's key: it does one act once, even if its tasks are retried or cleared


def ordered(context: Mapping[str, Any]) -> RequestedAct:
    """The act that a run's form requests. Raises ConfigError for an invalid combination."""
    from gatekeeper.errors import ConfigError

    run, given = context["dag_run"], dict(context["params"])
    if unknown := sorted(set(run.conf or {}) - set(PARAMETERS)):
        raise ConfigError(f"Unknown parameter {', '.join(unknown)}. This DAG takes {', '.join(PARAMETERS)}.")
    act, model_id, until = given.get("act"), given.get("model_id"), given.get("hold_until")
    hold_id = given.get("hold_id")
    reason = str(given.get("reason") or "").strip()
    if act not in ACTS:
        raise ConfigError(f"The act {act!r} is unknown. Choose one of {', '.join(ACTS)}.")
    if not reason:
        raise ConfigError(f"The act {act!r} needs a reason, which the history keeps.")
    if act in NEEDS_MODEL and model_id is None:
        raise ConfigError(f"The act {act!r} needs a model_id. `gatekeeper list` shows the ids.")
    if act not in TAKES_MODEL and model_id is not None:
        raise ConfigError(f"The act {act!r} takes no model_id, but {model_id} was given. Leave it empty.")
    if act != HOLD and until is not None:
        raise ConfigError(f"The act {act!r} takes no hold_until, but {until} was given. Leave it empty.")
    if act != RELEASE and hold_id is not None:
        raise ConfigError(f"The act {act!r} takes no hold_id, but {hold_id} was given. Leave it empty.")
    return RequestedAct(
        act=act,
        model_id=model_id,
        reason=reason,
        until=_instant(until) if until else None,
        hold_id=hold_id,
        actor=run.triggering_user_name or "airflow",
        key=f"{run.dag_id}/{run.run_id}",
    )


@dataclass(frozen=True, slots=True)
class Doing:
    """An act on a registry. generation: at its check."""

    registry: "Registry"
    settings: "Settings"
    order: RequestedAct
    generation: int | None = None

    @property
    def model_id(self) -> int:
        """The model id of an act that needs one."""
        return int(self.order.model_id or 0)


def check(desk: str, context: Mapping[str, Any]) -> "JsonObject":
    """The first task: check whether the act can be carried out. Loads and verifies models, and changes nothing."""
    from gatekeeper.documents.step_output import CheckedAct, written

    with final_faults():
        order, hook = ordered(context), RegistryHook(desk=desk)
        with hook.get_conn() as registry:
            generation = registry.generation()
            done, summary = _EXAMINE[order.act](Doing(registry, hook.settings(), order))
    log.info("%s requests %r: %s", order.actor, order.act, summary)
    about = (order.act, order.model_id, order.reason, order.actor, generation, done, summary)
    return written(CheckedAct(order.key, *about))


def act(desk: str, context: Mapping[str, Any], check_output: object) -> "JsonObject":
    """The last task: carry out the checked act, if the registry's generation is still the same."""
    from gatekeeper.documents.step_output import CheckedAct, DoneAct, read, written
    from gatekeeper_airflow import run_note

    with final_faults():
        order, hook = ordered(context), RegistryHook(desk=desk)
        checked = read(check_output, CheckedAct, "check", order.key)
        with hook.get_conn() as registry:
            summary = _CARRY_OUT[order.act](Doing(registry, hook.settings(), order, checked.generation))
            primary, generation = registry.primary(), registry.generation()
    log.info("%s", summary)
    run_note.write(context, summary)
    return written(DoneAct(order.act, primary and primary.id, generation, summary))


def examine_promote(doing: Doing) -> tuple[bool, str]:
    """Whether the promotion is made already, and its expected effect in a sentence."""
    registry = doing.registry
    done = registry.examine(doing.model_id, reason=doing.order.reason, run_key=doing.order.key)
    model, primary, holds = registry.model(doing.model_id), registry.primary(), registry.holds()
    if done is not None:
        return True, f"{model.version} was promoted in generation {done.generation} already"
    place = f"take the place of {primary.version}" if primary else "be the first primary"
    by = ", ".join(f"{hold.actor} ({hold.reason})" for hold in holds)
    through = f", despite the hold{'s' if len(holds) > 1 else ''} by {by}" if holds else ""
    return False, (
        f"{model.version} (sha256 {str(model.sha256)[:12]}) loads and scores as at registration; it would "
        f"{place}{through}"
    )


def _examine_rollback(doing: Doing) -> tuple[bool, str]:
    from gatekeeper.errors import PromotionRefused
    from gatekeeper.registry import orders
    from gatekeeper.registry.promotion import keys

    registry, order = doing.registry, doing.order
    if done := next((promotion for promotion in registry.promotions() if promotion.run_key == order.key), None):
        if done.kind != "rollback":
            raise orders.key_used(order.key, keys.moved(done), f"roll back: {order.reason}")
        return True, f"rolled back to model {done.to_id} in generation {done.generation} already"
    back, primary = registry.way_back(), registry.primary()
    if primary is not None and order.model_id not in (None, primary.id):
        raise PromotionRefused(
            f"The primary is model {primary.id}, not {order.model_id}. Give its id, or leave model_id empty."
        )
    left = primary.version if primary else "no primary"
    return False, f"{back.version} (sha256 {str(back.sha256)[:12]}) loads; it would take the place of {left}"


def _examine_hold(doing: Doing) -> tuple[bool, str]:
    holds = doing.registry.holds()
    return False, f"it stands beside {_listed(holds)}" if holds else "there is no hold yet"


def _examine_release(doing: Doing) -> tuple[bool, str]:
    holds = doing.registry.holds()
    which = "; without a hold_id, nothing is released" if doing.order.hold_id is None and len(holds) > 1 else ""
    return not holds, f"in force: {_listed(holds)}{which}" if holds else "there is no hold"


def _examine_quarantine(doing: Doing) -> tuple[bool, str]:
    model = doing.registry.model(doing.model_id)
    found = doing.registry.quarantined(model.sha256)
    if found is None:
        return True, f"{model.version} is not quarantined"
    since = f"since {found.at:%Y-%m-%d}, by {found.actor} ({found.reason})"
    return False, f"the bytes of {model.version} are quarantined {since}"


def _promote(doing: Doing) -> str:
    registry, order = doing.registry, doing.order
    promotion = registry.promote(
        doing.model_id,
        actor=order.actor,
        reason=order.reason,
        expected_generation=doing.generation,
        run_key=order.key,
        needs_approval=doing.settings.approval,
    )
    if promotion.run_key != order.key:
        return registry.effect(None, f"model {doing.model_id} was the primary already")
    _tell(doing, promotion)
    return registry.effect(promotion)


def _roll_back(doing: Doing) -> str:
    from gatekeeper.registry.promotion.effects import committed

    registry, order = doing.registry, doing.order
    promotion = registry.rollback(
        actor=order.actor,
        reason=order.reason,
        expected_generation=doing.generation,
        run_key=order.key,
    )
    _tell(doing, promotion)
    effect = registry.effect(promotion)
    if promotion.from_id is None:
        return effect
    with committed(effect):
        barred = registry.quarantined(registry.model(promotion.from_id).sha256) is not None  # or cleared, by now
    clears = f" The act `{RELEASE_QUARANTINE}` clears that." if barred else ""
    return f"{effect} {registry.hold_effect(promotion.from_id)}{clears}"


def _tell(doing: Doing, promotion: "Promotion") -> None:
    from gatekeeper.pipeline import alarms

    alarms.tell_promotion(doing.settings, doing.registry, promotion)


def _hold(doing: Doing) -> str:
    registry, order = doing.registry, doing.order
    registry.hold(actor=order.actor, reason=order.reason, until=order.until, run_key=order.key)
    return registry.hold_effect()


def _release(doing: Doing) -> str:
    order = doing.order
    released = doing.registry.release(order.hold_id, actor=order.actor, reason=order.reason, run_key=order.key)
    return doing.registry.release_effect(released, order.hold_id)


def _release_quarantine(doing: Doing) -> str:
    order = doing.order
    released = doing.registry.release_quarantine(
        doing.model_id, actor=order.actor, reason=order.reason, run_key=order.key
    )
    what = f"quarantine of model {doing.model_id}"
    done = f"Cleared the {what}." if released else f"There was no {what}."
    return f"{done} {doing.registry.hold_effect(doing.model_id)}"


_EXAMINE: Mapping[str, Callable[[Doing], tuple[bool, str]]] = {
    PROMOTE: examine_promote,
    ROLL_BACK: _examine_rollback,
    HOLD: _examine_hold,
    RELEASE: _examine_release,
    RELEASE_QUARANTINE: _examine_quarantine,
}
_CARRY_OUT: Mapping[str, Callable[[Doing], str]] = {
    PROMOTE: _promote,
    ROLL_BACK: _roll_back,
    HOLD: _hold,
    RELEASE: _release,
    RELEASE_QUARANTINE: _release_quarantine,
}


def _listed(holds: "list[Hold]") -> str:
    return "; ".join(f"hold {one.id} by {one.actor} ({one.reason})" for one in holds)


def _instant(text: str) -> datetime:
    from gatekeeper.errors import ConfigError

    try:
        instant = datetime.fromisoformat(str(text))
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: a year that UTC has no more
        raise ConfigError(
            f"hold_until {text!r} is not an ISO 8601 time. Write one such as 2018-11-05T02:00Z."
        ) from None
