"""Promotion: makes a model the primary in one transaction under the registry lock, and removes no file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from gatekeeper.errors import ClaimsUnsettled, ConfigError, GenerationMoved, ModelRefused
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext, aware, plain
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work, has_index
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.registration import refuse_taken
from gatekeeper.registry.models.retirement import mark, sweep
from gatekeeper.registry.models.verification import refuse_unregistered, verify_registered
from gatekeeper.registry.orders import digest, key_used
from gatekeeper.registry.promotion import approvals, clock, holds, keys
from gatekeeper.registry.promotion.evaluations import refuse_outdated
from gatekeeper.registry.promotion.history_chain import chained
from gatekeeper.registry.records import KINDS_BY_EVALUATION, KINDS_BY_HAND, Model, Promotion, promotion_of
from gatekeeper.registry.store.base import blob_name, sha256_of

_m = tables.models.c


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """A requested promotion: the model, the actor, the reason, and the evaluation if there is one.

    `model_id` is None for a rollback, which finds its model itself. `as_of` of an order by hand is for a repair alone.
    """

    model_id: int | None
    actor: str
    reason: str
    kind: str
    expected_generation: int | None = None
    evaluation: int | None = None
    as_of: datetime | None = None
    run_key: str | None = None
    needs_approval: bool = False

    def __post_init__(self) -> None:
        plain(self.actor, "actor")
        plain(self.reason, "reason")
        aware(self.as_of, "as-of")
        if self.run_key is not None:
            plain(self.run_key, "run key")

    @property
    def asked(self) -> str:
        """What is asked for, as a clause."""
        what = "roll back" if self.model_id is None else f"promote model {self.model_id}"
        by = "" if self.evaluation is None else f" by evaluation {self.evaluation}"
        return f"{what}{by}: {self.reason.strip()}"

    def digest(self, sha256: str | None) -> str:
        """The digest of the order; `sha256` is that of the ordered model's bytes."""
        facts = {"model": self.model_id, "sha256": sha256, "evaluation": self.evaluation}
        return digest(self.kind, **facts, reason=self.reason.strip())

    def is_that_of(self, made: Promotion, sha256: str | None) -> bool:
        """Whether `made` fulfilled this very order. A row of an older Gatekeeper is compared by its columns."""
        if made.order_digest is not None:
            return made.order_digest == self.digest(sha256)
        reason = self.reason.strip()
        return (
            made.kind == self.kind
            and (self.model_id is None or (made.to_id, made.sha256) == (self.model_id, sha256))
            and made.evaluation_id == self.evaluation
            and (made.reason == reason or made.reason.startswith(f"{reason} (approved by "))
        )


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
    """Make the model the primary. Nothing changes if it is already, or if the run key has carried out this order.

    Raises UnknownModel, ModelRefused, PromotionRefused (Held, Quarantined, Unapproved, EvaluationOutdated,
    GenerationMoved), KeyUsed, AsOfError, ClockBehind, ClaimsUnsettled, Unavailable; after each of them registry and
    files are as before.
    """
    done = examine(context, order)
    if done is not None and order.run_key in (None, done.run_key):
        return done
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        connection = work.connection
        found = _settle(work)
        model = _ordered(connection, order)
        if known := keyed(connection, order, model.sha256):
            return known
        if primary := _reign(found, model):
            outcome = f"found model {model.id} to be the primary already, since generation {primary.generation}"
            keys.note_unchanged(work, order.run_key, keys.PROMOTION, order.digest(model.sha256), outcome)
            return primary
        if done is not None:  # its file was not verified
            raise GenerationMoved(f"Model {model.id} was the primary, but another promotion came first. Try again.")
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
        model = _ordered(connection, order)
        if done := keyed(connection, order, model.sha256) or _reign(found, model):
            return done
        clock.refuse_behind(connection, clock.now(connection))
        _refuse(context, connection, catalogue.generation(connection), order, model)
    verify_registered(context, model, _bytes_to_promote(context, model))
    return None


def refuse_unsettled(connection: Connection) -> Model | None:
    """The primary. Raises ClaimsUnsettled unless the unique index exists that allows only one."""
    found = catalogue.primary(connection)
    if not has_index(connection, tables.ONE_PRIMARY):
        raise ClaimsUnsettled(
            "This database has no unique index that allows only one primary. Make it with `gatekeeper migrate-naming`."
        )
    return found


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
    at = clock.now(work.connection)
    made = at if primary.created_at is None else min(primary.created_at, at)
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
            as_of=clock.by_hand(work.connection, at) if last else made,
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
    at = clock.now(connection)
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
            as_of=as_of or clock.by_hand(connection, at),
            at=at,
            run_key=order.run_key,
            sha256=model.sha256,
            order_digest=order.digest(None if order.model_id is None else model.sha256),
        ),
    )
    _read_back(context, work, model, before)
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


def _ordered(connection: Connection, order: PromotionOrder) -> Model:
    if order.model_id is None:
        raise AssertionError("a promotion names its model; only a rollback finds it")
    return catalogue.model(connection, order.model_id)


def _reign(found: Standing, model: Model) -> Promotion | None:
    """The promotion that made the model the primary, if it is; else None."""
    return found.newest if found.primary is not None and found.primary.id == model.id else None


def keyed(connection: Connection, order: PromotionOrder, sha256: str | None) -> Promotion | None:
    """The promotion that the order's run key made, or that it found to have made the model the primary already.

    None if the key was not used. Raises KeyUsed if it did something else.
    """
    found = keys.refuse_other_act(connection, order.run_key, keys.PROMOTION, order.digest(sha256), order.asked)
    if found is not None:
        here = select(tables.promotions).where(tables.promotions.c.generation == found)
        return promotion_of(connection.execute(here).one())
    made = catalogue.promotion_by_key(connection, order.run_key)
    if made is not None and not order.is_that_of(made, sha256):
        raise key_used(str(order.run_key), keys.moved(made), order.asked)
    return made


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
    writes.change(connection, tables.models, _m.id == model_id, _names(context, version))


def _names(context: RegistryContext, version: str) -> dict[str, str]:
    return {"version": version, "path": context.path_of(version)}


def _audit(work: Work, last: Promotion | None, promotion: Promotion) -> Promotion:
    """Write a row of the history and the generation with it, and read both back: a trigger may have changed them."""
    connection = work.connection
    clock.refuse_behind(connection, promotion.at)
    promotion = chained(connection, promotion, last)
    row = {name: getattr(promotion, name) for name in Promotion.__slots__}
    writes.add(connection, tables.promotions, row)
    work.settle()
    here = tables.promotions.c.generation == promotion.generation
    for stored in connection.execute(select(tables.promotions).where(here)):
        if promotion_of(stored) != promotion:
            raise rewritten("the promotion", promotion_of(stored), promotion)
    if (counted := catalogue.generation(connection)) != promotion.generation:
        raise rewritten("the generation", counted, promotion.generation)
    return promotion


def _read_back(context: RegistryContext, work: Work, primary: Model, before: Model | None) -> None:
    """Raise ConfigError unless the rows of both models hold their new names, and only one is the primary's."""
    versions = {primary.id: naming.primary_version(primary.id)}
    if before is not None:
        versions[before.id] = naming.standard_version(before.id)
    meant = {model_id: _names(context, version) for model_id, version in versions.items()}
    named = select(_m.id, _m.version, _m.path).where(tables.claims | _m.id.in_(sorted(meant)))
    found = {row.id: {"version": row.version, "path": row.path} for row in work.connection.execute(named)}
    if found != meant:
        raise rewritten("the primary", found, meant)
