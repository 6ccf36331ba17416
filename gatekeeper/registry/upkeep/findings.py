"""What is off between database and store? Looked at from both sides, and nothing changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, select

from gatekeeper.errors import ModelRefused
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import has_index
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.retirement import held_digests, is_ours, noted
from gatekeeper.registry.promotion import history_chain, holds
from gatekeeper.registry.records import Model, Promotion
from gatekeeper.registry.store.base import BLOBS, Store, blob_name, sha256_of

MISSING = "missing"  # a row's file or blob isn't there
DANGLING = "dangling"  # a link that leads nowhere
CHANGED = "changed"  # other bytes than the registered ones
UNREADABLE = "unreadable"  # a folder, a file over the cap, a web page: nothing that could be the model
UNREGISTERED = "unregistered"  # a row that nobody has looked at yet, or whose file is another one now
MISNAMED = "misnamed"  # a version or path that isn't the convention's
PRIMARIES = "primaries"  # more than one row claims to be active
NO_PRIMARY = "no primary"  # none does, though the history has one
UNSERVED = "unserved primary"  # the active row is no usable model
INDEX = "index"  # nothing keeps a second primary out
HISTORY = "history"  # the audit doesn't tell of the primary that is there
COUNTER = "counter"  # the generation is behind the audit
BROKEN = "broken"  # rows that speak of others which aren't there
ORPHANED = "orphaned"  # bytes that no row names
TEMPORARY = "temporary"  # left half-written by a writer that was killed
MARKED = "marked"  # a row known to be no usable model; never served, and no fault of today

_KINDS = {"missing": MISSING, "dangling": DANGLING}
_IN_THE_WAY = {"directory", "special", "size"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off. `remedy` says what a repair does about it; None where that takes a person's choice."""

    kind: str
    model_id: int | None
    name: str | None  # of the file, as the store knows it
    text: str
    remedy: str | None = None
    source: str | None = None  # the file that holds the right bytes

    @property
    def repairable(self) -> bool:
        """Can it be mended without a guess?"""
        return self.remedy is not None


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found, and the rows that are known to be no models."""

    findings: tuple[Finding, ...]
    marked: tuple[Finding, ...]


class Digests:
    """The sha256 of each file, or why it has none. Each is read once, until it is forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, str | ModelRefused] = {}

    def of(self, name: str) -> str | ModelRefused:
        """Raises Unavailable where the store can't be reached."""
        if name not in self._known:
            try:
                self._known[name] = sha256_of(self._store.read(name))
            except ModelRefused as fault:
                self._known[name] = fault
        return self._known[name]

    def forget(self, names: Iterable[str | None]) -> None:
        """Read these again the next time."""
        for name in names:
            self._known.pop(name or "", None)


@dataclass(frozen=True)  # no slots: what is looked at once is kept beside its fields
class _Evidence:
    """Both sides at one moment."""

    context: RegistryContext
    connection: Connection
    digests: Digests
    models: Sequence[Model]  # by id
    marks: Mapping[int, str | None]  # model id: the sha256 of the file that was found to be no model
    audit: Sequence[Promotion]  # oldest first
    generation: int

    @property
    def claims(self) -> list[int]:
        return [model.id for model in self.models if model.is_primary]

    def chosen(self) -> int | None:
        """The claimant that needs no choice: the only one, or the newest on record."""
        claims = self.claims
        recorded = (row.to_id for row in reversed(self.audit) if row.to_id in claims)
        return claims[0] if len(claims) == 1 else next(recorded, None)

    def source(self, sha256: str) -> str | None:
        """A file that holds these bytes."""
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
        """Whatever lies in the store, by its bytes; looked at once, and only where a row's own places don't do."""
        read = ((self.digests.of(name), name) for name in self.context.store.names())
        return {digest: name for digest, name in read if isinstance(digest, str)}


def examine(context: RegistryContext, connection: Connection, digests: Digests) -> Examination:
    """Compare both sides. Raises Unavailable where one of them can't be reached: that is never taken for missing."""
    faults = connection.execute(select(tables.faults.c.model_id, tables.faults.c.sha256))
    evidence = _Evidence(
        context=context,
        connection=connection,
        digests=digests,
        models=catalogue.models(connection)[::-1],
        marks={row.model_id: row.sha256 for row in faults},
        audit=catalogue.promotions(connection)[::-1],
        generation=catalogue.generation(connection),
    )
    checks = (_bytes, _unregistered, _names, _claims, _index, _history, _broken, _strays, _leftovers)
    found = [finding for check in checks for finding in check(evidence)]
    return Examination(
        findings=tuple(one for one in found if one.kind != MARKED),
        marked=tuple(one for one in found if one.kind == MARKED),
    )


