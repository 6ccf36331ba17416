"""What keeps a promotion from happening: a hold, or a quarantine on these bytes?"""

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
_STANDING = (
    select(_q.model_id.label("id"), _q.sha256, _q.actor, _q.reason, _q.at)
    .where((_q.sha256 == bindparam("these")) & _q.released_at.is_(None))
    .order_by(_q.id.desc())
    .limit(1)
)


def set_hold(context: RegistryContext, *, actor: str, reason: str, until: datetime | None) -> Hold:
    """From now on weekly runs promote nothing, until `release`, or `until`."""
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    until = aware(until, "until")
    with context.database.write() as work:
        at = now(work.connection)
        if until is not None and until <= at:
            raise ConfigError(f"until {until.isoformat()} is past already; it is {at.isoformat(timespec='seconds')}")
        _lift(work, tables.holds, _h.released_at.is_(None), actor, "replaced by another hold")
        work.connection.execute(tables.holds.insert().values(actor=actor, reason=reason, until=until, at=at))
        placed = current_hold(work.connection)
    if placed is None:
        raise AssertionError("a hold was written under the lock")
    return placed


def current_hold(connection: Connection) -> Hold | None:
    """The hold that stands, by the database's time."""
    standing = _h.released_at.is_(None) & (_h.until.is_(None) | (_h.until > now(connection)))
    row = connection.execute(
        select(_h.id, _h.actor, _h.reason, _h.until, _h.at).where(standing).order_by(_h.id.desc()).limit(1)
    ).first()
    return Hold(**row._mapping) if row else None


def release_hold(context: RegistryContext, *, actor: str, reason: str) -> bool:
    """Lift the hold. False where none stood."""
    actor = plain(actor, "actor")
    with context.database.write() as work:
        stood = current_hold(work.connection) is not None
        _lift(work, tables.holds, _h.released_at.is_(None), actor, reason)
    return stood


def release_quarantine(context: RegistryContext, model_id: int, *, actor: str, reason: str) -> bool:
    """Lift the quarantine from the bytes of model `model_id`, and from its twin's that came with it.

    False where none stood. Raises UnknownModel.
    """
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    with context.database.write() as work:
        sha256 = catalogue.model(work.connection, model_id).sha256
        twin = refits.unseen(work.connection, model_id)
        these = (_q.sha256 == sha256) | (_q.model_id == twin.id) if twin else _q.sha256 == sha256
        standing = these & _q.released_at.is_(None)
        return sha256 is not None and _lift(work, tables.quarantines, standing, actor, reason) > 0


def quarantine(work: Work, model_id: int, sha256: str, *, actor: str, reason: str) -> None:
    """These bytes may not be promoted again."""
    work.connection.execute(
        tables.quarantines.insert().values(
            model_id=model_id, sha256=sha256, actor=actor, reason=reason, at=now(work.connection)
        )
    )


def quarantined(connection: Connection, sha256: str | None) -> Quarantine | None:
    """The quarantine that stands on these bytes."""
    row = connection.execute(_STANDING, {"these": sha256}).first()
    return Quarantine(**row._mapping) if row else None


def refuse_quarantined(connection: Connection, model_id: int, sha256: str | None) -> None:
    """Raise Quarantined where these bytes were rolled back from."""
    if found := quarantined(connection, sha256):
        raise Quarantined(
            f"the bytes of model {model_id} (sha256 {found.sha256[:12]}…) were rolled back from on "
            f"{found.at:%Y-%m-%d %H:%M} UTC by {found.actor} ({found.reason}); "
            f"`gatekeeper release --quarantine {found.id} --reason ...` lifts that"
        )


def refuse_held(connection: Connection) -> None:
    """Raise Held where a hold stands."""
    if found := current_hold(connection):
        ends = f" until {found.until:%Y-%m-%d %H:%M} UTC" if found.until else ""
        raise Held(f"a hold stands{ends}, by {found.actor} ({found.reason}); `gatekeeper release` lifts it")


def _lift(work: Work, table: Table, standing: Any, actor: str, reason: str) -> int:
    lifted = work.connection.execute(
        update(table).where(standing).values(released_at=now(work.connection), released_by=actor, release_reason=reason)
    )
    return int(lifted.rowcount)
