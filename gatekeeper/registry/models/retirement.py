"""When do bytes that no row holds go?

A file name that no row holds any more never goes during a promotion: a reader with a path from before must still find
its bytes. It is noted with the database's time, and goes past the grace, at the next promotion or `gc`, under the
lock. Blobs and half-written files that no row knows go by `gc` alone. What a row holds never goes.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, union

from gatekeeper.errors import ModelRefused, Unavailable
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work, now
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.store.base import BLOBS, blob_name, sha256_of

log = logging.getLogger(__name__)
_name = tables.retired.c.name
_STRUCK = delete(tables.retired).where(_name.in_(bindparam("names", expanding=True)))
_AGES = select(_name, tables.retired.c.at, tables.Clock().label("now"))
_EVER = datetime.min.replace(tzinfo=UTC)
_OURS = re.compile(rf"({naming.PRIMARY}|{naming.STANDARD})\d+{re.escape(naming.SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Disposal:
    """One file that no row holds. `since` is when that began, as far as anyone knows."""

    name: str
    why: str  # retired, orphaned, temporary
    since: datetime
    due: bool  # past the grace: it goes now


@dataclass(frozen=True, slots=True)
class CleanUp:
    """What `gc` removes (in a dry run: would remove), and what it leaves until the grace is over."""

    removed: tuple[Disposal, ...]
    waiting: tuple[Disposal, ...]
    grace_seconds: int
    dry_run: bool


def retire(work: Work, names: Sequence[str], *, held: Sequence[str] = (), at: datetime | None = None) -> None:
    """Note that no row holds these names from now on (`at`, the database's time); those of `held` are held again."""
    strike(work, [*held, *names])
    if names:
        at = at or now(work.connection)
        work.connection.execute(tables.retired.insert(), [{"name": name, "at": at} for name in names])


def strike(work: Work, names: Iterable[str]) -> None:
    """These names are held again, or gone."""
    work.connection.execute(_STRUCK, {"names": list(names)})


def noted(connection: Connection) -> dict[str, datetime]:
    """The names that were retired, each with the database's time."""
    return {row.name: row.at for row in connection.execute(select(_name, tables.retired.c.at).order_by(_name))}


def sweep(context: RegistryContext) -> None:
    """Remove the retired names that are past the grace. What can't be removed just now is left for the next time."""
    with context.database.glance() as connection:
        if not _due(connection, context):
            return
    try:
        with context.database.write() as work:
            due = _due(work.connection, context)
            for name in due:
                if not catalogue.holders(work.connection, name) and kept_digest(context, name):
                    work.refuse_lost_lock()
                    context.store.remove(name)
                    context.step(f"removed {name}")
            strike(work, due)
    except Unavailable as fault:
        log.warning("retired file names stay for now: %s", fault)


def clean(context: RegistryContext, *, dry_run: bool) -> CleanUp:
    """Remove what no row holds and what is past the grace, in database and store; or only say what that would be.

    Raises Unavailable where the store can't be reached or written; what was removed until then was nobody's.
    """
    if dry_run:
        with context.database.read() as connection:
            return _plan(context, connection, dry_run=True)
    with context.database.write() as work:
        context.step("locked")
        plan = _plan(context, work.connection, dry_run=False)
        for each in plan.removed:
            work.refuse_lost_lock()
            context.store.remove(each.name)
            context.step(f"removed {each.name}")
        known, waiting = noted(work.connection).keys(), {each.name for each in plan.waiting}
        retire(work, sorted(name for name in waiting - known if is_ours(name)))
        strike(work, known - waiting)
        context.step("noted")
    context.step("committed")
    return plan


def is_ours(name: str) -> bool:
    """Is this a name that only Gatekeeper gives? Any other file may be a user's own."""
    return _OURS.fullmatch(name) is not None


def kept_digest(context: RegistryContext, name: str) -> str | None:
    """The sha256 of bytes that live on in a blob; None for others: what somebody put there is theirs, and stays."""
    try:
        sha256 = sha256_of(context.store.read(name))
    except ModelRefused:
        return None
    return sha256 if context.store.holds(blob_name(sha256), sha256) else None


def held_digests(connection: Connection) -> set[str]:
    """The sha256 of all bytes that some row relies on, usable or not."""
    a, f, e, q = tables.artifacts.c, tables.faults.c, tables.evaluations.c, tables.quarantines.c
    columns = (a.sha256, f.sha256, e.challenger_sha256, e.champion_sha256, q.sha256)
    found = connection.execute(union(*(select(column.label("sha256")) for column in columns)))
    return {row.sha256 for row in found if row.sha256 is not None}


def _due(connection: Connection, context: RegistryContext) -> list[str]:
    """Retired names past the grace; blobs are for `gc` alone."""
    grace = timedelta(seconds=context.grace_seconds)
    past = [row.name for row in connection.execute(_AGES) if row.at <= row.now - grace]
    return [name for name in past if not name.startswith(BLOBS)]


def _plan(context: RegistryContext, connection: Connection, *, dry_run: bool) -> CleanUp:
    at = now(connection)
    limit = at - timedelta(seconds=context.grace_seconds)
    found = [*_names(context, connection, at), *_blobs(context, connection, at), *_leftovers(context, at)]
    disposals = [Disposal(name, why, since, since <= limit) for name, why, since in found]
    return CleanUp(
        removed=tuple(each for each in disposals if each.due),
        waiting=tuple(each for each in disposals if not each.due),
        grace_seconds=context.grace_seconds,
        dry_run=dry_run,
    )


def _names(context: RegistryContext, connection: Connection, at: datetime) -> Iterator[tuple[str, str, datetime]]:
    """Names that no row's path ends in. What was never noted counts from now: somebody may just have read it.

    One that was never noted, with bytes that no row relies on, may be all that a user has of them: it stays.
    """
    retired, digests = noted(connection), held_digests(connection)
    held = {model.file_name for model in catalogue.models(connection)}
    for name in context.store.names():
        if name in held or not (name in retired or is_ours(name)) or not (sha256 := kept_digest(context, name)):
            continue
        if name in retired:
            yield name, "retired", retired[name]
        elif sha256 in digests:
            yield name, "orphaned", at


def _blobs(context: RegistryContext, connection: Connection, at: datetime) -> Iterator[tuple[str, str, datetime]]:
    retired, held = noted(connection), held_digests(connection)
    for sha256 in context.store.blobs():
        name = blob_name(sha256)
        if sha256 not in held:
            yield name, "orphaned", max(context.store.written_at(name) or at, retired.get(name, _EVER))


def _leftovers(context: RegistryContext, at: datetime) -> Iterator[tuple[str, str, datetime]]:
    for name in context.store.leftovers():
        yield name, "temporary", context.store.written_at(name) or at
