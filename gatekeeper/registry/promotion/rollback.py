"""Rollback: restores the previous primary, and quarantines the bytes of the current one."""

from sqlalchemy import Connection, select

from gatekeeper.errors import GenerationMoved, PromotionRefused
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.retirement import sweep
from gatekeeper.registry.models.verification import refuse_unregistered, verify_registered
from gatekeeper.registry.promotion import holds
from gatekeeper.registry.promotion.promotions import PromotionOrder, audited_snapshot, keyed, move, standing
from gatekeeper.registry.records import Model, Promotion


def roll_back(
    context: RegistryContext,
    *,
    actor: str,
    reason: str,
    expected: int | None = None,
    run_key: str | None = None,
) -> Promotion:
    """Promote the previous primary, and quarantine the bytes of the current one and of its judged model.

    The restored model is verified before anything changes. A second rollback goes one further back, but a run key rolls
    back once. Raises PromotionRefused if there is no previous primary, ModelRefused if it doesn't load,
    GenerationMoved if another promotion came first, KeyUsed if the key did something else, ClockBehind.
    """
    order = PromotionOrder(None, actor=actor, reason=reason, kind="rollback", run_key=run_key)
    with audited_snapshot(context) as (connection, found):
        if done := keyed(connection, order, None):
            return done
        left = found.primary
        back = predecessor(connection, left)
    verify_registered(context, back, context.store.find(back.file_name, refuse_unregistered(back)))
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        connection = work.connection
        if done := keyed(connection, order, None):
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
    """The model that a rollback would restore now, verified to load. Changes nothing; raises what `roll_back` does."""
    with audited_snapshot(context) as (connection, found):
        back = predecessor(connection, found.primary)
    verify_registered(context, back, context.store.find(back.file_name, refuse_unregistered(back)))
    return back


def predecessor(connection: Connection, current: Model | None) -> Model:
    """The primary before this one, without those whose bytes are quarantined or are those of `current`.

    Raises PromotionRefused if there is none.
    """
    if current is None:
        raise PromotionRefused("There is no primary to roll back from. Promote one with `gatekeeper promote -i ID`.")
    for model_id in reversed(_earlier_primaries(connection, current.id)):
        found = catalogue.model(connection, model_id)
        if found.sha256 != current.sha256 and holds.quarantined(connection, found.sha256) is None:
            return found
    raise PromotionRefused(
        f"There is no earlier primary with other bytes than {current.version} to roll back to. "
        "Promote another model with `gatekeeper promote -i ID`."
    )


def _quarantine(work: Work, left: Model, sha256: str, order: PromotionOrder) -> None:
    """Quarantine the bytes of the model that is left, and those of its judged model."""
    holds.quarantine(work, left.id, sha256, actor=order.actor, reason=order.reason)
    if (judged := refits.unseen(work.connection, left.id)) is not None and judged.sha256 is not None:
        why = f"judged model of the refit {left.id}: {order.reason}"
        holds.quarantine(work, judged.id, judged.sha256, actor=order.actor, reason=why)


def _earlier_primaries(connection: Connection, current_id: int) -> list[int]:
    """The primaries before this one, oldest first, without those that a rollback has left."""
    p = tables.promotions.c
    earlier: list[int] = []
    for row in connection.execute(select(p.kind, p.to_id).order_by(p.generation)):
        if row.kind == "rollback" and row.to_id in earlier:
            while earlier[-1] != row.to_id:
                earlier.pop()
        else:
            earlier.append(row.to_id)
    while earlier and earlier[-1] == current_id:
        earlier.pop()
    return earlier


def _refuse_moved(
    work: Work, expected: int | None, current: Model | None, left: Model | None, back: Model
) -> tuple[Model, Model]:
    """The primary that is left and the one before it. Raises GenerationMoved if they changed since they were read."""
    if expected in (None, work.generation) and current is not None and left is not None and current.id == left.id:
        before = predecessor(work.connection, current)
        if before.id == back.id:
            return current, before
    raise GenerationMoved("Another promotion came first, so nothing has changed. Check `gatekeeper history`.")
