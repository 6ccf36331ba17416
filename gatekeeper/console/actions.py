"""Console actions: promote, roll back, hold and release, each verified by the registry."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatekeeper.console.dependencies import Actor, DeskOfPath, DeskSettings, OpenRegistry, actor_of
from gatekeeper.errors import PromotionRefused
from gatekeeper.registry import Promotion, Registry
from gatekeeper.registry.models.catalogue import LARGEST_ID
from gatekeeper.settings import Settings

router = APIRouter(prefix="/{desk}/acts", dependencies=[Depends(actor_of)])

ModelId = Annotated[int, Path(ge=0, le=LARGEST_ID)]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("give a reason; it is recorded in the history")
    return text


def _aware(instant: datetime) -> datetime:
    """The instant; one without an offset is UTC, as the form says."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


class ActForm(BaseModel):
    """The request body of every act."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, AfterValidator(_said)] = Field(min_length=1, max_length=1000)


class Move(ActForm):
    """An act that changes the primary. generation: the one that the page showed; the act is refused if it has moved."""

    generation: int | None = Field(None, ge=0)


class HoldOrder(ActForm):
    """A hold on weekly promotions until that instant, or until it is released."""

    until: Annotated[datetime, AfterValidator(_aware)] | None = None


class Done(BaseModel):
    """The act's effect, in a sentence."""

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
    """Promote the model to primary once it is verified; marked `manual` in the history."""
    if settings.approval:
        raise PromotionRefused(
            f"nothing was promoted: promotions of this desk need approval. Trigger the DAG {desk.dag_id('promote')}, "
            "which asks for it"
        )
    before = registry.generation()
    promotion = registry.promote(model, actor=actor, reason=order.reason, expected_generation=order.generation)
    if promotion.generation <= before:
        return Done(message=registry.effect(None, f"{registry.model(model).version} is the primary already"))
    later.add_task(_tell, settings, promotion)
    return Done(message=registry.effect(promotion))


@router.post("/rollback")
def roll_back(
    order: Move, settings: DeskSettings, registry: OpenRegistry, actor: Actor, later: BackgroundTasks
) -> Done:
    """Roll back to the primary before, once it is verified; the bytes of the current one are quarantined."""
    promotion = registry.rollback(actor=actor, reason=order.reason, expected_generation=order.generation)
    later.add_task(_tell, settings, promotion)
    effect, left = registry.effect(promotion), promotion.from_id
    barred = left is not None and registry.quarantined(registry.model(left).sha256) is not None
    return Done(message=effect + (f" Model {left} is quarantined." if barred else ""))


@router.post("/hold")
def hold(order: HoldOrder, registry: OpenRegistry, actor: Actor) -> Done:
    """Place a hold, beside those in force: weekly runs judge and record but promote nothing."""
    registry.hold(actor=actor, reason=order.reason, until=order.until)
    return Done(message=registry.hold_effect())


@router.post("/release")
def release_only(order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Release the only hold in force; refused if there are more."""
    return Done(message=registry.release_effect(registry.release(actor=actor, reason=order.reason)))


@router.post("/release/{hold}")
def release(hold: ModelId, order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Release one hold; the others stay in force."""
    return Done(message=registry.release_effect(registry.release(hold, actor=actor, reason=order.reason), hold))


@router.post("/release-all")
def release_all(order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Release every hold in force."""
    return Done(message=registry.release_effect(registry.release(every=True, actor=actor, reason=order.reason)))


@router.post("/release-quarantine/{model}")
def release_quarantine(model: ModelId, order: ActForm, registry: OpenRegistry, actor: Actor) -> Done:
    """Release the model's bytes from quarantine, so that they may be promoted again."""
    released = registry.release_quarantine(model, actor=actor, reason=order.reason)
    what = f"quarantine of model {model}"
    done = f"Cleared the {what}." if released else f"There was no {what}."
    return Done(message=f"{done} {registry.hold_effect(model)}")


def _tell(settings: Settings, promotion: Promotion) -> None:
    """Send the act's notice after the answer, so that a slow receiver delays nobody."""
    from gatekeeper.pipeline import alarms  # the pages need nothing of it

    with Registry.configured(settings) as registry:
        alarms.tell_promotion(settings, registry, promotion)
