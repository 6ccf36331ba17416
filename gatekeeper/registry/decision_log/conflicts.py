"""Conflicting decisions: answers to an idea that differ from the logged one. The row that arrived first counts.

They come from beyond a server's memory of idea ids, from two servers that were asked for the same idea, or from a
memory that was lost.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from math import isclose
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gatekeeper.registry.decision_log.bulk import insert_rows
from gatekeeper.registry.decision_log.rldataset import ids, untyped
from gatekeeper.registry.decision_log.tables import conflicts, decisions

AT_ONCE = 500  # ids of one statement: far below the databases' limits on parameters

_FLOAT32 = 1e-6  # relative: what is left of a float32 in whatever column type
_COLUMNS = {
    "idea_id": "text",
    "content": "text",
    "at": "timestamptz",
    "time": "timestamptz",
    "symbol": "text",
    "features": "text",
    "score": "double precision",
    "approved": "boolean",
    "model_id": "bigint",
    "sha256": "text",
    "version": "text",
}
_d, _c = decisions.c, conflicts.c


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """What the log says of one idea. `version` is None if no model answered, or an older server."""

    approved: bool
    version: str | None
    sha256: str | None


def store(connection: Connection, ideas: Sequence[Sequence[Any]]) -> int:
    """Store those of these logged ideas that their rows contradict; returns how many were not stored before.

    ideas: as `line_format.parse` gives them.
    """
    rows: dict[str, Row[Any]] = {}
    named = sorted({idea[1] for idea in ideas})
    for some in _parts(named):
        joined = decisions.outerjoin(untyped, ids == _d.dataset_id)
        columns = [untyped.c[name] for name in ("symbol", "featureVec", "gateScore")]
        wanted = select(_d.idea_id, _d.approved, _d.sha256, _d.version, ids, *columns).select_from(joined)
        rows |= {row.idea_id: row for row in connection.execute(wanted.where(_d.idea_id.in_(some)))}
    utc = "" if connection.dialect.name == "sqlite" else "+00"
    new = {tuple(row[:2]): row for idea in ideas if _differs(rows.get(idea[1]), idea) for row in [_conflict(idea, utc)]}
    found = [new[key] for key in sorted(new)]  # in one order, so that two processes can't deadlock
    return insert_rows(connection, conflicts.name, _COLUMNS, found, tail="ON CONFLICT (idea_id, content) DO NOTHING")


def _parts(named: Sequence[str]) -> list[Sequence[str]]:
    return [named[start : start + AT_ONCE] for start in range(0, len(named), AT_ONCE)]


def _differs(row: Row[Any] | None, idea: Sequence[Any]) -> bool:
    """Whether a caller was told, or asked, something else than is logged."""
    _, _, _, _, symbol, _, vector, score, approved, _, _, sha256, _, version = idea
    if row is None:  # deleted meanwhile
        return False
    if bool(row.approved) != (approved == 1) or row.sha256 != sha256:
        return True
    if row.version is not None and version is not None and row.version != version:
        return True
    if row.id is None:  # its row of the other table was deleted
        return False
    return str(row.symbol) != symbol or not _same(row.gateScore, score) or not _same_features(row.featureVec, vector)


def _same(stored: object, score: float | None) -> bool:
    from gatekeeper.registry.decision_log.stored_features import number_of  # not needed to open a registry

    if stored is None or score is None:
        return stored is None and score is None
    return isclose(number_of(stored), score, rel_tol=_FLOAT32, abs_tol=_FLOAT32)


def _same_features(stored: object, vector: str) -> bool:
    from gatekeeper.registry.decision_log.stored_features import vector_of

    values = vector_of(stored)
    return values is None or all(
        one != one or isclose(one, other, rel_tol=_FLOAT32)  # NaN: unreadable
        for one, other in zip(values, json.loads(vector), strict=True)
    )


def _conflict(idea: Sequence[Any], utc: str) -> list[Any]:
    _, idea_id, at, time, symbol, _, vector, score, approved, _, model_id, sha256, _, version = idea
    told = [symbol, vector, score, approved, model_id, sha256, version]
    content = sha256_of(json.dumps(told).encode()).hexdigest()
    return [idea_id, content, at + utc, time + utc, symbol, vector, score, approved == 1, model_id, sha256, version]


def logged(connection: Connection, idea_ids: Sequence[str]) -> dict[str, LoggedAnswer]:
    """What the log says of each of these ideas that it has."""
    found: dict[str, LoggedAnswer] = {}
    for some in _parts(idea_ids):
        wanted = select(_d.idea_id, _d.approved, _d.version, _d.sha256).where(_d.idea_id.in_(some))
        found |= {row.idea_id: LoggedAnswer(bool(row.approved), *row[2:]) for row in connection.execute(wanted)}
    return found


def stored(connection: Connection, idea_ids: Sequence[str]) -> Mapping[str, list[LoggedAnswer]]:
    """The conflicting answers to each of these ideas."""
    found: dict[str, list[LoggedAnswer]] = {}
    for some in _parts(idea_ids):
        wanted = select(_c.idea_id, _c.approved, _c.version, _c.sha256).where(_c.idea_id.in_(some)).order_by(_c.at)
        for row in connection.execute(wanted):
            found.setdefault(row.idea_id, []).append(LoggedAnswer(bool(row.approved), *row[2:]))
    return found


def closed(connection: Connection, idea_ids: Sequence[str]) -> set[str]:
    """Those of these ideas that have an outcome."""
    found: set[str] = set()
    for some in _parts(idea_ids):
        wanted = select(_d.idea_id).where(_d.idea_id.in_(some), _d.outcome_at.is_not(None))
        found |= set(connection.execute(wanted).scalars())
    return found


def count(connection: Connection) -> int:
    """The number of all conflicting answers."""
    return connection.execute(select(func.count()).select_from(conflicts)).scalar_one()
