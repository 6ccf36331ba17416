"""Retirement: garbage collection of model files that no row holds.

A file name that no row holds any more is not removed during the promotion: a reader with the old path must still find
its bytes. It is marked with the database's time, and removed after the grace period by the next promotion or `gc`,
under the lock. Orphaned blobs and half-written files are removed by `gc` alone. A file that a row holds is never
removed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, union

from gatekeeper.errors import ModelRefused, StorageFailed, Unavailable
from gatekeeper.logs import logger
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work, now
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.store.base import BLOBS, blob_name, sha256_of

log = logger(__name__)
_name = tables.retired.c.name
_AGES = select(_name, tables.retired.c.at, tables.Clock().label("now"))
_EVER = datetime.min.replace(tzinfo=UTC)
_OURS = re.compile(rf"({naming.PRIMARY}|{naming.STANDARD})\d+{re.escape(naming.SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Disposal:
    """One file that no row holds. `since` is when that was first known."""

    name: str
    why: str  # retired, orphaned, temporary
    since: datetime
    due: bool  # the grace period is over: it is removed now


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The files that `gc` removes (or would remove, in a dry run), and those it leaves until the grace period ends."""

    removed: tuple[Disposal, ...]
    waiting: tuple[Disposal, ...]
    grace_seconds: int
    dry_run: bool


def mark(work: Work, names: Sequence[str], *, held: Sequence[str] = (), at: datetime | None = None) -> None:
    """Mark names that no row holds any more, with the database's time `at`; unmark the names in `held`."""
    unmark(work, [*held, *names])
    if names:
        at = at or now(work.connection)
        writes.add(work.connection, tables.retired, [{"name": name, "at": at} for name in names])


def unmark(work: Work, names: Iterable[str]) -> None:
    """Remove the marks of names that a row holds again, or whose files are gone."""
    gone = list(names)
    writes.remove(work.connection, tables.retired, _name.in_(gone), most=len(gone))


def marked(connection: Connection) -> dict[str, datetime]:
    """The marked names, each with the database's time of the mark."""
    return {row.name: row.at for row in connection.execute(select(_name, tables.retired.c.at).order_by(_name))}


def sweep(context: RegistryContext) -> None:
    """Remove the marked names whose grace period is over. A file that can't be removed now is left for next time.

    It comes after a commit, so that a database which fails here must not make the act look as if it had not happened.
    """
    try:
        with context.database.glance() as connection:
            if not _due(connection, context):
                return
        with context.database.write() as work:
            due = _due(work.connection, context)
            for name in due:
                if not catalogue.holders(work.connection, name) and backed_up_digest(context, name):
                    work.refuse_lost_lock()
                    context.store.remove(name)
                    context.step(f"removed {name}")
            unmark(work, due)
    except (Unavailable, StorageFailed) as fault:
        log.warning("Retired files were not removed, and will be at the next promotion or `gatekeeper gc`: %s", fault)


def collect(context: RegistryContext, *, dry_run: bool) -> CleanUp:
    """Remove the files that no row holds and whose grace period is over; a dry run only lists them.

    Raises Unavailable if the store can't be reached or written; files removed until then belonged to no row.
    """
    if dry_run:
        with context.database.read() as connection:
            return _plan(context, connection, dry_run=True)
    with context.database.write() as work:
        context.step("locked")
        plan = _plan(context, work.connection, dry_run=False)
        for done, each in enumerate(plan.removed):
            work.refuse_lost_lock()
            _remove(context, each.name, done)
            context.step(f"removed {each.name}")
        work.refuse_lost_lock()  # from here on, a lost connection would be told as if nothing had changed
        known, waiting = marked(work.connection).keys(), {each.name for each in plan.waiting}
        mark(work, sorted(name for name in waiting - known if is_ours(name)))
        unmark(work, known - waiting)
        context.step("noted")
    context.step("committed")
    return plan


def _remove(context: RegistryContext, name: str, done: int) -> None:
    """Remove a file. A store that refuses says that nothing has changed, which is wrong after `done` removals."""
    try:
        context.store.remove(name)
    except (Unavailable, StorageFailed) as fault:
        if not done:
            raise
        raise type(fault)(
            f"{context.store.where(name)} can't be removed. {done} file{'s' * (done != 1)} that no model needs had "
            "been removed before it. Check that GATEKEEPER_MODELS can be written, then repeat `gatekeeper gc`."
        ) from fault


def is_ours(name: str) -> bool:
    """Whether only Gatekeeper gives such a name. Any other file may be a user's own."""
    return _OURS.fullmatch(name) is not None


def backed_up_digest(context: RegistryContext, name: str) -> str | None:
    """The sha256 of a file whose bytes are in a blob too; None for any other file, which may be a user's, and stays."""
    try:
        sha256 = sha256_of(context.store.read(name))
    except ModelRefused:
        return None
    return sha256 if context.store.holds(blob_name(sha256), sha256) else None


def held_digests(connection: Connection) -> set[str]:
    """The sha256 of all bytes that a row refers to, usable or not."""
    a, f, e, q = tables.artifacts.c, tables.faults.c, tables.evaluations.c, tables.quarantines.c
    columns = (a.sha256, f.sha256, e.challenger_sha256, e.champion_sha256, q.sha256)
    found = connection.execute(union(*(select(column.label("sha256")) for column in columns)))
    return {row.sha256 for row in found if row.sha256 is not None}


def _due(connection: Connection, context: RegistryContext) -> list[str]:
    """The marked names whose grace period is over, without blobs, which only `gc` removes."""
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
    """Names that no row's path ends in. The grace period of an unmarked one begins now: it may just have been read.

    An unmarked name with bytes that no row refers to may be a user's only copy: it stays.
    """
    retired, digests = marked(connection), held_digests(connection)
    held = {model.file_name for model in catalogue.models(connection)}
    for name in context.store.names():
        if name in held or not (name in retired or is_ours(name)) or not (sha256 := backed_up_digest(context, name)):
            continue
        if name in retired:
            yield name, "retired", retired[name]
        elif sha256 in digests:
            yield name, "orphaned", at


def _blobs(context: RegistryContext, connection: Connection, at: datetime) -> Iterator[tuple[str, str, datetime]]:
    retired, held = marked(connection), held_digests(connection)
    for sha256 in context.store.blobs():
        name = blob_name(sha256)
        if sha256 not in held:
            yield name, "orphaned", max(context.store.written_at(name) or at, retired.get(name, _EVER))


def _leftovers(context: RegistryContext, at: datetime) -> Iterator[tuple[str, str, datetime]]:
    for name in context.store.leftovers():
        yield name, "temporary", context.store.written_at(name) or at
