"""Naming migration: renames rows and files of older conventions.

The primary stays the same, no row or file is lost, and a second run changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gatekeeper.errors import GenerationMoved, ModelRefused, PromotionRefused
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext, plain
from gatekeeper.registry.db import schema, tables, writes
from gatekeeper.registry.db.database import Work, has_index
from gatekeeper.registry.models import catalogue, retirement
from gatekeeper.registry.models.verification import verify_registered
from gatekeeper.registry.promotion import holds
from gatekeeper.registry.promotion.promotions import record_adopted
from gatekeeper.registry.records import Model
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.registry.upkeep.adopt import Find, inspect_files, take_in, unadopted


@dataclass(frozen=True, slots=True)
class NamingStep:
    """The change of one row; `mark` says why its file is not a usable model, None if it is."""

    model_id: int
    old_version: str
    new_version: str
    old_path: str
    new_path: str
    mark: str | None

    @property
    def changes(self) -> bool:
        """Whether the row gets another name or path."""
        return (self.old_version, self.old_path) != (self.new_version, self.new_path)


@dataclass(frozen=True, slots=True)
class NamingPlan:
    """The planned migration. `steps`: the rows that change or are marked, by id."""

    primary: int | None
    chosen_by: str  # how the primary was chosen, in words
    steps: tuple[NamingStep, ...]
    makes_index: bool
    dry_run: bool

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.makes_index or any(step.changes for step in self.steps)


def migrate(context: RegistryContext, *, dry_run: bool, primary: int | None, actor: str, reason: str) -> NamingPlan:
    """Settle on one primary, rename rows and files, and make the unique index, in one transaction; or only plan it.

    Raises UnknownModel if there is no model `primary`, PromotionRefused if another one is the primary already,
    ModelRefused if it is not usable, Quarantined, GenerationMoved, Unavailable.
    """
    actor, reason = plain(actor, "actor"), plain(reason, "reason")
    with context.database.read() as connection:
        pending = unadopted(connection)
    finds = inspect_files(context, pending)
    if dry_run:
        with context.database.read() as connection:
            return _plan(context, connection, finds, primary, dry_run=True)
    with context.database.write(moves=True) as work:
        context.step("locked")
        if {model.id for model in unadopted(work.connection)} - {find.model.id for find in finds}:
            raise GenerationMoved("Another writer added a row meanwhile, so nothing has changed. Run it again.")
        plan = _plan(context, work.connection, finds, primary, dry_run=False)
        take_in(context, work, finds)
        context.step("taken in")
        late = _carry_out(context, work, plan, {find.model.id: find.content for find in finds})
        _record(work, plan, f"{reason}; by {actor}")
    context.step("committed")
    _give_back(context, late)
    return plan


def _plan(
    context: RegistryContext, connection: Connection, finds: Sequence[Find], wanted: int | None, *, dry_run: bool
) -> NamingPlan:
    models = catalogue.models(connection)
    active, chosen_by = _settle(context, connection, finds, wanted)
    faults = {find.model.id: find.fault for find in finds}
    steps = [_step(context, model, active, faults.get(model.id)) for model in reversed(models)]
    return NamingPlan(
        primary=active,
        chosen_by=chosen_by,
        steps=tuple(step for step in steps if step.changes or step.mark),
        makes_index=not has_index(connection, tables.ONE_PRIMARY),
        dry_run=dry_run,
    )


def _settle(
    context: RegistryContext, connection: Connection, finds: Sequence[Find], wanted: int | None
) -> tuple[int | None, str]:
    """The id of the primary, and how it was chosen."""
    claims = [model.id for model in catalogue.claimants(connection)]
    if wanted is not None:
        _refuse_choice(context, connection, finds, wanted, claims)
        return wanted, f"model {wanted} was chosen by --primary"
    if len(claims) < 2:
        return (claims[0], "the only row named as the primary") if claims else (None, "no row is named as the primary")
    for promotion in catalogue.promotions(connection):
        if promotion.to_id in claims:
            return promotion.to_id, f"of the rows {claims}, the newest promotion on record is of {promotion.to_id}"
    return claims[-1], f"of the rows {claims}, {claims[-1]} has the highest id, and no promotion is on record"


def _refuse_choice(
    context: RegistryContext, connection: Connection, finds: Sequence[Find], wanted: int, claims: list[int]
) -> None:
    """Raise what forbids the choice. The row that is the primary already stays it, usable or not."""
    model = catalogue.model(connection, wanted)
    if claims == [wanted]:
        return
    if len(claims) == 1:
        raise PromotionRefused(
            f"Model {claims[0]} is the primary, and migrate-naming does not change that. "
            f"Use `gatekeeper promote -i {wanted}`."
        )
    found = next((find for find in finds if find.model.id == wanted), None)
    fault = None if found is None else found.fault
    if found is not None and found.content is not None:  # not adopted yet, but its bytes may be those of another row
        holds.refuse_quarantined(connection, wanted, sha256_of(found.content))
    if model.sha256 is not None:
        holds.refuse_quarantined(connection, wanted, model.sha256)
        try:
            verify_registered(context, model, context.store.find(model.file_name, model.sha256))
        except ModelRefused as refusal:
            fault = refusal
    if fault is not None:
        raise ModelRefused(fault.reason, f"Model {wanted} can't become the primary: {fault}")


def _step(context: RegistryContext, model: Model, active: int | None, fault: ModelRefused | None) -> NamingStep:
    version = naming.primary_version(model.id) if model.id == active else naming.standard_version(model.id)
    return NamingStep(
        model_id=model.id,
        old_version=model.version,
        new_version=version,
        old_path=model.path,
        new_path=context.path_of(version),
        mark=None if fault is None else str(fault),
    )


def _carry_out(
    context: RegistryContext, work: Work, plan: NamingPlan, strangers: dict[int, bytes | None]
) -> list[tuple[int, bytes]]:
    """Write the files, then the rows. Names may swap, so all bytes are read before the first file is written.

    Returns the rows whose new name is the primary's until the commit, with their bytes: these files come after it.
    """
    steps = [step for step in plan.steps if step.changes]
    held = {model.file_name: model.id for model in catalogue.claimants(work.connection)}
    late = []
    contents = {step.model_id: _content(context, work, step, strangers) for step in steps}
    for step in steps:
        if (content := contents[step.model_id]) is not None:
            work.on_failure(context.store.put_blob(content))
    for step in steps:
        name = naming.file_name(step.new_version)
        if (content := contents[step.model_id]) is None:
            continue
        if held.get(name, step.model_id) != step.model_id:
            late.append((step.model_id, content))
            continue
        work.on_failure(context.store.place(name, content))
        context.step(f"named {step.new_version}")
    _rename(work, steps)
    context.step("renamed")
    new = {naming.file_name(step.new_version) for step in steps}
    followed = [naming.last_part(step.old_path) for step in steps if contents[step.model_id] is not None]
    retirement.mark(work, sorted(set(followed) - new))
    retirement.unmark(work, new)
    return late


def _give_back(context: RegistryContext, late: Sequence[tuple[int, bytes]]) -> None:
    """Write the files whose names were the primary's. After a kill before this, `doctor --repair` writes them."""
    if not late:
        return
    with context.database.write() as work:
        for model_id, content in late:
            row = catalogue.model(work.connection, model_id)
            if row.sha256 in (None, sha256_of(content)):
                work.on_failure(context.store.place(row.file_name, content))
    context.step("given back")


