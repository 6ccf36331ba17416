"""Doctor findings: inconsistencies between database and store, found without changing anything."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, select

from gatekeeper.errors import DataError, ModelRefused
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import has_index
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.retirement import held_digests, is_ours, marked
from gatekeeper.registry.promotion import clock, history_chain, holds
from gatekeeper.registry.records import Model, Promotion
from gatekeeper.registry.store.base import BLOBS, Store, blob_name, sha256_of
from gatekeeper.registry.upkeep import older_table

MISSING = "missing"  # a row's file or blob does not exist
DANGLING = "dangling"  # a file is a dangling link
CHANGED = "changed"  # a file does not hold the registered bytes
UNREADABLE = "unreadable"  # a folder, a file over the size limit or a web page in the place of a model
UNREGISTERED = "unregistered"  # a row was not checked yet, or its file has changed since
MISNAMED = "misnamed"  # a version or path does not follow the naming convention
PRIMARIES = "primaries"  # several rows are named as the primary
NO_PRIMARY = "no primary"  # no row is named as the primary, though the history has one
UNSERVED = "unserved primary"  # the primary is not a usable model
INDEX = "index"  # the unique index that allows one primary is missing
HISTORY = "history"  # the promotion history does not end with the primary
COUNTER = "counter"  # the generation is behind the promotion history
BROKEN = "broken"  # rows refer to missing rows, a document is damaged, or the history was changed
ORPHANED = "orphaned"  # bytes that no row names
AHEAD = "ahead"  # a row's time or as-of lies ahead of the database's clock
TEMPORARY = "temporary"  # a file left half-written by a killed writer
MARKED = "marked"  # a row known not to be a usable model: it is never served, and not a finding
STRAY = "stray"  # a file that belongs to no model: somebody's own, never served, and not a finding
UNDATED = "undated"  # a row whose `createdAt` can't be its time, so that it counts as unknown; not a finding
_KNOWN = {MARKED, STRAY, UNDATED}

_KINDS = {"missing": MISSING, "dangling": DANGLING}
_IN_THE_WAY = {"directory", "special", "size"}


@dataclass(frozen=True, slots=True)
class Defect:
    """One inconsistency. `remedy` says what a repair does; None if it needs a person's choice."""

    kind: str
    model_id: int | None
    name: str | None  # of the file, as the store knows it
    text: str
    remedy: str | None = None
    source: str | None = None  # the file that holds the right bytes

    @property
    def repairable(self) -> bool:
        """Whether a repair needs no person's choice."""
        return self.remedy is not None


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, and the rows that are known not to be usable, or not to state a usable time."""

    findings: tuple[Defect, ...]
    marked: tuple[Defect, ...]


class Digests:
    """A cache of the sha256 of each file, or of the reason why it has none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, str | ModelRefused] = {}

    def of(self, name: str) -> str | ModelRefused:
        """The sha256 of a file, or the reason why it has none. Raises Unavailable if the store can't be reached."""
        if name not in self._known:
            try:
                self._known[name] = sha256_of(self._store.read(name))
            except ModelRefused as fault:
                self._known[name] = fault
        return self._known[name]

    def forget(self, names: Iterable[str | None]) -> None:
        """Drop these from the cache."""
        for name in names:
            self._known.pop(name or "", None)


@dataclass(frozen=True)  # no slots: cached properties are stored beside the fields
class _Evidence:
    """Database and store at one moment."""

    context: RegistryContext
    connection: Connection
    digests: Digests
    models: Sequence[Model]  # by id
    marks: Mapping[int, str | None]  # model id -> sha256 of the file that was found not to be a usable model
    audit: Sequence[Promotion]  # oldest first
    generation: int
    now: datetime  # by the database's clock

    @property
    def claims(self) -> list[int]:
        return [model.id for model in self.models if model.is_primary]

    def chosen(self) -> int | None:
        """The row named as the primary that needs no choice: the only one, or the newest in the history."""
        claims = self.claims
        recorded = (row.to_id for row in reversed(self.audit) if row.to_id in claims)
        return claims[0] if len(claims) == 1 else next(recorded, None)

    def source(self, sha256: str) -> str | None:
        """The name of a file that holds these bytes; None if there is none."""
        for name in (blob_name(sha256), *self.rows_with.get(sha256, ())):
            if self.digests.of(name) == sha256:
                return name
        return self.elsewhere.get(sha256)

    @cached_property
    def rows_with(self) -> Mapping[str, Sequence[str]]:
        """The file names of the rows that were registered with these bytes."""
        found: dict[str, list[str]] = {}
        for model in self.models:
            if model.sha256 is not None and model.file_name:
                found.setdefault(model.sha256, []).append(model.file_name)
        return found

    @cached_property
    def elsewhere(self) -> Mapping[str, str]:
        """All named files of the store, by their sha256; read once, and only if a row's own files don't suffice."""
        read = ((self.digests.of(name), name) for name in self.context.store.names())
        return {digest: name for digest, name in read if isinstance(digest, str)}


