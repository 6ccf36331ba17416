"""Adoption: takes over models from tables made by another tool.

A row whose file is a usable model gets an artifact and a blob; any other row is kept and marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gatekeeper.errors import ModelRefused
from gatekeeper.registry.context import SIZE_CAP, DatabaseUrl, ModelsPlace, RegistryContext, Step, no_step
from gatekeeper.registry.db import comments, schema, tables, writes
from gatekeeper.registry.db.database import Work, has_table, now
from gatekeeper.registry.decision_log.tables import DATASET
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.registration import insert_artifact
from gatekeeper.registry.models.verification import Inspected, inspect
from gatekeeper.registry.promotion.history_chain import seal
from gatekeeper.registry.promotion.promotions import record_adopted
from gatekeeper.registry.records import Model
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.registry.upkeep import older_table

NEGATIVE = (
    "An id must not be negative. Register the file with `gatekeeper register -p`, which gives it an id of its own."
)
OLDER_TABLES = (tables.models.name, DATASET)
"""Tables that another tool may have made; existing ones stay as they are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The reason why a row is not a usable model, or a value of it not usable."""

    model_id: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """The result of `db upgrade`."""

    revision_before: str | None  # None: there were no tables of Gatekeeper's
    revision: str
    adopted: tuple[int, ...]  # rows that got their artifact now
    marked: tuple[Mark, ...]  # rows that are not usable models
    claims: tuple[int, ...]  # rows named as the primary: more than one has to be settled
    primary: int | None
    refused: tuple[str, ...] = ()  # rows without a usable id, each in a sentence
    undated: tuple[Mark, ...] = ()  # models whose `createdAt` can't be their time: it counts as unknown
    similar: tuple[str, ...] = ()  # other tables whose name is nearly "RLModel"

    @property
    def settled(self) -> bool:
        """Whether there is at most one primary. If not, run `gatekeeper migrate-naming` next."""
        return len(self.claims) < 2


@dataclass(frozen=True, slots=True)
class Find:
    """One row without an artifact, and the result of checking its file."""

    model: Model
    content: bytes | None  # also of an unusable file: it is the user's, and is renamed with its row
    inspected: Inspected | None
    fault: ModelRefused | None


def upgrade(
    url: DatabaseUrl,
    *,
    models: ModelsPlace = "models",
    path_prefix: str = "models/",
    size_cap: int = SIZE_CAP,
    threshold: float | None = None,
    step: Step = no_step,
) -> UpgradeReport:
    """Make the tables or bring them up to date, and adopt existing models. Repeating it changes nothing.

    `threshold` is for adopted models, whose files give none. Raises ConfigError, SchemaOutOfDate, Unavailable.
    """
    context = RegistryContext.at(
        url, models=models, path_prefix=path_prefix, size_cap=size_cap, step=step, threshold=threshold, create=True
    )
    try:
        with context.database.write(first=True) as work:
            before = schema.revision(work.connection)
            foreign = {name for name in OLDER_TABLES if has_table(work.connection, name)}
            schema.to_head(work)
            comments.write(work.connection, foreign)
            seal(work)
        with context.database.read() as connection:
            pending = unadopted(connection)
        finds = inspect_files(context, pending)  # outside the lock: untrusted models run in a child process first
        with context.database.write() as work:
            return _adopt(context, work, finds, before)
    finally:
        context.database.close()


def unadopted(connection: Connection) -> list[Model]:
    """The rows without an artifact."""
    return [model for model in catalogue.models(connection) if model.sha256 is None]


def inspect_files(context: RegistryContext, pending: Sequence[Model]) -> list[Find]:
    """Read and verify the file of each row. The same bytes are verified once."""
    seen: dict[str, Inspected | ModelRefused] = {}
    return [_inspect_file(context, model, seen) for model in pending]


def take_in(context: RegistryContext, work: Work, finds: Sequence[Find]) -> list[int]:
    """Write artifact and blob of the usable rows, and mark the others. Returns the ids of the usable rows."""
    adopted = []
    for find in finds:
        row = catalogue.model(work.connection, find.model.id)
        if row.sha256 is not None or (find.fault is not None and _is_marked(work.connection, find)):
            continue  # another writer has adopted it meanwhile, or it is marked already, with its first path
        writes.remove(work.connection, tables.faults, tables.faults.c.model_id == find.model.id, most=1)
        if find.content is not None and find.inspected is not None:
            work.on_failure(context.store.put_blob(find.content))
            insert_artifact(work, find.model.id, find.inspected, threshold=context.threshold, run_key=None)
            adopted.append(find.model.id)
        elif find.fault is not None:
            _mark(work, find, find.fault)
    return adopted


def _adopt(context: RegistryContext, work: Work, finds: list[Find], before: str | None) -> UpgradeReport:
    connection = work.connection
    adopted = take_in(context, work, finds)
    claims = catalogue.claimants(connection)
    if len(claims) < 2:
        schema.secure_names(connection)
        last = catalogue.newest_promotion(connection)
        if claims and (last is None or last.to_id != claims[0].id):
            record_adopted(work, claims[0], "found as the primary by `gatekeeper db upgrade`", last)
    context.step("adopted")
    return UpgradeReport(
        revision_before=before,
        revision=tables.HEAD,
        adopted=tuple(sorted(adopted)),
        marked=tuple(Mark(f.model.id, f.fault.reason, str(f.fault)) for f in reversed(finds) if f.fault is not None),
        claims=tuple(one.id for one in claims),
        primary=claims[0].id if len(claims) == 1 else None,
        refused=tuple(row.text for row in older_table.refused_rows(connection)),
        undated=tuple(
            Mark(number, "time", older_table.undated_text(stored))
            for number, stored in sorted(older_table.undated(connection).items())
        ),
        similar=tuple(older_table.similar_tables(connection)),
    )


def _inspect_file(context: RegistryContext, model: Model, seen: dict[str, Inspected | ModelRefused]) -> Find:
    try:
        content = context.store.read(model.file_name)
    except ModelRefused as fault:
        return Find(model, None, None, ModelRefused(fault.reason, f"{model.path or 'no path'}: {fault}"))
    if model.id < 0:
        return Find(model, content, None, ModelRefused("id", f"{model.path}: {NEGATIVE}"))
    sha256 = sha256_of(content)
    if sha256 not in seen:
        try:
            seen[sha256] = inspect(content, cap=context.store.cap, details=None)
        except ModelRefused as fault:
            seen[sha256] = fault
    inspected = seen[sha256]
    if isinstance(inspected, ModelRefused):
        return Find(model, content, None, ModelRefused(inspected.reason, f"{model.path}: {inspected}"))
    return Find(model, content, inspected, None)


def _is_marked(connection: Connection, find: Find) -> bool:
    """Whether the row is marked already, for its current bytes or for a missing file."""
    wanted = select(tables.faults.c.sha256).where(tables.faults.c.model_id == find.model.id)
    row = connection.execute(wanted).first()
    return row is not None and row.sha256 == _digest(find)


def _digest(find: Find) -> str | None:
    return None if find.content is None else sha256_of(find.content)


def _mark(work: Work, find: Find, fault: ModelRefused) -> None:
    writes.add(
        work.connection,
        tables.faults,
        {
            "model_id": find.model.id,
            "reason": fault.reason,
            "message": str(fault),
            "sha256": _digest(find),
            "at": now(work.connection),
        },
    )
