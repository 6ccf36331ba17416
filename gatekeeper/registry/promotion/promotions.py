"""Promotion: makes a model the primary in one transaction under the registry lock, and removes no file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from gatekeeper.errors import ClaimsUnsettled, ConfigError, GenerationMoved, ModelRefused
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext, aware, plain
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work, has_index, now
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.registration import refuse_taken
from gatekeeper.registry.models.retirement import mark, sweep
from gatekeeper.registry.models.verification import refuse_unregistered, verify_registered
from gatekeeper.registry.promotion import approvals, holds
from gatekeeper.registry.promotion.evaluations import refuse_outdated
from gatekeeper.registry.promotion.history_chain import chained
from gatekeeper.registry.records import KINDS_BY_EVALUATION, KINDS_BY_HAND, Model, Promotion
from gatekeeper.registry.store.base import blob_name, sha256_of

_RENAMED = update(tables.models).where(tables.models.c.id == bindparam("model"))


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """A requested promotion: the model, the actor, the reason, and the evaluation if there is one."""

    model_id: int
    actor: str
    reason: str
    kind: str
    expected_generation: int | None = None
    evaluation: int | None = None
    as_of: datetime | None = None
    run_key: str | None = None
    now: datetime | None = None
    needs_approval: bool = False

    def __post_init__(self) -> None:
        plain(self.actor, "actor")
        plain(self.reason, "reason")
        aware(self.as_of, "as-of")
        aware(self.now, "now")
        if self.run_key is not None:
            plain(self.run_key, "run key")


@dataclass(frozen=True, slots=True)
class Standing:
    """The primary, and the newest promotion in the history."""

    primary: Model | None
    newest: Promotion | None

    @property
    def is_recorded(self) -> bool:
        """Whether the newest promotion is that of the primary."""
        return self.primary is None or (self.newest is not None and self.newest.to_id == self.primary.id)


def promote(context: RegistryContext, order: PromotionOrder) -> Promotion:
    """Make the model the primary. Nothing changes if it is already, or if the run key has promoted before.

    Raises UnknownModel, ModelRefused, PromotionRefused (Held, Quarantined, Unapproved, EvaluationOutdated,
    GenerationMoved), ClaimsUnsettled, Unavailable; after each of them registry and files are as before.
    """
    if done := examine(context, order):
        return done
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        connection = work.connection
        found = _settle(work)
        if done := _done(connection, order, found):
            return done
        model = catalogue.model(connection, order.model_id)
        evaluated_as_of = _refuse(context, connection, work.generation, order, model)
        if order.needs_approval:
            order = replace(order, actor=approvals.actor(connection, order, model, work.generation))
        promotion = move(context, work, found, model, order, as_of=evaluated_as_of or order.as_of)
    context.step("committed")
    sweep(context)
    return promotion


def examine(context: RegistryContext, order: PromotionOrder) -> Promotion | None:
    """Run all checks of a promotion without promoting. Returns the promotion if it is done already.

    Raises what `promote` raises.
    """
    _refuse_kind(order)
    with audited_snapshot(context) as (connection, found):
        model = catalogue.model(connection, order.model_id)
        if done := _done(connection, order, found):
            return done
        _refuse(context, connection, catalogue.generation(connection), order, model)
    verify_registered(context, model, _bytes_to_promote(context, model))
    return None


def refuse_unsettled(connection: Connection) -> Model | None:
    """The primary. Raises ClaimsUnsettled unless the unique index exists that allows only one."""
    found = catalogue.claimants(connection)
    if len(found) > 1:
        raise catalogue.unsettled(found)
    if not has_index(connection, tables.ONE_PRIMARY):
        raise ClaimsUnsettled(
            "This database has no unique index that allows only one primary. Make it with `gatekeeper migrate-naming`."
        )
    return found[0] if found else None


def standing(connection: Connection) -> Standing:
    """The primary and the newest promotion. Raises ClaimsUnsettled as `refuse_unsettled` does."""
    return Standing(refuse_unsettled(connection), catalogue.newest_promotion(connection))


@contextmanager
def audited_snapshot(context: RegistryContext) -> Iterator[tuple[Connection, Standing]]:
    """A snapshot whose promotion history ends with its primary.

    A primary that another writer set by SQL is first recorded as a promotion, so that the history has no gap.
    """
    while True:
        with context.database.read() as connection:
            found = standing(connection)
            if found.is_recorded:
                yield connection, found
                return
        with context.database.write() as work:
            _settle(work)


def _settle(work: Work) -> Standing:
    found = standing(work.connection)
    if found.primary is None or found.is_recorded:
        return found
    reason = "found as the primary; another writer had made it so"
    return replace(found, newest=record_adopted(work, found.primary, reason, found.newest))


def record_adopted(work: Work, primary: Model, reason: str, last: Promotion | None) -> Promotion:
    """Record a primary that was found as a promotion; its as-of is the time its row was made, if that is known."""
    at = now(work.connection)
    return _audit(
        work,
        last,
        Promotion(
            generation=work.advance(),
            from_id=last.to_id if last else None,
            to_id=primary.id,
            kind="adopted",
            actor="gatekeeper",
            reason=reason,
            evaluation_id=None,
            as_of=(at if last else primary.created_at) or at,
            at=at,
            run_key=None,
            sha256=primary.sha256,
        ),
    )


def move(
    context: RegistryContext,
    work: Work,
    found: Standing,
    model: Model,
    order: PromotionOrder,
    *,
    as_of: datetime | None,
) -> Promotion:
    """Steps 3 to 5 of a promotion: the named files, both rows, the history. Does not commit.

    `found` was read under the lock.
    """
    connection, before, last = work.connection, found.primary, found.newest
    retiring = _write_name(context, work, model, naming.primary_version(model.id))
    if before is not None:
        retiring += _write_name(context, work, before, naming.standard_version(before.id))
    context.step("named")
    if before is not None:
        _rename_row(context, connection, before.id, naming.standard_version(before.id))
        context.step("demoted")
    _rename_row(context, connection, model.id, naming.primary_version(model.id))
    context.step("promoted")
    at = now(connection)
    promotion = _audit(
        work,
        last,
        Promotion(
            generation=work.advance(),
            from_id=last.to_id if last else None,
            to_id=model.id,
            kind=order.kind,
            actor=order.actor.strip(),
            reason=order.reason.strip(),
            evaluation_id=order.evaluation,
            as_of=as_of or order.now or at,
            at=order.now or at,
            run_key=order.run_key,
            sha256=model.sha256,
        ),
    )
    context.step("audited")
    held = [naming.primary_version(model.id), *([] if before is None else [naming.standard_version(before.id)])]
    mark(work, retiring, held=[naming.file_name(version) for version in held], at=at)
    context.step("noted")
    return promotion


def _refuse_kind(order: PromotionOrder) -> None:
    allowed = KINDS_BY_HAND if order.evaluation is None else KINDS_BY_EVALUATION
    if order.kind not in allowed:
        grounds = "without an evaluation" if order.evaluation is None else "by evaluation"
        raise ConfigError(f"A promotion {grounds} can't have the kind {order.kind!r}. Use {' or '.join(allowed)}.")


def _done(connection: Connection, order: PromotionOrder, found: Standing) -> Promotion | None:
    """The promotion that has fulfilled this order already; None if there is none."""
    if found.primary is not None and found.primary.id == order.model_id:
        return found.newest
    return catalogue.promotion_by_key(connection, order.run_key)


def _refuse(
    context: RegistryContext, connection: Connection, generation: int, order: PromotionOrder, model: Model
) -> datetime | None:
    """Raise the error that forbids this promotion. Returns the as-of of its evaluation, if it has one."""
    sha256 = refuse_unregistered(model)
    holds.refuse_quarantined(connection, model.id, sha256)
    as_of = None
    if order.evaluation is not None:
        as_of = refuse_outdated(context, connection, generation, order.evaluation, model, order.as_of)
    if order.expected_generation not in (None, generation):
        raise GenerationMoved(
            f"The registry is at generation {generation}, not {order.expected_generation}: another promotion came "
            "first. Evaluate again against the new primary."
        )
    return as_of


def _bytes_to_promote(context: RegistryContext, model: Model) -> bytes:
    """The registered bytes. Raises ModelRefused if the named file holds others, which may be meant instead."""
    sha256 = refuse_unregistered(model)
    try:
        content = context.store.read(model.file_name)
    except ModelRefused as fault:
        if fault.reason not in {"missing", "dangling"}:
            raise
        return context.store.find(model.file_name, sha256)
    if (found := sha256_of(content)) != sha256:
        raise ModelRefused(
            "sha256",
            f"{context.store.where(model.file_name)} was changed: its sha256 is {found}, registered is {sha256}. "
            "Register the new file with `gatekeeper register`, or move it away to promote the registered bytes.",
        )
    return content


def _write_name(context: RegistryContext, work: Work, model: Model, version: str) -> list[str]:
    """Place a copy of the model's bytes under its new name; returns the names that no row will hold any more.

    A demoted primary may have lost its bytes, or may never have been a usable model: its row is renamed all the same.
    """
    name = naming.file_name(version)
    try:
        content = context.store.read(model.file_name) if model.sha256 is None else _find(context, model, model.sha256)
    except ModelRefused:
        if naming.is_primary(version):
            raise
        refuse_taken(context, work.connection, model.id, version, None)
        return []
    refuse_taken(context, work.connection, model.id, version, content)
    if model.sha256 is not None:
        work.on_failure(context.store.put_blob(content))
    work.on_failure(context.store.place(name, content))
    return [model.file_name] if model.sha256 is not None and model.file_name not in {"", name} else []


def _find(context: RegistryContext, model: Model, sha256: str) -> bytes:
    try:
        return context.store.find(blob_name(sha256), sha256)
    except ModelRefused:
        return context.store.find(model.file_name, sha256)


def _rename_row(context: RegistryContext, connection: Connection, model_id: int, version: str) -> None:
    connection.execute(_RENAMED, {"model": model_id, "version": version, "path": context.path_of(version)})


def _audit(work: Work, last: Promotion | None, promotion: Promotion) -> Promotion:
    promotion = chained(work.connection, promotion, last)
    row = {name: getattr(promotion, name) for name in Promotion.__slots__}
    work.connection.execute(tables.promotions.insert(), row)
    return promotion