def examine(context: RegistryContext, connection: Connection, digests: Digests) -> Examination:
    """Compare database and store. Raises Unavailable if one can't be reached: that is never taken for missing."""
    faults = connection.execute(select(tables.faults.c.model_id, tables.faults.c.sha256))
    evidence = _Evidence(
        context=context,
        connection=connection,
        digests=digests,
        models=catalogue.models(connection)[::-1],
        marks={row.model_id: row.sha256 for row in faults},
        audit=catalogue.promotions(connection)[::-1],
        generation=catalogue.generation(connection),
        now=clock.now(connection),
    )
    checks = (
        _ahead,
        _bytes,
        _unregistered,
        _older_rows,
        _names,
        _claims,
        _index,
        _documents,
        _history,
        _broken,
        _strays,
        _leftovers,
    )
    found = [finding for check in checks for finding in check(evidence)]
    return Examination(
        findings=tuple(one for one in found if one.kind not in _KNOWN),
        marked=tuple(one for one in found if one.kind in _KNOWN),
    )


def _ahead(e: _Evidence) -> Iterator[Defect]:
    """Check for acts whose time or as-of lies ahead of the database's clock, as one with a wrong clock left them."""
    for table, what in ((tables.promotions, "Promotion"), (tables.evaluations, "Evaluation")):
        key = table.primary_key.columns[0]
        ahead = table.c.discounted_at.is_(None) & ((table.c.at > e.now) | (table.c.as_of > e.now))
        of = table.c.to_id if table is tables.promotions else table.c.challenger
        rows = e.connection.execute(select(key, of, table.c.at, table.c.as_of).where(ahead).order_by(key))
        for number, model_id, at, as_of in rows:
            told = f"has the time {at:%Y-%m-%d %H:%M} UTC and the as-of {as_of:%Y-%m-%d %H:%M} UTC"
            text = f"{what} {number} of model {model_id} {told}, ahead of the clock ({e.now:%Y-%m-%d %H:%M} UTC)."
            remedy = "marked: its time and as-of no longer count, so that weekly runs promote again"
            yield Defect(AHEAD, model_id, None, text, remedy)


def _bytes(e: _Evidence) -> Iterator[Defect]:
    """Check the named file and the blob of each registered row."""
    for place, wanted in _places(e.models).items():
        if len(wanted) > 1:
            continue  # rows with different bytes share a name; a new name resolves it, see `_names`
        ((sha256, model_id),) = wanted.items()
        found = e.digests.of(place)
        if found != sha256:
            yield _wrong_bytes(e, model_id, place, sha256, found)


def _places(models: Iterable[Model]) -> dict[str, dict[str, int]]:
    """Each file that rows rely on, with the sha256 that it must have and the first row that requires it."""
    places: dict[str, dict[str, int]] = {}
    for model in models:
        if model.sha256 is not None:
            for place in filter(None, (model.file_name, blob_name(model.sha256))):
                places.setdefault(place, {}).setdefault(model.sha256, model.id)
    return places


