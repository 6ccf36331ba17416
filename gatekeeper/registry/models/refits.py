"""Refits: links each deployed refit to the model that was judged for it.

A refit can't be judged, since it was trained on the holdout. The judged model has the same recipe and seed and was
fitted before the holdout. A model that was judged itself has no row in this table.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gatekeeper.errors import ConfigError, EvaluationOutdated, PromotionRefused
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.records import Evaluation, Model

_r, _p = tables.refits.c, tables.promotions.c


def bind(work: Work, model_id: int, judged_id: int) -> None:
    """Record that `model_id` is a refit of the judged model `judged_id`. Raises UnknownModel, ConfigError."""
    if model_id == judged_id or (known := judged_model_of(work.connection, model_id)) == judged_id:
        return
    judged = catalogue.model(work.connection, judged_id)
    if known is not None:
        raise ConfigError(
            f"Model {model_id} is a refit of model {known} already, so it can't be a refit of model {judged_id}."
        )
    if judged_model_of(work.connection, judged.id) is not None or refits(work.connection, [model_id]):
        raise ConfigError(
            f"Model {model_id} can't be a refit of model {judged.id}: a refit of a refit is not allowed, and one of "
            "them is part of such a pair already."
        )
    writes.add(work.connection, tables.refits, {"model_id": model_id, "twin_id": judged.id})


def judged_model_of(connection: Connection, model_id: int) -> int | None:
    """The id of the model that was judged for this refit; None if the model is not a refit."""
    found: int | None = connection.execute(select(_r.twin_id).where(_r.model_id == model_id)).scalar()
    return found


def judged_as(connection: Connection, ids: Iterable[int]) -> dict[int, int]:
    """Each model's id with that of its judged model; with its own if it is not a refit."""
    wanted = list(ids)
    rows = connection.execute(select(_r.model_id, _r.twin_id).where(_r.model_id.in_(wanted)))
    return {each: each for each in wanted} | {row.model_id: row.twin_id for row in rows}


def refits(connection: Connection, ids: Iterable[int]) -> list[int]:
    """The ids of the refits of these judged models, newest first."""
    wanted = select(_r.model_id).where(_r.twin_id.in_(list(ids))).order_by(_r.model_id.desc())
    return list(connection.execute(wanted).scalars())


def refuse_unjudged(connection: Connection, judged: Evaluation, model: Model) -> None:
    """Raise PromotionRefused unless this evaluation judged this model, or judged its judged model and compared both."""
    if judged.refit is None:
        if judged.challenger != model.id:
            raise PromotionRefused(f"Evaluation {judged.id} judged model {judged.challenger}, not model {model.id}.")
        return
    if judged_model_of(connection, model.id) != judged.challenger:
        raise PromotionRefused(
            f"Evaluation {judged.id} judged model {judged.challenger} for its refit {judged.refit.name}, and "
            f"promotes that refit, not model {model.id}."
        )
    if judged.deploys != model.sha256:
        raise EvaluationOutdated(
            f"Evaluation {judged.id} compared its challenger with a refit of sha256 {judged.deploys}, but model "
            f"{model.id} has sha256 {model.sha256}. Evaluate again."
        )


def unseen(connection: Connection, model_id: int) -> Model | None:
    """The judged model of this refit, unless its bytes were promoted too: a rollback quarantines it with the refit."""
    judged_id = judged_model_of(connection, model_id)
    if judged_id is None:
        return None
    judged = catalogue.model(connection, judged_id)
    was_live = connection.execute(select(_p.generation).where(_p.sha256 == judged.sha256).limit(1)).first()
    return None if was_live or judged.sha256 is None else judged
