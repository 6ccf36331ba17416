"""Model registration: verifies a file, copies it into the store, and gives it a row of its own."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, bindparam, select

from gatekeeper.errors import ClaimsUnsettled
from gatekeeper.model.files import read_model
from gatekeeper.registry import naming
from gatekeeper.registry.context import RegistryContext, aware, checked_threshold, plain, storable
from gatekeeper.registry.db import created_at, tables, writes
from gatekeeper.registry.db.database import Work, insert_row, next_id, now, of
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.retirement import unmark
from gatekeeper.registry.models.verification import Inspected, inspect
from gatekeeper.registry.orders import digest, key_used
from gatekeeper.registry.records import Details, Model
from gatekeeper.registry.store.base import blob_name, sha256_of

_m, _a = tables.models.c, tables.artifacts.c
_OTHERS = select(_m.id).where((_m.version == bindparam("name")) & (_m.id != bindparam("model")))
_BY_RUN = select(_a.model_id).where((_a.run_key == bindparam("run")) & (_a.sha256 == bindparam("these")))
_CANARY = select(_a.canary).where(_a.sha256 == bindparam("these")).limit(1)


@dataclass(frozen=True, slots=True)
class RegistrationOrder:
    """What is registered, as the caller gave it: `threshold` and `trained_to` are None if the caller gave none."""

    run_key: str | None
    sha256: str
    note: str
    threshold: float | None
    trained_to: datetime | None

    @property
    def digest(self) -> str | None:
        """The digest of the order; None without a key, which needs none."""
        facts = {"note": self.note, "threshold": self.threshold, "trained_to": self.trained_to}
        return None if self.run_key is None else digest("register", sha256=self.sha256, **facts)

    def fits(self, model: Model) -> bool:
        """Whether a row of an older Gatekeeper, which has no digest, has what the caller gave."""
        known = (self.threshold in (None, model.threshold), self.trained_to in (None, model.trained_to))
        return all(known) and self.note in ("", model.description)


def register(
    context: RegistryContext,
    file: str | Path | bytes,
    *,
    note: str | None,
    run_key: str | None,
    threshold: float | None,
    trained_to: datetime | None,
    details: Details | None,
    judged_model: int | None = None,
) -> Model:
    """A new row for `file`, or the existing row of the same run key and bytes. Never touches the user's file.

    `judged_model` is the id of the model that was judged for this refit. Raises what `Registry.register` raises.
    """
    note = storable(note or "", "note")
    if run_key is not None:
        plain(run_key, "run key")
    given = None if threshold is None else checked_threshold(threshold)
    threshold = context.threshold if given is None else given
    trained_to = _utc(aware(trained_to, "trained_to"))
    content = file if isinstance(file, bytes) else read_model(Path(file), root=None, cap=context.store.cap)
    sha256 = sha256_of(content)
    order = RegistrationOrder(run_key, sha256, note, given, trained_to)
    found, canary = _seen(context, order, judged_model)
    if found is not None:
        return found
    inspected = inspect(content, cap=context.store.cap, details=details, known_canary=canary)
    if trained_to is not None:
        inspected = replace(inspected, details=replace(inspected.details, trained_to=trained_to))
    context.step("verified")
    with context.database.write() as work:
        context.step("locked")
        model = _row(context, work, content, inspected, order, threshold)
        if judged_model is not None:
            refits.bind(work, model.id, judged_model)
    context.step("committed")
    return model


def _row(
    context: RegistryContext,
    work: Work,
    content: bytes,
    inspected: Inspected,
    order: RegistrationOrder,
    threshold: float,
) -> Model:
    """The existing row of this run key and bytes, its missing files restored; else a new row. Raises KeyUsed."""
    model = by_run(work.connection, order.run_key, inspected.sha256)
    if model is not None:
        _refuse_other_order(work.connection, model, order)
        for name in _lost(context, model, inspected.sha256):
            work.on_failure(context.store.place(name, content))
        return model
    model_id = new_row(context, work, content, order.note)
    insert_artifact(work, model_id, inspected, threshold=threshold, run_key=order.run_key, order=order.digest)
    context.step("described")
    work.settle()
    made = catalogue.model(work.connection, model_id)
    if (made.version, made.sha256) != (naming.standard_version(model_id), inspected.sha256):
        raise rewritten("the model", (made.version, made.sha256), (naming.standard_version(model_id), inspected.sha256))
    return made


def insert_artifact(
    work: Work,
    model_id: int,
    inspected: Inspected,
    *,
    threshold: float,
    run_key: str | None,
    order: str | None = None,
) -> None:
    """Insert the artifact row of model `model_id`: the facts about its bytes."""
    known = inspected.details
    writes.add(
        work.connection,
        tables.artifacts,
        {
            "model_id": model_id,
            "sha256": inspected.sha256,
            "size": inspected.size,
            "feature_schema": inspected.feature_schema,
            "threshold": threshold,
            "trained_from": known.trained_from,
            "trained_to": known.trained_to,
            "cutoff": known.cutoff,
            "estimator": known.estimator,
            "fingerprint": known.fingerprint,
            "code_version": known.code_version,
            "canary": inspected.canary_json,
            "recognised": inspected.recognised,
            "run_key": run_key,
            "order_digest": order,
        },
    )


def refuse_taken(
    context: RegistryContext, connection: Connection, model_id: int, version: str, content: bytes | None
) -> None:
    """Raise ClaimsUnsettled if another row has this name, or its file with other bytes.

    Other tools may have named a row for another id (case 61); their readers must not be given these bytes.
    """
    taken = list(connection.execute(_OTHERS, {"name": version, "model": model_id}).scalars())
    name = naming.file_name(version)
    if not taken and (content is None or not context.store.may_hold(name, content)):
        taken = [holder for holder in catalogue.holders(connection, name) if holder != model_id]
    if taken:
        raise ClaimsUnsettled(
            f"The name {version} of model {model_id} is taken by model {taken[0]}. "
            "Run `gatekeeper migrate-naming`: it gives every row its own name."
        )


def by_run(connection: Connection, run_key: str | None, sha256: str) -> Model | None:
    """The existing row of this run key and bytes; None if there is none."""
    if run_key is None:
        return None
    found = connection.execute(_BY_RUN, {"run": run_key, "these": sha256}).scalar()
    return None if found is None else catalogue.model(connection, found)


def _seen(
    context: RegistryContext, order: RegistrationOrder, judged_model: int | None
) -> tuple[Model | None, str | None]:
    """The existing row of this run key and bytes, if it is complete; else the known canary of these bytes."""
    sha256 = order.sha256
    with context.database.read() as connection:
        found = by_run(connection, order.run_key, sha256)
        if found is not None:
            _refuse_other_order(connection, found, order)
            if _bound(connection, found, judged_model) and not _lost(context, found, sha256):
                return found, None
        return None, connection.execute(_CANARY, {"these": sha256}).scalar()


def _refuse_other_order(connection: Connection, model: Model, order: RegistrationOrder) -> None:
    """Raise KeyUsed if the key registered these bytes with another note, threshold or trained-to."""
    stored = connection.execute(select(_a.order_digest).where(_a.model_id == model.id)).scalar()
    if stored == order.digest or (stored is None and order.fits(model)):
        return
    until = "unknown" if model.trained_to is None else f"{model.trained_to:%Y-%m-%d %H:%M} UTC"
    done = f"registered model {model.id} (threshold {model.threshold}, trained to {until}, {model.description!r})"
    raise key_used(str(model.run_key), done, "the same bytes with another note, threshold or trained-to")


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)


def _bound(connection: Connection, model: Model, judged_model: int | None) -> bool:
    """Whether the model is linked to this judged model already, or none is given."""
    return judged_model in (None, model.id, refits.judged_model_of(connection, model.id))


def _lost(context: RegistryContext, model: Model, sha256: str) -> list[str]:
    """The missing ones of an existing row's two files: registering the bytes again restores them."""
    return [name for name in (blob_name(sha256), model.file_name) if context.store.is_missing(name)]


def new_row(context: RegistryContext, work: Work, content: bytes, note: str) -> int:
    """Place the files and insert the row that names them; returns its id."""
    context.store.refuse_absent()  # bytes on an empty mount point would be hidden when the volume is mounted again
    connection = work.connection
    model_id = next_id(connection)
    version = naming.standard_version(model_id)
    refuse_taken(context, connection, model_id, version, content)
    name = naming.file_name(version)
    work.on_failure(context.store.put_blob(content))
    work.on_failure(context.store.place(name, content))
    unmark(work, [name])
    row = {"id": model_id, "version": version, "path": context.path_of(version), "description": note}

    def declared() -> str:
        return of(connection).declared_type(connection, "createdAt")

    insert_row(connection, {**row, "createdAt": created_at.written(now(connection), connection, declared)})
    context.step("row written")
    return model_id
