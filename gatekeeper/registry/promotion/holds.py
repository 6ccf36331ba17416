"""Holds and quarantines: set, release, and refuse promotions while one is in force."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, select

from gatekeeper.errors import ConfigError, Held, PromotionRefused, Quarantined
from gatekeeper.registry.context import RegistryContext, aware, plain, storable
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work, now
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.orders import digest, key_used
from gatekeeper.registry.promotion import keys
from gatekeeper.registry.records import Hold, Quarantine

_h, _q = tables.holds.c, tables.quarantines.c
_ALL = select(tables.holds)
_STANDING = _ALL.where(_h.released_at.is_(None) & (_h.until.is_(None) | (_h.until > tables.Clock()))).order_by(_h.id)
_KEYED = select(_q.sha256, _q.model_id, _q.release_reason).where(_q.release_key == bindparam("key"))
_IN_FORCE = (
    select(_q.model_id.label("id"), _q.sha256, _q.actor, _q.reason, _q.at)
    .where((_q.sha256 == bindparam("these")) & _q.released_at.is_(None))
    .order_by(_q.id.desc())
    .limit(1)
)


def set_hold(
    context: RegistryContext, *, actor: str, reason: str, until: datetime | None, run_key: str | None = None
) -> Hold:
    """Stop promotions by weekly runs until it is released, or until the time `until`. Holds stack.

    A run key places one hold. Raises ConfigError, KeyUsed if the key did something else.
    """
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    until = aware(until, "until")
    order = digest("hold", reason=reason, until=until and until.astimezone(UTC))
    with context.database.write() as work:
        connection = work.connection
        keys.refuse_other_act(connection, run_key, keys.HOLD, order, f"hold promotions: {reason}")
        if run_key is not None and (row := connection.execute(_ALL.where(_h.run_key == run_key)).first()):
            if row.order_digest != order:
                raise key_used(run_key, f"placed hold {row.id} ({row.reason})", f"hold promotions: {reason}")
            return _hold(row)
        at = now(connection)
        if until is not None and until <= at:
            raise ConfigError(
                f"until {until.isoformat()} lies in the past: it is {at.isoformat(timespec='seconds')} now. "
                "Give a later time."
            )
        values: dict[str, object] = {"actor": actor, "reason": reason, "until": until, "at": at}
        writes.add(connection, tables.holds, {**values, "run_key": run_key, "order_digest": order})
        work.settle()
        placed = _hold(connection.execute(_ALL.order_by(_h.id.desc()).limit(1)).one())
        if placed != Hold(placed.id, actor, reason, until, at) or placed not in standing(connection):
            raise rewritten("the hold", placed, values)
    return placed


def standing(connection: Connection) -> list[Hold]:
    """The holds in force, by the database's time, oldest first; promotion is open if there is none."""
    return [_hold(row) for row in connection.execute(_STANDING)]


def release(
    context: RegistryContext,
    hold_id: int | None,
    *,
    every: bool = False,
    actor: str,
    reason: str,
    run_key: str | None = None,
) -> list[Hold]:
    """Release hold `hold_id`, or the only one, or with `every` all; returns those that it released.

    A run key releases once. Raises PromotionRefused if several are in force and none is named, ConfigError, KeyUsed.
    """
    actor, reason = plain(actor, "actor"), storable(reason.strip(), "reason")
    if every:
        plain(reason, "reason")
        if hold_id is not None:
            raise ConfigError(f"Hold {hold_id} and all holds were given. Name one hold, or release all.")
    order = digest("release", hold=hold_id, every=every, reason=reason)
    asked = f"release {'all holds' if every else 'a hold' if hold_id is None else f'hold {hold_id}'}: {reason}"
    with context.database.write() as work:
        connection = work.connection
        if keys.refuse_other_act(connection, run_key, keys.RELEASE, order, asked) is not None:
            return []
        if run_key is not None and (done := _released(connection, run_key, hold_id, asked, every=every, reason=reason)):
            return done
        open_ = standing(connection)
        chosen = [one for one in open_ if every or hold_id in (None, one.id)]
        if len(chosen) > 1 and not every:
            raise PromotionRefused(
                f"{len(chosen)} holds are in force: {'; '.join(map(told, chosen))}. Name one with `gatekeeper release "
                "HOLD_ID`, or release them all with `gatekeeper release --all --reason ...`."
            )
        if not chosen and hold_id is not None and (why := _not_in_force(connection, hold_id, open_)):
            raise PromotionRefused(why)
        if not chosen:
            found = "no hold in force" if hold_id is None else f"hold {hold_id} not in force"
            keys.note_unchanged(work, run_key, keys.RELEASE, order, f"found {found}")
        _release(work, tables.holds, [one.id for one in chosen], actor, reason, run_key)
        work.settle()
        if {one.id for one in standing(connection)} != {one.id for one in open_} - {one.id for one in chosen}:
            stay = [one for one in open_ if one not in chosen]
            raise rewritten("the holds in force", standing(connection), stay)
    return chosen


def told(hold: Hold) -> str:
    """A hold in a list."""
    until = f", until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else ""
    return f"hold {hold.id} by {hold.actor} ({hold.reason}){until}"


