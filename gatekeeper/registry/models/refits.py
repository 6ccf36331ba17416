"""Which model was judged in this one's stead?

A refit can't be judged: it has seen the window. Its twin can, which has the same recipe and seed and was fitted before
the holdout; this table says whose twin is whose. A model that was itself judged has no row here.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gatekeeper.errors import ConfigError, EvaluationOutdated, PromotionRefused
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Work
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.records import Evaluation, Model

_t, _p = tables.twins.c, tables.promotions.c


def bind(work: Work, model_id: int, twin_id: int) -> None:
    """From now on `twin_id` is judged in the stead of `model_id`. Raises UnknownModel, ConfigError."""
    if model_id == twin_id or (known := of(work.connection, model_id)) == twin_id:
        return
    twin = catalogue.model(work.connection, twin_id)
    if known is not None:
        raise ConfigError(f"model {model_id} is the refit of model {known}, and can't be that of {twin_id}, too")
    if of(work.connection, twin.id) is not None or refits(work.connection, [model_id]):
        raise ConfigError(f"model {model_id} can't be the refit of {twin.id}: one of them is bound the other way round")
    work.connection.execute(tables.twins.insert().values(model_id=model_id, twin_id=twin.id))


def of(connection: Connection, model_id: int) -> int | None:
    """The id of the twin; None where the model stands for itself."""
    found: int | None = connection.execute(select(_t.twin_id).where(_t.model_id == model_id)).scalar()
    return found


def judged_as(connection: Connection, ids: Iterable[int]) -> dict[int, int]:
    """Each model's id with its twin's, or with its own."""
    wanted = list(ids)
    rows = connection.execute(select(_t.model_id, _t.twin_id).where(_t.model_id.in_(wanted)))
    return {each: each for each in wanted} | {row.model_id: row.twin_id for row in rows}


def refits(connection: Connection, ids: Iterable[int]) -> list[int]:
    """The ids of all that have one of these as their twin, newest first."""
    wanted = select(_t.model_id).where(_t.twin_id.in_(list(ids))).order_by(_t.model_id.desc())
    return list(connection.execute(wanted).scalars())


def refuse_unjudged(connection: Connection, judged: Evaluation, model: Model) -> None:
    """Raise PromotionRefused unless this evaluation is of this model, or of its twin and compared the two."""
    if judged.refit is None:
        if judged.challenger != model.id:
            raise PromotionRefused(f"evaluation {judged.id} judged model {judged.challenger}, not {model.id}")
        return
    if of(connection, model.id) != judged.challenger:
        raise PromotionRefused(
            f"evaluation {judged.id} judged model {judged.challenger} in the stead of its refit "
            f"{judged.refit.name}, and promotes that one, not model {model.id}"
        )
    if judged.deploys != model.sha256:
        raise EvaluationOutdated(
            f"evaluation {judged.id} compared its challenger with a refit of sha256 {judged.deploys}; model {model.id} "
            f"has {model.sha256}: evaluate again"
        )


def unseen(connection: Connection, model_id: int) -> Model | None:
    """The twin, unless its bytes were live themselves: what a rollback from the refit quarantines along with it."""
    twin_id = of(connection, model_id)
    if twin_id is None:
        return None
    twin = catalogue.model(connection, twin_id)
    was_live = connection.execute(select(_p.generation).where(_p.sha256 == twin.sha256).limit(1)).first()
    return None if was_live or twin.sha256 is None else twin
