"""Answered ideas in the database: features, score and model of every idea that a server answered."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal, select

from gatekeeper.registry.db.database import Database, has_table
from gatekeeper.registry.decision_log.line_format import Decision, version_then
from gatekeeper.registry.decision_log.rldataset import has_dataset, ids, present, untyped
from gatekeeper.registry.decision_log.stored_features import number_of, vector_of
from gatekeeper.registry.decision_log.tables import decisions

PAGE_ROWS = 500

_d = decisions.c


def answers(connection: Connection, since: datetime, until: datetime) -> Sequence[Row[Any, Any, Any, Any]]:
    """featureVec, gateScore, sha256 and degraded of every idea received from `since` to `until`, oldest first.

    Rows of other servers are left out: they hold neither the time of receipt nor the model.
    """
    if not (has_dataset(connection) and has_table(connection, decisions.name)):
        return []
    score = untyped.c["gateScore"] if "gateScore" in present(connection) else literal(None).label("gateScore")
    wanted = select(untyped.c["featureVec"], score, _d.sha256, _d.degraded)
    joined = wanted.select_from(untyped.join(decisions, _d.dataset_id == ids))
    return connection.execute(joined.where(_d.at.between(since, until)).order_by(_d.at, ids)).all()


def newest(database: Database) -> Iterator[list[Decision]]:
    """The logged decisions, newest first, by pages. Rows with unreadable features are left out.

    Raises SchemaOutOfDate, Unavailable.
    """
    columns = [untyped.c[name] for name in ("symbol", "featureVec", "gateScore", "modelId")]
    wanted = select(decisions, *columns).select_from(decisions.join(untyped, ids == _d.dataset_id))
    page = wanted.order_by(_d.dataset_id.desc()).limit(PAGE_ROWS)
    below = None
    while True:
        with database.glance() as connection:
            rows = connection.execute(page if below is None else page.where(_d.dataset_id < below)).all()
        yield [one for row in rows if (one := _decision(row)) is not None]
        if len(rows) < PAGE_ROWS:
            return
        below = rows[-1].dataset_id


def _decision(row: Row[Any]) -> Decision | None:
    vector = vector_of(row.featureVec)
    if vector is None or any(value != value for value in vector):
        return None
    model_id = None if row.modelId is None else int(row.modelId)
    return Decision(
        idea_id=row.idea_id,
        at=row.at,
        time=row.time,
        symbol=str(row.symbol),
        strategy=row.strategy,
        features=tuple(vector),
        score=None if row.gateScore is None else number_of(row.gateScore),
        threshold=row.threshold,
        approved=row.approved,
        model_id=model_id,
        version=version_then(row.version, model_id, degraded=row.degraded),
        sha256=row.sha256,
        degraded=row.degraded,
    )
