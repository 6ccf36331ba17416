"""Served scores in the database: features, score and model of every idea that a server answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal, select

from gatekeeper.registry.db.database import has_table
from gatekeeper.registry.decision_log.rldataset import has_dataset, ids, present, untyped
from gatekeeper.registry.decision_log.tables import decisions

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
