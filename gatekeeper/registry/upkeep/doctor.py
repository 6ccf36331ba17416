"""Registry doctor: checks database and store for consistency, and repairs what needs no choice."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from gatekeeper.errors import (
    ConfigError,
    ModelRefused,
    PromotionRefused,
    SchemaOutOfDate,
    StorageFailed,
    Unavailable,
)
from gatekeeper.logs import logger
from gatekeeper.registry.context import SIZE_CAP, DatabaseUrl, ModelsPlace, RegistryContext
from gatekeeper.registry.db import schema, tables, writes
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.retirement import mark
from gatekeeper.registry.promotion import clock
from gatekeeper.registry.promotion.promotions import PromotionOrder, audited_snapshot, promote
from gatekeeper.registry.upkeep import findings
from gatekeeper.registry.upkeep.adopt import inspect_files, take_in, unadopted
from gatekeeper.registry.upkeep.connection_proof import Fact, prove
from gatekeeper.registry.upkeep.findings import Defect, Digests, Examination, examine
from gatekeeper.registry.upkeep.rename import migrate

log = logger(__name__)

SCHEMA = "schema"  # tables of another revision: nothing else can be checked
ACTOR = "gatekeeper doctor"
_BY_MIGRATION = {findings.MISNAMED, findings.PRIMARIES, findings.INDEX}


@dataclass(frozen=True, slots=True)
class Checkup:
    """Findings that remain, findings that were repaired (see `remedy`), and rows marked as unusable models.

    connection: what the connection has, as the database says; empty if that was not asked.
    """

    findings: tuple[Defect, ...]
    repaired: tuple[Defect, ...]
    marked: tuple[Defect, ...]
    connection: tuple[Fact, ...] = ()

    @property
    def well(self) -> bool:
        """Whether there are no findings. Rows marked as unusable models are never served and do no harm."""
        return not self.findings


def check_up(
    url: DatabaseUrl,
    *,
    models: ModelsPlace = "models",
    path_prefix: str = "models/",
    size_cap: int = SIZE_CAP,
    grace_seconds: int = 3600,
    threshold: float | None = None,
    repair: bool = False,
) -> Checkup:
    """Check the registry at `url` and the connection to it, whatever the revision of its tables.

    With `repair`, fix what needs no choice.

    Raises Unavailable if database or store can't be reached: files that can't be read are not taken for missing.
    """
    context = RegistryContext.at(
        url,
        models=models,
        path_prefix=path_prefix,
        size_cap=size_cap,
        grace_seconds=grace_seconds,
        threshold=threshold,
    )
    try:
        with context.database.read() as connection:
            schema.refuse_other_revision(connection, context.database.name)
        proof = prove(context.database)
        found = examined(context, repair=repair)
        return replace(found, findings=proof.findings + found.findings, connection=proof.facts)
    except SchemaOutOfDate as fault:
        return Checkup((Defect(SCHEMA, None, None, str(fault)),), (), ())
    finally:
        context.database.close()


def examined(context: RegistryContext, *, repair: bool) -> Checkup:
    """Check the registry at `context`; after a repair, check again for the findings that remain."""
    found = _check(context)
    if not repair or not any(finding.repairable for finding in found.findings):
        return Checkup(found.findings, (), found.marked)
    _repair(context, found)
    with _tells_of_part():
        left = _check(context)
    still = {(finding.kind, finding.model_id, finding.name) for finding in left.findings}
    gone = (one for one in found.findings if one.repairable and (one.kind, one.model_id, one.name) not in still)
    return Checkup(left.findings, tuple(gone), left.marked)


def _check(context: RegistryContext) -> Examination:
    """Check, and confirm findings under the lock: a live writer has bytes that no row names yet."""
    digests = Digests(context.store)
    with context.database.read() as connection:
        found = examine(context, connection, digests)
    context.step("looked")
    if not found.findings:
        return found
    digests.forget(finding.name for finding in found.findings)
    try:
        with context.database.write() as work:
            return examine(context, work.connection, digests)
    except (Unavailable, ConfigError) as fault:  # as with row-level security, which is a finding of its own
        log.warning("The findings could not be confirmed under the lock, so they may show a writer at work: %s", fault)
        return found


def _repair(context: RegistryContext, found: Examination) -> None:
    kinds = {finding.kind for finding in found.findings if finding.repairable}
    with context.database.write(moves=True) as work:
        context.step("locked")
        _mark_ahead(work)  # first: until then no act is written on SQLite
        _repair_files(context, work)
    context.step("files mended")
    with _tells_of_part():
        if findings.UNREGISTERED in kinds:
            _adopt(context)
        if kinds & _BY_MIGRATION:
            migrate(context, dry_run=False, primary=None, actor=ACTOR, reason="--repair")
        if findings.NO_PRIMARY in kinds:
            _promote_again(context)
        if findings.HISTORY in kinds:
            with audited_snapshot(context):
                pass  # it records the primary before it opens the snapshot
    context.step("mended")


@contextmanager
def _tells_of_part() -> Iterator[None]:
    """Whatever fails after the first part of a repair was committed may not say that nothing has changed."""
    try:
        yield
    except (Unavailable, StorageFailed) as fault:
        raise type(fault)(
            "Part of the repair is done, the rest is not: registry or store can't be used now. Run `gatekeeper doctor "
            "--repair` again."
        ) from fault


def _mark_ahead(work: Work) -> None:
    """Mark the rows whose time or as-of lies ahead of the database's clock, so that neither counts any more."""
    at = clock.now(work.connection)
    for table in (tables.promotions, tables.evaluations):
        ahead = table.c.discounted_at.is_(None) & ((table.c.at > at) | (table.c.as_of > at))
        count = work.connection.execute(select(func.count()).select_from(table).where(ahead)).scalar_one()
        if count:
            writes.change(work.connection, table, ahead, {"discounted_at": at}, meant=count)


def _repair_files(context: RegistryContext, work: Work) -> None:
    """Restore named files and blobs from each other, by the findings under the lock."""
    for finding in examine(context, work.connection, Digests(context.store)).findings:
        if not finding.repairable:
            continue
        if finding.source is not None and finding.name is not None:
            work.on_failure(context.store.place(finding.name, context.store.read(finding.source)))
        elif finding.kind == findings.ORPHANED and finding.name is not None:
            mark(work, [finding.name])
        elif finding.kind == findings.TEMPORARY and finding.name is not None:
            context.store.remove(finding.name)
        elif finding.kind == findings.COUNTER:
            newest = catalogue.newest_promotion(work.connection)
            count = {"generation": newest.generation if newest else 0}
            writes.change(work.connection, tables.lock, tables.lock.c.id == 1, count)
        else:
            continue
        context.step(f"mended {finding.kind} {finding.name}")


def _adopt(context: RegistryContext) -> None:
    """Adopt rows as `db upgrade` does: untrusted files run in a child process first, outside the lock."""
    with context.database.read() as connection:
        pending = unadopted(connection)
    finds = inspect_files(context, pending)
    with context.database.write() as work:
        take_in(context, work, finds)


def _promote_again(context: RegistryContext) -> None:
    """Promote the newest promotion's model again, with the same as-of: nothing newer was judged."""
    with context.database.read() as connection:
        last = catalogue.newest_promotion(connection)
    if last is None:
        return
    reason = "no row was the primary any more; the newest promotion on record is of this model"
    with suppress(ModelRefused, PromotionRefused):  # the check after the repair shows that it remains
        as_of = None if last.discounted_at else last.as_of
        promote(context, PromotionOrder(last.to_id, actor=ACTOR, reason=reason, kind="manual", as_of=as_of))
