"""Served scores: features and scores of the ideas that servers answered, with or without an outcome."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.features import FEATURES
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.decision_log.answered import answers
from gatekeeper.registry.decision_log.stored_features import vector_of
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answers to n ideas, oldest first.

    features: (n, 7) float32. scores: (n,), NaN if no model answered. sha256: (n,) of the model's bytes, "" if no model
    answered. degraded: (n,) whether another model than the primary answered.
    """

    features: NDArray[np.float32]
    scores: NDArray[np.float64]
    sha256: NDArray[np.str_]
    degraded: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scores)


def answered(source: str | SecretUrl, since: datetime, until: datetime, settings: Settings) -> Answers:
    """The answers to ideas received from `since` to `until`, in the database that `sql:` or `sql:URL` names.

    Rows with unreadable features are left out; the source `sql:` refuses them. Raises ConfigError, Unavailable.
    """
    uri = source if isinstance(source, str) else source.reveal()
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
