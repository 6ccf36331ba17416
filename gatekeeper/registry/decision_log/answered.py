"""What did the servers answer, to which features, and by whose bytes?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal, select

from gatekeeper.registry.db.database import has_table
from gatekeeper.registry.decision_log.rldataset import grown, has_dataset, ids, present
from gatekeeper.registry.decision_log.tables import decisions

_d = decisions.c


def answers(connection: Connection, since: datetime, until: datetime) -> Sequence[Row[Any, Any, Any, Any]]:
    """Of every idea that was received from `since` to `until`, oldest first: featureVec, score, sha256, degraded.

    Only ours: rows of other servers say neither when they were received nor who answered.
    """
    if not (has_dataset(connection) and has_table(connection, decisions.name)):
        return []
    score = grown.c["gateScore"] if "gateScore" in present(connection) else literal(None).label("gateScore")
    wanted = select(grown.c["featureVec"], score, _d.sha256, _d.degraded)
    joined = wanted.select_from(grown.join(decisions, _d.dataset_id == ids))
    return connection.execute(joined.where(_d.at.between(since, until)).order_by(_d.at, ids)).all()
