"""League candidates: challengers rejected before an as-of that may compete again."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.records import COPIED, Evaluation, Model, evaluation_of, model_of

_m, _a, _e = tables.models.c, tables.artifacts.c, tables.evaluations.c
_p, _q = tables.promotions.c, tables.quarantines.c


def rejected(connection: Connection, before: datetime, run_keys: str) -> list[Model]:
    """Models of runs whose key begins with `run_keys` and whose last evaluation before that as-of rejected them.

    Newest runs first, by the as-of in their key. Only facts known at `before` count, except quarantines and faults,
    which exclude a model from every week. A model with the verdict `promote` that was not promoted stays out too: a
    hold, a person or a later week stopped it.
    """
    known = (_e.as_of < before) & (_e.kind != COPIED)
    last = select(func.max(_e.id)).where(known).group_by(_e.challenger)
    rejected_ids = select(_e.challenger).where(_e.id.in_(last) & (_e.verdict != "promote"))
    wanted = (
        catalogue.MODELS.where(_m.id.in_(rejected_ids))
        .where(_a.run_key.startswith(run_keys, autoescape=True) & tables.faults.c.model_id.is_(None))
        .where(_m.id.not_in(select(_p.to_id).where(_p.as_of < before)))
        .where(_a.sha256.not_in(select(_q.sha256).where(_q.released_at.is_(None))))
        .order_by(_a.run_key.desc(), _m.id.desc())  # a run key holds its as-of after the run's name
    )
    return [model_of(row) for row in connection.execute(wanted)]


def evaluations_of(connection: Connection, run_key: str) -> list[Evaluation]:
    """All evaluations that one weekly run recorded, newest first."""
    wanted = select(tables.evaluations).where(_e.run_key == run_key).order_by(_e.id.desc())
    return [evaluation_of(row) for row in connection.execute(wanted)]