def _wrong_bytes(e: _Evidence, model_id: int, place: str, sha256: str, found: str | ModelRefused) -> Defect:
    where = e.context.store.where(place)
    if isinstance(found, ModelRefused):
        kind, text, movable = _KINDS.get(found.reason, UNREADABLE), str(found), found.reason not in _IN_THE_WAY
    else:
        kind, text, movable = CHANGED, f"{where} has sha256 {found}; registered is {sha256}.", True
    source = e.source(sha256)
    if source is None:
        blob = e.context.store.where(blob_name(sha256))
        lost = f"The store has no other copy: restore {blob} from a backup, or register the same file again."
        return Defect(kind, model_id, place, f"{text} {lost}")
    if not movable:
        return Defect(kind, model_id, place, f"{text} It takes the place of the model's file: move it away.")
    return Defect(kind, model_id, place, text, f"{place} is restored from {source}", source)


def _unregistered(e: _Evidence) -> Iterator[Defect]:
    """Check the rows without an artifact: unusable models, or rows not checked yet."""
    for model in e.models:
        if model.sha256 is not None:
            continue
        found = e.digests.of(model.file_name)
        digest = found if isinstance(found, str) else None
        name = model.file_name or None
        if model.id not in e.marks or e.marks[model.id] != digest:
            text = f"{model.version} was not checked yet, or its file has changed since."
            yield Defect(UNREGISTERED, model.id, name, text, "its file is checked: adopted, or marked as unusable")
        elif model.is_primary:
            text = f"The primary is not a usable model ({model.fault}). Promote another: `gatekeeper promote -i ID`."
            yield Defect(UNSERVED, model.id, name, text)
        else:
            yield Defect(MARKED, model.id, name, model.fault or "not a usable model")


def _older_rows(e: _Evidence) -> Iterator[Defect]:
    """Check the rows of another tool for ids and times that can't be used."""
    for row in older_table.refused_rows(e.connection):
        choice = " It is named as the primary, so nothing can be promoted." if row.claims else ""
        yield Defect(PRIMARIES if row.claims else MARKED, None, None, row.text + choice)
    for model_id, stored in sorted(older_table.undated(e.connection).items()):
        yield Defect(UNDATED, model_id, None, older_table.undated_text(stored))


def _names(e: _Evidence) -> Iterator[Defect]:
    """Check versions and paths against the naming convention."""
    choice = e.chosen() if e.claims else None
    settled = choice is not None or not e.claims
    for model in e.models:
        version = naming.primary_version(model.id) if model.is_primary else naming.standard_version(model.id)
        if (model.version, model.path) == (version, e.context.path_of(version)):
            continue
        text = f"{model.version} at {model.path!r} should be {version} at {e.context.path_of(version)!r}."
        remedy = "row and file are renamed, as by `gatekeeper migrate-naming`"
        yield Defect(MISNAMED, model.id, model.file_name or None, text, remedy if settled else None)


def _claims(e: _Evidence) -> Iterator[Defect]:
    """Check for several primaries, and for none although the history has one."""
    if len(e.claims) > 1:
        rows = ", ".join(map(str, e.claims))
        choice = e.chosen()
        remedy = None if choice is None else f"model {choice} stays the primary, as the newest promotion on record"
        text = f"The rows {rows} are all named as the primary. Choose one: `gatekeeper migrate-naming --primary ID`."
        yield Defect(PRIMARIES, None, None, text, remedy)
    if not e.claims and e.audit:
        last = e.audit[-1].to_id
        text = (
            f"No row is the primary; the newest promotion on record is of model {last}. "
            "Promote one: `gatekeeper promote -i ID`."
        )
        remedy = f"model {last} is promoted again" if _may_return(e, last) else None
        yield Defect(NO_PRIMARY, last, None, text, remedy)


def _may_return(e: _Evidence, model_id: int) -> bool:
    model = next((one for one in e.models if one.id == model_id), None)
    if model is None or model.sha256 is None or holds.quarantined(e.connection, model.sha256):
        return False
    return e.source(model.sha256) is not None


def _index(e: _Evidence) -> Iterator[Defect]:
    if not has_index(e.connection, tables.ONE_PRIMARY):
        settled = e.chosen() is not None or not e.claims
        text = "The database lacks the unique index that allows one primary. Make it: `gatekeeper migrate-naming`."
        yield Defect(INDEX, None, None, text, "the index is made" if settled else None)


