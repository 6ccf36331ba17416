"""Model copy: takes a model with its facts and evaluations to another registry.

There it is verified again and becomes a challenger. Its evaluations are evidence and can't promote it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from gatekeeper.errors import ConfigError
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.registration import by_run, insert_artifact, new_row
from gatekeeper.registry.models.verification import Inspected, inspect, refuse_unregistered, verify_registered
from gatekeeper.registry.promotion import evaluations, holds
from gatekeeper.registry.records import COPIED, Details, Evaluation, Model

_e = tables.evaluations.c


@dataclass(frozen=True, slots=True)
class Copied:
    """The model's row in the other registry, and the evaluations copied with it."""

    model: Model
    is_new: bool  # False: it was copied before
    evaluations: tuple[int, ...]  # ids in the other registry, of those copied now


def copy(source: RegistryContext, target: RegistryContext, model_id: int) -> Copied:
    """Copy model `model_id` of `source` to `target`, with its facts and its evaluations as a challenger.

    With a refit, its judged model is copied too, which has the evaluations. Repeating it returns the existing row and
    copies only new evaluations. Raises UnknownModel, ModelRefused, Quarantined, ClaimsUnsettled, Unavailable, and
    ConfigError if both registries share a database or store.
    """
    _refuse_same_place(source, target)
    with source.database.read() as connection:
        model = catalogue.model(connection, model_id)
        sha256 = refuse_unregistered(model)
        holds.refuse_quarantined(connection, model_id, sha256)
        judged_id = refits.judged_model_of(connection, model_id)
        evidence = [] if judged_id is not None else evaluations.evaluations(connection, model_id)[::-1]
    judged = None if judged_id is None else copy(source, target, judged_id)
    content = source.store.find(model.file_name, sha256)
    inspected = _verified(target, model, content)
    target.step("verified")
    run_key = f"copy {sha256}"
    with target.database.write() as work:
        target.step("locked")
        there = by_run(work.connection, run_key, sha256)
        row_id = new_row(target, work, content, model.description) if there is None else there.id
        if there is None:
            insert_artifact(work, row_id, inspected, threshold=model.threshold or target.threshold, run_key=run_key)
            target.step("described")
        if judged is not None:
            refits.bind(work, row_id, judged.model.id)
        carried = () if judged is None else judged.evaluations
        carried += tuple(copied for each in evidence if (copied := _carry(work, each, row_id)) is not None)
        target.step("evaluations written")
        row = catalogue.model(work.connection, row_id)
    target.step("committed")
    return Copied(row, there is None, carried)


def _refuse_same_place(source: RegistryContext, target: RegistryContext) -> None:
    same_database = _resolved(source.database.name) == _resolved(target.database.name)
    if same_database and source.database.schema() == target.database.schema():
        raise ConfigError(
            f"The model is in the registry {source.database.name} already. Name another registry with --to."
        )
    if _resolved(source.store.where("")) == _resolved(target.store.where("")):
        raise ConfigError(
            f"Both registries would keep their files in {source.store.where('')}, where their names would collide. "
            "Name the other registry's store with --models."
        )


def _resolved(place: str) -> str:
    return place.rstrip("/") if "://" in place else str(Path(place).resolve())


def _verified(target: RegistryContext, model: Model, content: bytes) -> Inspected:
    """Run every check again, as on an untrusted file, canaries included: the model must score as it did here."""
    inspected = inspect(content, cap=target.store.cap, details=None)
    verify_registered(target, model, content)
    known = Details(
        trained_from=model.trained_from,
        trained_to=model.trained_to,
        cutoff=model.cutoff,
        estimator=model.estimator,
        fingerprint=model.fingerprint,
        code_version=model.code_version,
    )
    return replace(inspected, details=known, feature_schema=model.feature_schema or inspected.feature_schema)


def _carry(work: Work, made: Evaluation, challenger: int) -> int | None:
    """Copy one evaluation; returns its id in the other registry, or None if it was copied before.

    Its kind is `copied`: it compared with another environment's primary, so it can't promote. The champion is a row
    there only if its bytes are registered there; its sha256 is kept in any case.
    """
    run_key = f"copy {made.at.isoformat()} {made.run_key}"
    known = (_e.run_key == run_key) & (_e.challenger == challenger)
    if work.connection.execute(select(_e.id).where(known)).first() is not None:
        return None
    a = tables.artifacts.c
    champion = work.connection.execute(
        select(a.model_id).where(a.sha256 == made.champion_sha256).order_by(a.model_id).limit(1)
    ).scalar()
    writes.add(
        work.connection,
        tables.evaluations,
        {
            "challenger": challenger,
            "champion": champion,
            "challenger_sha256": made.challenger_sha256,
            "champion_sha256": made.champion_sha256,
            "generation": made.generation,
            "as_of": made.as_of,
            "kind": COPIED,
            "verdict": made.verdict,
            "document": made.document_json,
            "run_key": run_key,
            "report": made.report,
            "at": made.at,
        },
    )
    return int(work.connection.execute(select(_e.id).where(known)).scalar_one())
