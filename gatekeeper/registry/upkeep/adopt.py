"""What of a table that another tool made can be taken over, and what is off?

Rows whose file is a usable model get an artifact and a blob; the others keep their row and are marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, select

from gatekeeper.errors import ModelRefused
from gatekeeper.registry.context import SIZE_CAP, RegistryContext, Step, no_step
from gatekeeper.registry.db import comments, schema, tables
from gatekeeper.registry.db.database import Work, has_index, has_table, now
from gatekeeper.registry.decision_log.tables import DATASET
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.registration import insert_artifact
from gatekeeper.registry.models.verification import Inspected, inspect
from gatekeeper.registry.promotion.history_chain import seal
from gatekeeper.registry.promotion.promotions import record_adopted
from gatekeeper.registry.records import Model
from gatekeeper.registry.store.base import sha256_of

OLDER_TABLES = (tables.models.name, DATASET)
"""What another tool may have made before us: found there, they stay as they are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a row is no usable model."""

    model_id: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What `db upgrade` found and did."""

    revision_before: str | None  # None: ours weren't there
    revision: str
    adopted: tuple[int, ...]  # rows that got their artifact now
    marked: tuple[Mark, ...]  # rows that are no usable model
    claims: tuple[int, ...]  # rows that claim to be active: more than one has to be settled
    primary: int | None

    @property
    def settled(self) -> bool:
        """Does the database itself keep a second primary out? If not, `migrate-naming` is the next command."""
        return len(self.claims) < 2


@dataclass(frozen=True, slots=True)
class Find:
    """One row without an artifact, and what its file turned out to be."""

    model: Model
    content: bytes | None  # also of an unusable file: it is the user's, and follows its row
    shown: Inspected | None
    fault: ModelRefused | None


def upgrade(
    url: str,
    *,
    models: str | Path = "models",
    path_prefix: str = "models/",
    size_cap: int = SIZE_CAP,
    threshold: float | None = None,
    step: Step = no_step,
) -> UpgradeReport:
    """Make the tables or bring them up to date, and adopt what is there. Doing it again changes nothing.

    `threshold` goes to adopted models, whose files can't say theirs. Raises ConfigError, SchemaOutOfDate, Unavailable.
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
            strangers = unadopted(connection)
        finds = look_at(context, strangers)  # outside the lock: foreign models run in a child process first
        with context.database.write() as work:
            return _adopt(context, work, finds, before)
    finally:
        context.database.close()


def unadopted(connection: Connection) -> list[Model]:
    """The rows without an artifact."""
    return [model for model in catalogue.models(connection) if model.sha256 is None]


def look_at(context: RegistryContext, strangers: Sequence[Model]) -> list[Find]:
    """Read and verify the file of each row. The same bytes are looked at once."""
    seen: dict[str, Inspected | ModelRefused] = {}
    return [_look(context, model, seen) for model in strangers]


def take_in(context: RegistryContext, work: Work, finds: Sequence[Find]) -> list[int]:
    """Artifact and blob for the usable rows, a mark for the others. Returns the ids of the usable ones."""
    adopted = []
    for find in finds:
        row = catalogue.model(work.connection, find.model.id)
        if row.sha256 is not None or (find.fault is not None and _is_marked(work.connection, find)):
            continue  # another writer adopted it in between; or the mark tells already, with the first path
        work.connection.execute(delete(tables.faults).where(tables.faults.c.model_id == find.model.id))
        if find.content is not None and find.shown is not None:
            work.on_failure(context.store.put_blob(find.content))
            insert_artifact(work, find.model.id, find.shown, threshold=context.threshold, run_key=None)
            adopted.append(find.model.id)
        elif find.fault is not None:
            _mark(work, find, find.fault)
    return adopted


def _adopt(context: RegistryContext, work: Work, finds: list[Find], before: str | None) -> UpgradeReport:
    connection = work.connection
    adopted = take_in(context, work, finds)
    claims = catalogue.claimants(connection)
    if len(claims) < 2:
        if not has_index(connection, tables.ONE_PRIMARY):
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
    )


def _look(context: RegistryContext, model: Model, seen: dict[str, Inspected | ModelRefused]) -> Find:
    try:
        content = context.store.read(model.file_name)
    except ModelRefused as fault:
        return Find(model, None, None, ModelRefused(fault.reason, f"{model.path or 'no path'}: {fault}"))
    sha256 = sha256_of(content)
    if sha256 not in seen:
        try:
            seen[sha256] = inspect(content, cap=context.store.cap, details=None)
        except ModelRefused as fault:
            seen[sha256] = fault
    shown = seen[sha256]
    if isinstance(shown, ModelRefused):
        return Find(model, content, None, ModelRefused(shown.reason, f"{model.path}: {shown}"))
    return Find(model, content, shown, None)


def _is_marked(connection: Connection, find: Find) -> bool:
    """Is the row marked already, for the bytes that it has now, or for having none?"""
    wanted = select(tables.faults.c.sha256).where(tables.faults.c.model_id == find.model.id)
    row = connection.execute(wanted).first()
    return row is not None and row.sha256 == _digest(find)


def _digest(find: Find) -> str | None:
    return None if find.content is None else sha256_of(find.content)


def _mark(work: Work, find: Find, fault: ModelRefused) -> None:
    work.connection.execute(
        tables.faults.insert().values(
            model_id=find.model.id,
            reason=fault.reason,
            message=str(fault),
            sha256=_digest(find),
            at=now(work.connection),
        )
    )
