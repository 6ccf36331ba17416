"""How does a file become a model of the registry? Verified, copied in, and given a row of its own."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, bindparam, select

from gatekeeper.errors import ClaimsUnsettled
from gatekeeper.model.files import read_model
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext, aware, checked_threshold, plain, storable
from gatekeeper.registry.db import created_at, tables
from gatekeeper.registry.db.database import Work, insert_row, next_id, now, of
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.retirement import strike
from gatekeeper.registry.models.verification import Inspected, inspect
from gatekeeper.registry.records import Details, Model
from gatekeeper.registry.store.base import blob_name, sha256_of

_m, _a = tables.models.c, tables.artifacts.c
_OTHERS = select(_m.id).where((_m.version == bindparam("name")) & (_m.id != bindparam("model")))
_BY_RUN = select(_a.model_id).where((_a.run_key == bindparam("run")) & (_a.sha256 == bindparam("these")))
_CANARY = select(_a.canary).where(_a.sha256 == bindparam("these")).limit(1)


def register(
    context: RegistryContext,
    file: str | Path | bytes,
    *,
    note: str | None,
    run_key: str | None,
    threshold: float | None,
    trained_to: datetime | None,
    details: Details | None,
    twin: int | None = None,
) -> Model:
    """A new row for `file`, or the row that the same run key and bytes have already. Never touches the user's file.

    `twin` is the model that is judged in its stead.
    """
    note = storable(note or "", "note")
    if run_key is not None:
        plain(run_key, "run key")
    threshold = context.threshold if threshold is None else checked_threshold(threshold)
    aware(trained_to, "trained_to")
    content = file if isinstance(file, bytes) else read_model(Path(file), root=None, cap=context.store.cap)
    sha256 = sha256_of(content)
    found, canary = _seen(context, run_key, sha256, twin)
    if found is not None:
        return found
    shown = inspect(content, cap=context.store.cap, details=details, known_canary=canary)
    if trained_to is not None:
        shown = replace(shown, details=replace(shown.details, trained_to=trained_to))
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        model = _row(context, work, content, shown, note=note, threshold=threshold, run_key=run_key)
        if twin is not None:
            refits.bind(work, model.id, twin)
    context.step("committed")
    return model


def _row(
    context: RegistryContext,
    work: Work,
    content: bytes,
    shown: Inspected,
    *,
    note: str,
    threshold: float,
    run_key: str | None,
) -> Model:
    """The row that this run made of these bytes, with the files that it lost; else a new one."""
    model = by_run(work.connection, run_key, shown.sha256)
    if model is not None:
        for name in _lost(context, model, shown.sha256):
            work.on_failure(context.store.place(name, content))
        return model
    model_id = new_row(context, work, content, note)
    insert_artifact(work, model_id, shown, threshold=threshold, run_key=run_key)
    context.step("described")
    return catalogue.model(work.connection, model_id)


def insert_artifact(work: Work, model_id: int, shown: Inspected, *, threshold: float, run_key: str | None) -> None:
    """What was seen of the bytes of model `model_id`."""
    known = shown.details
    work.connection.execute(
        tables.artifacts.insert(),
        {
            "model_id": model_id,
            "sha256": shown.sha256,
            "size": shown.size,
            "feature_schema": shown.feature_schema,
            "threshold": threshold,
            "trained_from": known.trained_from,
            "trained_to": known.trained_to,
            "cutoff": known.cutoff,
            "estimator": known.estimator,
            "fingerprint": known.fingerprint,
            "code_version": known.code_version,
            "canary": shown.canary_json,
            "recognised": shown.recognised,
            "run_key": run_key,
        },
    )


def refuse_taken(
    context: RegistryContext, connection: Connection, model_id: int, version: str, content: bytes | None
) -> None:
    """Raise ClaimsUnsettled where another row holds this name, or its file, with other bytes.

    Rows that other tools named for another id do (case 61); readers of theirs must not be given our bytes.
    """
    taken = list(connection.execute(_OTHERS, {"name": version, "model": model_id}).scalars())
    name = naming.file_name(version)
    if not taken and (content is None or not context.store.may_hold(name, content)):
        taken = [holder for holder in catalogue.holders(connection, name) if holder != model_id]
    if taken:
        raise ClaimsUnsettled(
            f"the name {version} of model {model_id} is taken by model {taken[0]}; "
            "`gatekeeper migrate-naming` gives every row its own name"
        )


def by_run(connection: Connection, run_key: str | None, sha256: str) -> Model | None:
    """The row that this run key and these bytes have already."""
    if run_key is None:
        return None
    found = connection.execute(_BY_RUN, {"run": run_key, "these": sha256}).scalar()
    return None if found is None else catalogue.model(connection, found)


def _seen(
    context: RegistryContext, run_key: str | None, sha256: str, twin: int | None
) -> tuple[Model | None, str | None]:
    """The row that this run made of these bytes already, where nothing of it is to be mended; else their canary."""
    with context.database.read() as connection:
        found = by_run(connection, run_key, sha256)
        if found is not None and _bound(connection, found, twin) and not _lost(context, found, sha256):
            return found, None
        return None, connection.execute(_CANARY, {"these": sha256}).scalar()


def _bound(connection: Connection, model: Model, twin: int | None) -> bool:
    """Is this the twin that the model has; or is none wanted?"""
    return twin in (None, model.id, refits.of(connection, model.id))


def _lost(context: RegistryContext, model: Model, sha256: str) -> list[str]:
    """Which of the two files of a row that is there already are gone: whoever registers again has their bytes."""
    return [name for name in (blob_name(sha256), model.file_name) if context.store.is_missing(name)]


def new_row(context: RegistryContext, work: Work, content: bytes, note: str) -> int:
    """Returns its id, which comes before the version; the files come before the row that names them."""
    context.store.refuse_absent()  # bytes on an empty mount point would be lost when the volume comes back
    connection = work.connection
    model_id = next_id(connection)
    version = naming.standard_version(model_id)
    refuse_taken(context, connection, model_id, version, content)
    name = naming.file_name(version)
    work.on_failure(context.store.put_blob(content))
    work.on_failure(context.store.place(name, content))
    strike(work, [name])
    row = {"id": model_id, "version": version, "path": context.path_of(version), "description": note}

    def declared() -> str:
        return of(connection).declared_type(connection, "createdAt")

    insert_row(connection, {**row, "createdAt": created_at.written(now(connection), connection, declared)})
    context.step("row written")
    return model_id
