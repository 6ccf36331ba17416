"""Which primary was there before, and how does it come back?"""

from datetime import datetime

from sqlalchemy import Connection, select

from gatekeeper.errors import GenerationMoved, PromotionRefused
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.retirement import sweep
from gatekeeper.registry.models.verification import refuse_unregistered, vouch
from gatekeeper.registry.promotion import holds
from gatekeeper.registry.promotion.promotions import PromotionOrder, move, settled, standing
from gatekeeper.registry.records import Model, Promotion


def roll_back(
    context: RegistryContext,
    *,
    actor: str,
    reason: str,
    now: datetime | None,
    expected: int | None = None,
    run_key: str | None = None,
) -> Promotion:
    """Promote the primary before, and quarantine the bytes that are left, and those of their judged twin.

    The one that comes back is verified before anything moves; rolling back twice goes one further back, but a run key
    rolls back once. Raises PromotionRefused where there is none, ModelRefused where it doesn't load: `promote -i ID`
    takes another; GenerationMoved where another promotion came between.
    """
    with settled(context) as (connection, found):
        if done := catalogue.promotion_by_key(connection, run_key):
            return done
        left = found.primary
        back = predecessor(connection, left)
    order = PromotionOrder(back.id, actor=actor, reason=reason, kind="rollback", run_key=run_key, now=now)
    vouch(context, back, context.store.find(back.file_name, refuse_unregistered(back)))
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        connection = work.connection
        if done := catalogue.promotion_by_key(connection, run_key):
            return done
        found = standing(connection)
        current, back = _refuse_moved(work, expected, found.primary, left, back)
        if current.sha256 is not None:
            _quarantine(work, current, current.sha256, order)
            context.step("quarantined")
        promotion = move(context, work, found, back, order, as_of=None)
    context.step("committed")
    sweep(context)
    return promotion


def way_back(context: RegistryContext) -> Model:
    """Where a rollback would go now, verified to load; nothing moves. Raises what `roll_back` raises."""
    with settled(context) as (connection, found):
        back = predecessor(connection, found.primary)
    vouch(context, back, context.store.find(back.file_name, refuse_unregistered(back)))
    return back


def predecessor(connection: Connection, current: Model | None) -> Model:
    """The primary before this one; never one with quarantined bytes, or with those that are being left."""
    if current is None:
        raise PromotionRefused("there is no primary to roll back from; `gatekeeper promote -i ID` makes one")
    for model_id in reversed(_ladder(connection, current.id)):
        found = catalogue.model(connection, model_id)
        if found.sha256 != current.sha256 and holds.quarantined(connection, found.sha256) is None:
            return found
    raise PromotionRefused(
        f"no primary before {current.version} is left to go back to; `gatekeeper promote -i ID` takes another model"
    )


def _quarantine(work: Work, left: Model, sha256: str, order: PromotionOrder) -> None:
    """The bytes that are left, and those of the twin that was judged for them."""
    holds.quarantine(work, left.id, sha256, actor=order.actor, reason=order.reason)
    if (twin := refits.unseen(work.connection, left.id)) is not None and twin.sha256 is not None:
        why = f"the judged twin of model {left.id}: {order.reason}"
        holds.quarantine(work, twin.id, twin.sha256, actor=order.actor, reason=why)


def _ladder(connection: Connection, current_id: int) -> list[int]:
    """The primaries before this one, oldest first: a rollback takes away what it left, so that two go two back."""
    p = tables.promotions.c
    ladder: list[int] = []
    for row in connection.execute(select(p.kind, p.to_id).order_by(p.generation)):
        if row.kind == "rollback" and row.to_id in ladder:
            while ladder[-1] != row.to_id:
                ladder.pop()
        else:
            ladder.append(row.to_id)
    while ladder and ladder[-1] == current_id:
        ladder.pop()
    return ladder


def _refuse_moved(
    work: Work, expected: int | None, current: Model | None, left: Model | None, back: Model
) -> tuple[Model, Model]:
    """The primary that is left and the one before it: still those that were looked at."""
    if expected in (None, work.generation) and current is not None and left is not None and current.id == left.id:
        before = predecessor(work.connection, current)
        if before.id == back.id:
            return current, before
    raise GenerationMoved("another promotion came between; nothing has changed: look at `gatekeeper history`")
