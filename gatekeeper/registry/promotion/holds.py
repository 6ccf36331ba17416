"""Holds and quarantines: set, release, and refuse promotions while one is in force."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, update

from gatekeeper.errors import ConfigError, Held, Quarantined
from gatekeeper.registry.context import RegistryContext, aware, plain
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work, now
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.records import Hold, Quarantine

_h, _q = tables.holds.c, tables.quarantines.c
_IN_FORCE = (
    select(_q.model_id.label("id"), _q.sha256, _q.actor, _q.reason, _q.at)
    .where((_q.sha256 == bindparam("these")) & _q.released_at.is_(None))
    .order_by(_q.id.desc())
    .limit(1)
)


def set_hold(context: RegistryContext, *, actor: str, reason: str, until: datetime | None) -> Hold:
    """Stop promotions by weekly runs until `release`, or until the time `until`. Replaces the current hold."""
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    until = aware(until, "until")
    with context.database.write() as work:
        at = now(work.connection)
        if until is not None and until <= at:
            raise ConfigError(
                f"until {until.isoformat()} lies in the past: it is {at.isoformat(timespec='seconds')} now. "
                "Give a later time."
            )
        _release(work, tables.holds, _h.released_at.is_(None), actor, "replaced by another hold")
        work.connection.execute(tables.holds.insert().values(actor=actor, reason=reason, until=until, at=at))
        placed = current_hold(work.connection)
    if placed is None:
        raise AssertionError("a hold was written under the lock")
    return placed


def current_hold(connection: Connection) -> Hold | None:
    """The hold in force, by the database's time; None if there is none."""
    in_force = _h.released_at.is_(None) & (_h.until.is_(None) | (_h.until > now(connection)))
    row = connection.execute(
        select(_h.id, _h.actor, _h.reason, _h.until, _h.at).where(in_force).order_by(_h.id.desc()).limit(1)
    ).first()
    return Hold(**row._mapping) if row else None


def release_hold(context: RegistryContext, *, actor: str, reason: str) -> bool:
    """Release the current hold. False if there was none."""
    actor = plain(actor, "actor")
    with context.database.write() as work:
        was_held = current_hold(work.connection) is not None
        _release(work, tables.holds, _h.released_at.is_(None), actor, reason)
    return was_held


def release_quarantine(context: RegistryContext, model_id: int, *, actor: str, reason: str) -> bool:
    """Clear the quarantine on the bytes of model `model_id`, and on those of its judged model.

    False if there was none. Raises UnknownModel.
    """
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    with context.database.write() as work:
        sha256 = catalogue.model(work.connection, model_id).sha256
        judged = refits.unseen(work.connection, model_id)
        these = (_q.sha256 == sha256) | (_q.model_id == judged.id) if judged else _q.sha256 == sha256
        in_force = these & _q.released_at.is_(None)
        return sha256 is not None and _release(work, tables.quarantines, in_force, actor, reason) > 0


def quarantine(work: Work, model_id: int, sha256: str, *, actor: str, reason: str) -> None:
    """Quarantine these bytes, so that they can't be promoted again."""
    work.connection.execute(
        tables.quarantines.insert().values(
            model_id=model_id, sha256=sha256, actor=actor, reason=reason, at=now(work.connection)
        )
    )


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
    """Raise Held if a hold is in force."""
    if found := current_hold(connection):
        ends = f" until {found.until:%Y-%m-%d %H:%M} UTC" if found.until else ""
        raise Held(f"A hold by {found.actor} is in force{ends} ({found.reason}). Release it with `gatekeeper release`.")


def _release(work: Work, table: Table, in_force: Any, actor: str, reason: str) -> int:
    released = work.connection.execute(
        update(table).where(in_force).values(released_at=now(work.connection), released_by=actor, release_reason=reason)
    )
    return int(released.rowcount)