def _bytes(e: _Evidence) -> Iterator[Finding]:
    """The named file and the blob of each registered row."""
    for place, wanted in _places(e.models).items():
        if len(wanted) > 1:
            continue  # rows with different bytes share a name: a new name settles it, see `_names`
        ((sha256, model_id),) = wanted.items()
        found = e.digests.of(place)
        if found != sha256:
            yield _off(e, model_id, place, sha256, found)


def _places(models: Iterable[Model]) -> dict[str, dict[str, int]]:
    """Each file that rows rely on: the sha256 that it must have, and the first row that says so."""
    places: dict[str, dict[str, int]] = {}
    for model in models:
        if model.sha256 is not None:
            for place in filter(None, (model.file_name, blob_name(model.sha256))):
                places.setdefault(place, {}).setdefault(model.sha256, model.id)
    return places


def _off(e: _Evidence, model_id: int, place: str, sha256: str, found: str | ModelRefused) -> Finding:
    where = e.context.store.where(place)
    if isinstance(found, ModelRefused):
        kind, says, movable = _KINDS.get(found.reason, UNREADABLE), str(found), found.reason not in _IN_THE_WAY
    else:
        kind, says, movable = CHANGED, f"{where} has sha256 {found}; registered is {sha256}", True
    source = e.source(sha256)
    if source is None:
        blob = e.context.store.where(blob_name(sha256))
        lost = f"its bytes are nowhere else: bring {blob} back from a backup, or register the same file again"
        return Finding(kind, model_id, place, f"{says}; {lost}")
    if not movable:
        return Finding(kind, model_id, place, f"{says}; it is in the way of the model: move it away")
    return Finding(kind, model_id, place, says, f"{place} is made again from {source}", source)


def _unregistered(e: _Evidence) -> Iterator[Finding]:
    """Rows without an artifact: known to be no model, or not looked at yet."""
    for model in e.models:
        if model.sha256 is not None:
            continue
        found = e.digests.of(model.file_name)
        digest = found if isinstance(found, str) else None
        name = model.file_name or None
        if model.id not in e.marks or e.marks[model.id] != digest:
            text = f"{model.version} was never looked at, or its file is another one since"
            yield Finding(UNREGISTERED, model.id, name, text, "looked at: taken in, or marked as no usable model")
        elif model.is_primary:
            text = f"the active row is no usable model ({model.fault}); `gatekeeper promote -i ID` takes another"
            yield Finding(UNSERVED, model.id, name, text)
        else:
            yield Finding(MARKED, model.id, name, model.fault or "no usable model")


def _names(e: _Evidence) -> Iterator[Finding]:
    """Versions and paths that aren't the convention's."""
    choice = e.chosen() if e.claims else None
    settled = choice is not None or not e.claims
    for model in e.models:
        version = naming.primary_version(model.id) if model.is_primary else naming.standard_version(model.id)
        if (model.version, model.path) == (version, e.context.path_of(version)):
            continue
        text = f"{model.version} at {model.path!r} should be {version} at {e.context.path_of(version)!r}"
        remedy = "row and file get their names, as `gatekeeper migrate-naming` gives them"
        yield Finding(MISNAMED, model.id, model.file_name or None, text, remedy if settled else None)


def _claims(e: _Evidence) -> Iterator[Finding]:
    """More than one active row, or none where the history has one."""
    if len(e.claims) > 1:
        rows = ", ".join(map(str, e.claims))
        choice = e.chosen()
        remedy = None if choice is None else f"model {choice} stays, since the newest promotion on record is of it"
        text = f"the rows {rows} all claim to be active; `gatekeeper migrate-naming --primary ID` chooses"
        yield Finding(PRIMARIES, None, None, text, remedy)
    if not e.claims and e.audit:
        last = e.audit[-1].to_id
        text = f"no row is active; the newest promotion on record is of {last}; `gatekeeper promote -i ID` takes one"
        remedy = f"model {last} is active again" if _may_return(e, last) else None
        yield Finding(NO_PRIMARY, last, None, text, remedy)