def release_quarantine(
    context: RegistryContext, model_id: int, *, actor: str, reason: str, run_key: str | None = None
) -> bool:
    """Clear the quarantine on the bytes of model `model_id`, and on those of its judged model.

    False if there was none. A run key clears once. Raises UnknownModel, KeyUsed.
    """
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    asked = f"clear the quarantine of model {model_id}: {reason}"
    with context.database.write() as work:
        connection = work.connection
        sha256 = catalogue.model(connection, model_id).sha256
        judged = refits.unseen(connection, model_id)
        these = (_q.sha256 == sha256) | (_q.model_id == judged.id) if judged else _q.sha256 == sha256
        order = digest("clearing", model=model_id, sha256=sha256, reason=reason)
        if keys.refuse_other_act(connection, run_key, keys.CLEARING, order, asked) is not None:
            return False
        if run_key is not None:
            done = connection.execute(_KEYED, {"key": run_key}).all()
            if done and (sha256 not in {row.sha256 for row in done} or done[0].release_reason.strip() != reason):
                ids, why = min(row.model_id for row in done), done[0].release_reason
                raise key_used(run_key, f"cleared the quarantine of model {ids} ({why})", asked)
            if done:
                return True
        in_force = select(_q.id).where(these & _q.released_at.is_(None)).order_by(_q.id)
        cleared = [] if sha256 is None else list(connection.execute(in_force).scalars())
        if not cleared:
            keys.note_unchanged(work, run_key, keys.CLEARING, order, f"found no quarantine of model {model_id}")
        _release(work, tables.quarantines, cleared, actor, reason, run_key)
        work.settle()
        if left := connection.execute(in_force).scalars().all():
            raise rewritten("the quarantines in force", left, [])
    return bool(cleared)


def quarantine(work: Work, model_id: int, sha256: str, *, actor: str, reason: str) -> None:
    """Quarantine these bytes, so that they can't be promoted again."""
    at = now(work.connection)
    values = {"model_id": model_id, "sha256": sha256, "actor": actor, "reason": reason, "at": at}
    writes.add(work.connection, tables.quarantines, values)
    work.settle()
    if (stored := quarantined(work.connection, sha256)) != Quarantine(model_id, sha256, actor, reason, at):
        raise rewritten("the quarantine", stored, values)


def quarantined(connection: Connection, sha256: str | None) -> Quarantine | None:
    """The quarantine in force on these bytes; None if there is none."""
    row = connection.execute(_IN_FORCE, {"these": sha256}).first()
    return Quarantine(**row._mapping) if row else None


def refuse_quarantined(connection: Connection, model_id: int, sha256: str | None) -> None:
    """Raise Quarantined if a quarantine is in force on these bytes."""
    if found := quarantined(connection, sha256):
        raise Quarantined(
            f"Model {model_id} is quarantined: {found.actor} rolled back from its bytes (sha256 {found.sha256[:12]}…) "
            f"on {found.at:%Y-%m-%d %H:%M} UTC ({found.reason}). "
            f"Clear it with `gatekeeper release --quarantine {found.id} --reason ...`."
        )


def refuse_held(connection: Connection) -> None:
    """Raise Held if any hold is in force."""
    found = standing(connection)
    if len(found) == 1:
        (one,) = found
        ends = f" until {one.until:%Y-%m-%d %H:%M} UTC" if one.until else ""
        raise Held(
            f"A hold by {one.actor} is in force{ends} ({one.reason}). Release it with `gatekeeper release {one.id}`."
        )
    if found:
        raise Held(
            f"{len(found)} holds are in force: {'; '.join(map(told, found))}. Release each with `gatekeeper release "
            "HOLD_ID`, or all with `gatekeeper release --all --reason ...`."
        )


def _not_in_force(connection: Connection, hold_id: int, open_: list[Hold]) -> str | None:
    """Why there is no hold of this id in force; None if it was released or has ended: then nothing is left to do."""
    known = 0 <= hold_id <= catalogue.LARGEST_ID and connection.execute(_ALL.where(_h.id == hold_id)).first()
    if known:
        return None
    listed = f"In force: {'; '.join(map(told, open_))}." if open_ else "No hold is in force."
    return f"There is no hold {hold_id}. {listed}"


def _released(
    connection: Connection, run_key: str, hold_id: int | None, asked: str, *, every: bool, reason: str
) -> list[Hold]:
    """The holds that the key has released already. Raises KeyUsed if its order was another one."""
    rows = connection.execute(_ALL.where(_h.release_key == run_key).order_by(_h.id)).all()
    if not rows:
        return []
    ids, at = [row.id for row in rows], rows[0].released_at
    stayed = _ALL.where(
        _h.id.not_in(ids)
        & (_h.at < at)
        & (_h.until.is_(None) | (_h.until > at))
        & (_h.released_at.is_(None) | (_h.released_at > at))
    )
    same = ids == [hold_id] if hold_id is not None else every or len(ids) == 1
    if not same or (every and connection.execute(stayed).first()) or rows[0].release_reason.strip() != reason:
        done = f"released hold {', '.join(map(str, ids))} ({rows[0].release_reason})"
        raise key_used(run_key, done, asked)
    return [_hold(row) for row in rows]


def _hold(row: Row[Any]) -> Hold:
    return Hold(row.id, row.actor, row.reason, row.until, row.at)


def _release(work: Work, table: Table, ids: list[int], actor: str, reason: str, run_key: str | None) -> None:
    if ids:
        values = {
            "released_at": now(work.connection),
            "released_by": actor,
            "release_reason": reason,
            "release_key": run_key,
        }
        writes.change(work.connection, table, table.c.id.in_(ids), values, meant=len(ids))