def _content(
    context: RegistryContext, work: Work, step: NamingStep, strangers: dict[int, bytes | None]
) -> bytes | None:
    """The bytes of the row, usable or not; None if it has none."""
    model = catalogue.model(work.connection, step.model_id)
    if model.sha256 is None:
        return strangers.get(step.model_id)
    try:
        return context.store.find(model.file_name, model.sha256)
    except ModelRefused:
        return None


def _rename(work: Work, steps: Sequence[NamingStep]) -> None:
    """Rename in two rounds: in a single one, a name that another row still has would be refused.

    The names between the two are shorter than the final ones, for columns that only just hold those.
    """
    t = tables.models
    taken = [str(version) for version in work.connection.execute(select(t.c.version)).scalars()]
    mark = "~"
    while any(version.startswith(mark) for version in taken):
        mark += "~"
    for step in steps:
        writes.change(work.connection, t, t.c.id == step.model_id, {"version": f"{mark}{step.model_id}"})
    for step in steps:
        values = {"version": step.new_version, "path": step.new_path}
        writes.change(work.connection, t, t.c.id == step.model_id, values)


def _record(work: Work, plan: NamingPlan, reason: str) -> None:
    schema.secure_names(work.connection)
    if plan.primary is None:
        return
    last = catalogue.newest_promotion(work.connection)
    if last is None or last.to_id != plan.primary:
        record_adopted(work, catalogue.model(work.connection, plan.primary), f"{plan.chosen_by}: {reason}", last)
