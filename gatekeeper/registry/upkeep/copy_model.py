"""How does a model get to another environment, with all that is known of it?

There it is verified anew, and a challenger: what it was worth here is evidence, and promotes nothing.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from gatekeeper.errors import ConfigError
from gatekeeper.registry.context import RegistryContext
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.registration import by_run, insert_artifact, new_row
from gatekeeper.registry.models.verification import Inspected, inspect, refuse_unregistered, vouch
from gatekeeper.registry.promotion import evaluations, holds
from gatekeeper.registry.records import COPIED, Details, Evaluation, Model

_e = tables.evaluations.c


@dataclass(frozen=True, slots=True)
class Copied:
    """The model as the other registry has it, and what came with it."""

    model: Model
    is_new: bool  # False: it was copied before
    evaluations: tuple[int, ...]  # ids there, of those that came now


def copy(source: RegistryContext, target: RegistryContext, model_id: int) -> Copied:
    """Take model `model_id` of `source` over to `target`, with its facts and its evaluations as a challenger.

    A refit takes its judged twin along, which has the evaluations. The same bytes again: the row that is there, and the
    evaluations that it hasn't yet. Raises UnknownModel, ModelRefused, Quarantined, ConfigError for two registries in
    one place, ClaimsUnsettled, Unavailable.
    """
    _refuse_same_place(source, target)
    with source.database.read() as connection:
        model = catalogue.model(connection, model_id)
        sha256 = refuse_unregistered(model)
        holds.refuse_quarantined(connection, model_id, sha256)
        twin_id = refits.of(connection, model_id)
        evidence = [] if twin_id is not None else evaluations.evaluations(connection, model_id)[::-1]
    twin = None if twin_id is None else copy(source, target, twin_id)
    content = source.store.find(model.file_name, sha256)
    shown = _verified(target, model, content)
    target.step("verified")
    run_key = f"copy {sha256}"
    with target.database.write() as work:
        target.step("locked")
        there = by_run(work.connection, run_key, sha256)
        row_id = new_row(target, work, content, model.description) if there is None else there.id
        if there is None:
            insert_artifact(work, row_id, shown, threshold=model.threshold or target.threshold, run_key=run_key)
            target.step("described")
        if twin is not None:
            refits.bind(work, row_id, twin.model.id)
        carried = () if twin is None else twin.evaluations
        carried += tuple(copied for each in evidence if (copied := _carry(work, each, row_id)) is not None)
        target.step("evaluations written")
        row = catalogue.model(work.connection, row_id)
    target.step("committed")
    return Copied(row, there is None, carried)


def _refuse_same_place(source: RegistryContext, target: RegistryContext) -> None:
    if _resolved(source.database.name) == _resolved(target.database.name):
        raise ConfigError(f"{source.database.name} is the registry that the model is in; --to names another one")
    if _resolved(source.store.where("")) == _resolved(target.store.where("")):
        raise ConfigError(
            f"both registries would keep their files in {source.store.where('')}, where their names would collide; "
            "--models names the other one's folder"
        )


def _resolved(place: str) -> str:
    return place.rstrip("/") if "://" in place else str(Path(place).resolve())


def _verified(target: RegistryContext, model: Model, content: bytes) -> Inspected:
    """Every check anew, as of a file that nobody vouches for; and it must score there as it did here."""
    shown = inspect(content, cap=target.store.cap, details=None)
    vouch(target, model, content)
    known = Details(
        trained_from=model.trained_from,
        trained_to=model.trained_to,
        cutoff=model.cutoff,
        estimator=model.estimator,
        fingerprint=model.fingerprint,
        code_version=model.code_version,
    )
    return replace(shown, details=known, feature_schema=model.feature_schema or shown.feature_schema)


def _carry(work: Work, made: Evaluation, challenger: int) -> int | None:
    """The id of the evaluation there; None where it came before.

    Kind `copied`: against another environment's primary, so it promotes nothing. The champion is a row there only
    where its bytes are; its sha256 is kept in any case.
    """
    run_key = f"copy {made.at.isoformat()} {made.run_key}"
    known = (_e.run_key == run_key) & (_e.challenger == challenger)
    if work.connection.execute(select(_e.id).where(known)).first() is not None:
        return None
    a = tables.artifacts.c
    champion = work.connection.execute(
        select(a.model_id).where(a.sha256 == made.champion_sha256).order_by(a.model_id).limit(1)
    ).scalar()
    work.connection.execute(
        tables.evaluations.insert().values(
            challenger=challenger,
            champion=champion,
            challenger_sha256=made.challenger_sha256,
            champion_sha256=made.champion_sha256,
            generation=made.generation,
            as_of=made.as_of,
            kind=COPIED,
            verdict=made.verdict,
            document=made.document_json,
            run_key=run_key,
            report=made.report,
            at=made.at,
        )
    )
    return int(work.connection.execute(select(_e.id).where(known)).scalar_one())
