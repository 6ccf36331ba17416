"""Which primary was there before, and how does it come back?"""

from datetime import datetime

from sqlalchemy import Connection, select

from gatekeeper.errors import GenerationMoved, PromotionRefused
from gatekeeper.registry import brakes, catalogue, tables, twins
from gatekeeper.registry.database import Work
from gatekeeper.registry.home import Home
from gatekeeper.registry.promotions import Order, move, refuse_unsettled, settle_history
from gatekeeper.registry.records import Model, Promotion
from gatekeeper.registry.retirement import sweep
from gatekeeper.registry.verification import refuse_unregistered, vouch


def roll_back(
    home: Home,
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
    settle_history(home)
    with home.database.read() as connection:
        if done := catalogue.promotion_by_key(connection, run_key):
            return done
        back, left = predecessor(connection), refuse_unsettled(connection)
    order = Order(back.id, actor=actor, reason=reason, kind="rollback", run_key=run_key, now=now)
    vouch(home, back, home.store.find(back.file_name, refuse_unregistered(back)))
    home.step("verified")
    with home.database.write() as work:
        home.step("locked")
        connection = work.connection
        if done := catalogue.promotion_by_key(connection, run_key):
            return done
        current = _refuse_moved(work, expected, left, back)
        if current.sha256 is not None:
            brakes.quarantine(work, current.id, current.sha256, actor=order.actor, reason=order.reason)
            if (twin := twins.unseen(connection, current.id)) is not None and twin.sha256 is not None:
                why = f"the judged twin of model {current.id}: {order.reason}"
                brakes.quarantine(work, twin.id, twin.sha256, actor=order.actor, reason=why)
            home.step("quarantined")
        promotion = move(home, work, catalogue.model(connection, back.id), order, as_of=None)
    home.step("committed")
    sweep(home)
    return promotion


def way_back(home: Home) -> Model:
    """Where a rollback would go now, verified to load; nothing moves. Raises what `roll_back` raises."""
    settle_history(home)
    with home.database.read() as connection:
        back = predecessor(connection)
    vouch(home, back, home.store.find(back.file_name, refuse_unregistered(back)))
    return back


def predecessor(connection: Connection) -> Model:
    """The primary before this one; never one with quarantined bytes, or with those that are being left."""
    current = refuse_unsettled(connection)
    if current is None:
        raise PromotionRefused("there is no primary to roll back from; `gatekeeper promote -i ID` makes one")
    for model_id in reversed(_ladder(connection, current.id)):
        found = catalogue.model(connection, model_id)
        if found.sha256 != current.sha256 and brakes.quarantined(connection, found.sha256) is None:
            return found
    raise PromotionRefused(
        f"no primary before {current.version} is left to go back to; `gatekeeper promote -i ID` takes another model"
    )


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


def _refuse_moved(work: Work, expected: int | None, left: Model | None, back: Model) -> Model:
    """The primary that is left: still the one that was looked at, with the same one before it."""
    current = refuse_unsettled(work.connection)
    moved = expected not in (None, work.generation)
    if moved or current is None or left is None or current.id != left.id or predecessor(work.connection).id != back.id:
        raise GenerationMoved("another promotion came between; nothing has changed: look at `gatekeeper history`")
    return current