def _documents(e: _Evidence) -> Iterator[Defect]:
    """Check that each evaluation's document is JSON: what the history's hashes are taken over."""
    of = tables.evaluations.c.id
    for evaluation_id in e.connection.execute(select(of).order_by(of)).scalars().all():
        try:
            history_chain.facts(e.connection, evaluation_id)
        except DataError as fault:
            yield Defect(BROKEN, None, None, f"The {fault}.")


def _history(e: _Evidence) -> Iterator[Defect]:
    """Check that the promotion history is complete and ends with the primary."""
    if len(e.claims) == 1 and (not e.audit or e.audit[-1].to_id != e.claims[0]):
        text = f"Model {e.claims[0]} is the primary without a promotion on record."
        yield Defect(HISTORY, e.claims[0], None, text, "recorded as a promotion of kind `adopted`")
    last = e.audit[-1].generation if e.audit else 0
    if e.generation < last:
        text = f"The generation is {e.generation}, behind promotion {last}."
        yield Defect(COUNTER, None, None, text, f"the generation is set to {last}")
    before = None
    for number, row in enumerate(e.audit, 1):
        if (row.generation, row.from_id) != (number, before):
            yield Defect(BROKEN, row.to_id, None, f"Promotion {row.generation} does not follow the one before it.")
            return
        before = row.to_id
    from gatekeeper.documents.receipt import as_hashed

    try:
        changed = history_chain.first_break(map(as_hashed, history_chain.entries(e.connection)))
    except DataError:
        return  # without its evidence no hash can be checked; `_documents` names it
    if changed is not None:
        text = f"Promotion {changed} was changed after it was written, or does not follow the one before it."
        yield Defect(BROKEN, None, None, f"{text} Restore the rows from a backup, or find out who changed them.")
        return
    if e.generation > last:
        text = f"The generation is {e.generation}, but only {last} promotions are on record."
        yield Defect(BROKEN, None, None, text)


def _broken(e: _Evidence) -> Iterator[Defect]:
    """Check for references to deleted rows of "RLModel"."""
    there = {model.id for model in e.models}
    referenced = {row.to_id for row in e.audit}
    refits = tables.refits.c
    for table in (tables.artifacts.c.model_id, tables.evaluations.c.challenger, refits.model_id, refits.twin_id):
        referenced |= set(e.connection.execute(select(table).distinct()).scalars())
    for gone in sorted(referenced - there):
        text = f'"RLModel" has lost row {gone}, to which an artifact, evaluation, promotion or refit refers.'
        yield Defect(BROKEN, gone, None, f"{text} Restore it from a backup.")


def _strays(e: _Evidence) -> Iterator[Defect]:
    """Check for files and blobs that no row names."""
    known = {model.file_name for model in e.models} | marked(e.connection).keys()
    held = held_digests(e.connection)
    for sha256 in e.context.store.blobs():
        if sha256 not in held and blob_name(sha256) not in known:
            yield _orphan(e, blob_name(sha256), "no row has these bytes. Register them: `gatekeeper register -p`.")
    for name in e.context.store.names():
        digest = e.digests.of(name) if name.endswith(naming.SUFFIX) and name not in known else None
        if not isinstance(digest, str):
            continue  # not one of Gatekeeper's names, or unreadable
        if is_ours(name) and e.digests.of(blob_name(digest)) == digest:
            yield _orphan(e, name, "no row has this name, and its bytes are in a blob too.")
        elif digest not in held:
            where = e.context.store.where(name)
            text = f"{where} belongs to no model. To make it one: `gatekeeper register -p {shlex.quote(where)}`."
            yield Defect(STRAY, None, name, text)


def _orphan(e: _Evidence, name: str, why: str) -> Defect:
    text = f"{e.context.store.where(name)}: {why}"
    return Defect(ORPHANED, None, name, text, "marked: `gatekeeper gc` removes it after the grace period")


def _leftovers(e: _Evidence) -> Iterator[Defect]:
    for name in e.context.store.leftovers():
        where = "a blob" if name.startswith(BLOBS) else "a model"
        text = f"{e.context.store.where(name)} is {where} that was only partly written."
        yield Defect(TEMPORARY, None, name, text, "removed")
