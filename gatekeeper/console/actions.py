"""What can be changed from the console? Promote, roll back, hold and release; the registry verifies each."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatekeeper.config import Settings
from gatekeeper.console.dependencies import Actor, DeskOfPath, DeskSettings, OpenRegistry, actor_of
from gatekeeper.errors import PromotionRefused
from gatekeeper.registry import Promotion, Registry
from gatekeeper.registry.models.catalogue import LARGEST_ID

router = APIRouter(prefix="/{desk}/acts", dependencies=[Depends(actor_of)])

ModelId = Annotated[int, Path(ge=0, le=LARGEST_ID)]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("say why: it goes into the history")
    return text


def _aware(instant: datetime) -> datetime:
    """Without an offset it is UTC, as the form says."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


class ActForm(BaseModel):
    """What every act brings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, AfterValidator(_said)] = Field(min_length=1, max_length=1000)


class Move(ActForm):
    """An act that changes who is the primary. `generation`: the one that was looked at; another by now refuses it."""

    generation: int | None = Field(None, ge=0)


class HoldOrder(ActForm):
    """No promotion by evaluation, until then; without an end, until it is released."""

    until: Annotated[datetime, AfterValidator(_aware)] | None = None


class Done(BaseModel):
    """What came of it, as a sentence."""

    message: str


@router.post("/promote/{model}")
def promote(
    model: ModelId,
    order: Move,
    desk: DeskOfPath,
    settings: DeskSettings,
    registry: OpenRegistry,
    actor: Actor,
    later: BackgroundTasks,
) -> Done:
    """Makes the model the primary, once it is verified; marked `manual` in the history."""
    if settings.approval:
        raise PromotionRefused(
            f"the promotions of this desk wait for approval: trigger the DAG {desk.dag_id('promote')}, which asks for "
            "it; nothing has changed"
        )
    before = registry.generation()
    promotion = registry.promote(
        model, actor=actor, reason=order.reason, expected_generation=order.generation, now=datetime.now(UTC)
    )
    version = registry.model(model).version
    if promotion.generation <= before:
        return Done(message=f"{version} is the primary already; nothing has changed.")
    later.add_task(_tell, settings, promotion)
    return Done(message=f"{version} is the primary now, in generation {promotion.generation}.")


@router.post("/rollback")
def roll_back(
    order: Move, settings: DeskSettings, registry: OpenRegistry, actor: Actor, later: BackgroundTasks
) -> Done:
    """Goes back to the primary before, once it is verified; the bytes that are left are quarantined."""
    promotion = registry.rollback(
        actor=actor, reason=order.reason, expected_generation=order.generation, now=datetime.now(UTC)
    )
    later.add_task(_tell, settings, promotion)
    version = registry.model(promotion.to_id).version
    left = f"Model {promotion.from_id} is quarantined."
    return Done(message=f"Back to {version}, in generation {promotion.generation}. {left}")


@router.post("/hold")
def hold(order: HoldOrder, registry: OpenRegistry, actor: Actor) -> Done:
    """From now on weekly runs judge and record, and promote nothing."""
    standing = registry.hold(actor=actor, reason=order.reason, until=order.until)
    until = f"until {standing.until:%Y-%m-%d %H:%M} UTC" if standing.until else "until it is released"
    return Done(message=f"Held {until}: weekly runs judge, and promote nothing.")


@router.post("/release")
def release(order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Lifts the hold."""
    stood = registry.release(actor=actor, reason=order.reason)
    return Done(message="The hold is released." if stood else "No hold stood any more; nothing has changed.")


@router.post("/release-quarantine/{model}")
def release_quarantine(model: ModelId, order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Lifts the quarantine from the model's bytes: they may be promoted again."""
    stood = registry.release(actor=actor, reason=order.reason, quarantine=model)
    lifted = f"The quarantine of model {model} is lifted."
    return Done(message=lifted if stood else f"No quarantine stood on model {model}; nothing has changed.")


def _tell(settings: Settings, promotion: Promotion) -> None:
    """Whoever is to hear of it does, after the answer: a slow receiver keeps nobody waiting."""
    from gatekeeper.pipeline import alarms  # the pages need nothing of it

    with Registry.configured(settings) as registry:
        alarms.tell_promotion(settings, registry, promotion)