def _may_return(e: _Evidence, model_id: int) -> bool:
    model = next((one for one in e.models if one.id == model_id), None)
    if model is None or model.sha256 is None or holds.quarantined(e.connection, model.sha256):
        return False
    return e.source(model.sha256) is not None


def _index(e: _Evidence) -> Iterator[Finding]:
    if not has_index(e.connection, tables.ONE_PRIMARY):
        settled = e.chosen() is not None or not e.claims
        text = "the database has no unique index that keeps a second primary out; `gatekeeper migrate-naming` makes it"
        yield Finding(INDEX, None, None, text, "the index is made" if settled else None)


def _history(e: _Evidence) -> Iterator[Finding]:
    """Does the audit tell of the primary that is there, and is it whole?"""
    if len(e.claims) == 1 and (not e.audit or e.audit[-1].to_id != e.claims[0]):
        text = f"model {e.claims[0]} is active, and no promotion on record made it so"
        yield Finding(HISTORY, e.claims[0], None, text, "recorded as a promotion of kind `adopted`")
    last = e.audit[-1].generation if e.audit else 0
    if e.generation < last:
        text = f"the generation is {e.generation}, behind promotion {last}"
        yield Finding(COUNTER, None, None, text, f"the generation is {last}")
    before = None
    for number, row in enumerate(e.audit, 1):
        if (row.generation, row.from_id) != (number, before):
            yield Finding(BROKEN, row.to_id, None, f"promotion {row.generation} doesn't follow on the one before it")
            return
        before = row.to_id
    from gatekeeper.documents.receipt import as_hashed

    if (changed := history_chain.first_break(map(as_hashed, history_chain.entries(e.connection)))) is not None:
        text = f"promotion {changed} isn't as it was written, or doesn't follow on the one before it"
        yield Finding(BROKEN, None, None, f"{text}; bring the rows back from a backup, or look who changed them")
        return
    if e.generation > last:
        yield Finding(BROKEN, None, None, f"the generation is {e.generation}, and only {last} promotions are on record")


def _broken(e: _Evidence) -> Iterator[Finding]:
    """Rows of ours that speak of models which aren't there: somebody deleted rows of "RLModel"."""
    there = {model.id for model in e.models}
    spoken_of = {row.to_id for row in e.audit}
    twins = tables.twins.c
    for table in (tables.artifacts.c.model_id, tables.evaluations.c.challenger, twins.model_id, twins.twin_id):
        spoken_of |= set(e.connection.execute(select(table).distinct()).scalars())
    for gone in sorted(spoken_of - there):
        text = f'"RLModel" has lost row {gone}, which artifact, evaluations, promotions or twins speak of'
        yield Finding(BROKEN, gone, None, f"{text}; bring it back from a backup")


def _strays(e: _Evidence) -> Iterator[Finding]:
    """Files and blobs that no row names."""
    known = {model.file_name for model in e.models} | noted(e.connection).keys()
    held = held_digests(e.connection)
    for sha256 in e.context.store.blobs():
        if sha256 not in held and blob_name(sha256) not in known:
            yield _orphan(e, blob_name(sha256), "no row has these bytes; `gatekeeper register -p` takes them in")
    for name in e.context.store.names():
        digest = e.digests.of(name) if name.endswith(naming.SUFFIX) and name not in known else None
        if not isinstance(digest, str):
            continue  # nothing of ours, or no bytes
        if is_ours(name) and e.digests.of(blob_name(digest)) == digest:
            yield _orphan(e, name, "no row has this name; its bytes are in a blob, too")
        elif digest not in held:
            text = f"{e.context.store.where(name)} is no row's, and nobody else has its bytes"
            yield Finding(ORPHANED, None, name, f"{text}; `gatekeeper register -p` takes it in, or move it away")


def _orphan(e: _Evidence, name: str, why: str) -> Finding:
    text = f"{e.context.store.where(name)}: {why}"
    return Finding(ORPHANED, None, name, text, "noted: `gatekeeper gc` removes it past the grace")


def _leftovers(e: _Evidence) -> Iterator[Finding]:
    for name in e.context.store.leftovers():
        where = "a blob" if name.startswith(BLOBS) else "a model"
        text = f"{e.context.store.where(name)} is {where} that was never written to its end"
        yield Finding(TEMPORARY, None, name, text, "removed")
