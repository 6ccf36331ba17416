"""What did the servers make of the ideas that they were asked about, outcome or not?"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.config import Settings
from gatekeeper.features import FEATURES
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.decision_log.answered import answers
from gatekeeper.serving.sql_source import vector_of


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """n answers, oldest first.

    features: (n, 7) float32. scores: (n,), NaN where none was given. sha256: (n,) of the bytes that answered, "" where
    no model did. degraded: (n,) whether it was another model than the primary.
    """

    features: NDArray[np.float32]
    scores: NDArray[np.float64]
    sha256: NDArray[np.str_]
    degraded: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scores)


def answered(uri: str, since: datetime, until: datetime, settings: Settings) -> Answers:
    """What servers answered from `since` to `until`, by their receipt, in the database that `sql:` or `sql:URL` names.

    Rows whose features can't be read are left out: the source `sql:` is what refuses them. Raises Unavailable.
    """
    database = Database.connect(uri.partition(":")[2] or settings.db)
    try:
        with database.read() as connection:
            rows = answers(connection, since, until)
    finally:
        database.close()
    vectors = [vector_of(row.featureVec) for row in rows]
    values = np.array([vector or [np.nan] * len(FEATURES) for vector in vectors], dtype=np.float32)
    values = values.reshape(len(rows), len(FEATURES))
    whole = np.isfinite(values).all(axis=1)
    return Answers(
        features=values[whole],
        scores=np.array([np.nan if row.gateScore is None else float(row.gateScore) for row in rows])[whole],
        sha256=np.array([row.sha256 or "" for row in rows], dtype=np.str_)[whole],
        degraded=np.array([bool(row.degraded) for row in rows], dtype=np.bool_)[whole],
    )
