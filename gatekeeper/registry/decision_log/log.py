"""Decision log: scored ideas, their outcomes, and when these were known.

An idea is one row of `"RLDataset"` and one of the side table, written once, by its idea_id, in one transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isclose
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, select

from gatekeeper.errors import DataError, GatekeeperError
from gatekeeper.registry.db import writes
from gatekeeper.registry.db.database import Database, has_table, of
from gatekeeper.registry.db.faults import not_kept
from gatekeeper.registry.decision_log import conflicts
from gatekeeper.registry.decision_log.bulk import insert_rows
from gatekeeper.registry.decision_log.line_format import Outcome
from gatekeeper.registry.decision_log.rldataset import has_dataset, ids, kinds_of, present, untyped
from gatekeeper.registry.decision_log.tables import DATASET, decisions

AT_ONCE = 500  # rows of one statement: far below the databases' limits on parameters

_READ = ("ts", "symbol", "featureVec", "action", "outcome")
_SIDE = {
    "dataset_id": "bigint",
    "idea_id": "text",
    "at": "timestamptz",
    "time": "timestamptz",
    "strategy": "text",
    "threshold": "double precision",
    "approved": "boolean",
    "sha256": "text",
    "degraded": "boolean",
    "version": "text",
}
_d = decisions.c


class OutcomeRefused(GatekeeperError):
    """The outcome contradicts what is known of its idea. Nothing has changed; send the right one."""


class OutcomeTooEarly(OutcomeRefused):
    """The outcome closed before its idea's time. Nothing has changed; send the right time."""


class Logged(NamedTuple):
    """The result of logging ideas: how many are new, and how many were stored as conflicts for the first time."""

    new: int
    conflicts: int


class OutcomeResult(NamedTuple):
    """The result for one outcome: `unknown` if there is no such idea (yet); `refusal` is the reason of a refusal."""

    state: Literal["recorded", "unknown", "refused"]
    refusal: OutcomeRefused | None = None


def log(database: Database, ideas: Sequence[Sequence[Any]]) -> Logged:
    """Add the new ones of `ideas`, as `line_format.parse` gives them.

    An idea that is there already changes nothing; if it was decided otherwise, it is stored as a conflict.

    All or none. Raises SchemaOutOfDate, ConfigError or GenerationMoved if the table refuses one of them.
    """
    if not ideas:
        return Logged(0, 0)
    with database.append() as connection:
        highest = connection.execute(select(func.coalesce(func.max(_d.dataset_id), 0))).scalar_one()
        drawn = of(connection).draw_ids(connection, DATASET, len(ideas), highest)
        fresh = _insert_side(connection, ideas, drawn)
        kinds = kinds_of(connection)
        new = [(row_id, idea) for row_id, idea in zip(drawn, ideas, strict=True) if row_id in fresh]
        insert_rows(connection, DATASET, kinds.declared, kinds.rows(new))
        known = [idea for row_id, idea in zip(drawn, ideas, strict=True) if row_id not in fresh]
        return Logged(len(new), conflicts.store(connection, known) if known else 0)


def _insert_side(connection: Connection, ideas: Sequence[Sequence[Any]], drawn: Sequence[int]) -> set[int]:
    """Insert the rows of the side table; returns the row ids of the new ideas.

    Another process may deliver the same ideas: the second waits for the first, then adds nothing. Both insert in the
    order of idea_id, so that they can't deadlock.
    """
    utc = "" if connection.dialect.name == "sqlite" else "+00"
    rows = [
        (row_id, idea_id, at + utc, time + utc, strategy, threshold, approved == 1, sha256, degraded == 1, version)
        for row_id, (_, idea_id, at, time, _, strategy, _, _, approved, threshold, _, sha256, degraded, version) in zip(
            drawn, ideas, strict=True
        )
    ]
    rows.sort(key=itemgetter(1))
    added = insert_rows(connection, decisions.name, _SIDE, rows, tail="ON CONFLICT (idea_id) DO NOTHING")
    if added == len(rows):
        return set(drawn)
    there = select(_d.dataset_id).where(_d.dataset_id.between(drawn[0], drawn[-1]))
    fresh = set(connection.execute(there).scalars()) & set(drawn)
    names, known = sorted({row[1] for row in rows}), 0
    for start in range(0, len(names), AT_ONCE):
        stored = select(func.count()).select_from(decisions).where(_d.idea_id.in_(names[start : start + AT_ONCE]))
        known += connection.execute(stored).scalar_one()
    if len(fresh) != added or known != len(names):  # an idea that was known already is no fault; one that is nowhere is
        raise not_kept("INSERT", decisions.name, len(names), known)
    return fresh


def close(database: Database, outcomes: Sequence[Outcome], *, all_or_none: bool) -> list[OutcomeResult]:
    """Record outcomes; an outcome that is recorded already changes nothing.

    With `all_or_none`, raises OutcomeRefused for the first that is refused; then nothing has changed.
    """
    with database.append() as connection:
        known = _known(connection, [outcome.idea_id for outcome in outcomes])
        results: list[OutcomeResult] = []
        news: dict[str, Outcome] = {}
        for outcome in outcomes:
            row = known.get(outcome.idea_id)
            result = OutcomeResult("unknown") if row is None else _result(row, news.get(outcome.idea_id), outcome)
            if result.refusal is not None and all_or_none:
                raise result.refusal
            if result.state == "recorded" and row is not None and row["outcome_at"] is None:
                news.setdefault(outcome.idea_id, outcome)
            results.append(result)
        _write_outcomes(connection, known, news)
    return results


def _known(connection: Connection, idea_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The stored facts of each idea, locked. A second statement, since only that sees what the lock waited for."""
    known: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(idea_ids), AT_ONCE):
        named = select(decisions).where(_d.idea_id.in_(idea_ids[start : start + AT_ONCE])).order_by(_d.idea_id)
        rows = connection.execute(named.with_for_update()).mappings().all()
        made = select(ids, untyped.c.outcome).where(ids.in_([row["dataset_id"] for row in rows]))
        ends = {row.id: row.outcome for row in connection.execute(made)}
        for row in rows:
            row_id = row["dataset_id"]
            known[row["idea_id"]] = {**row, "there": row_id in ends, "outcome": ends.get(row_id)}
    return known


def _result(row: Mapping[str, Any], news: Outcome | None, outcome: Outcome) -> OutcomeResult:
    if not row["there"]:
        return _refused(
            OutcomeRefused,
            f'Idea {outcome.idea_id} has no row in "{DATASET}" any more, so its outcome can\'t be recorded.',
        )
    if outcome.closed_at < row["time"]:
        return _refused(
            OutcomeTooEarly,
            f"Idea {outcome.idea_id} can't have closed at {outcome.closed_at.isoformat()}, before its own time "
            f"{row['time'].isoformat()}.",
        )
    made = row["outcome"] if news is None else news.outcome
    closed_at = row["closed_at"] if news is None else news.closed_at
    if made is None:
        return OutcomeResult("recorded")
    # A column of another tool may hold fewer digits than were sent.
    if isclose(float(made), outcome.outcome, rel_tol=1e-6) and closed_at in (None, outcome.closed_at):
        return OutcomeResult("recorded")
    when = "" if closed_at is None else f", closed at {closed_at.isoformat()}"
    return _refused(
        OutcomeRefused,
        f"Idea {outcome.idea_id} has the outcome {made}{when} already, which stays. The new outcome "
        f"{outcome.outcome}, closed at {outcome.closed_at.isoformat()}, differs.",
    )


def _refused(kind: type[OutcomeRefused], why: str) -> OutcomeResult:
    return OutcomeResult("refused", kind(why))


def _write_outcomes(
    connection: Connection, known: Mapping[str, Mapping[str, Any]], news: Mapping[str, Outcome]
) -> None:
    if not news:
        return
    kinds = kinds_of(connection)
    facts = [
        {
            "row": known[idea_id]["dataset_id"],
            "closed": outcome.closed_at,
            "known": outcome.known_at,
            "said": outcome.stated,
            "came": outcome.at,
        }
        for idea_id, outcome in news.items()
    ]
    side: dict[str, object] = {
        "closed_at": bindparam("closed"),
        "known_at": bindparam("known"),
        "stated": bindparam("said"),
        "outcome_at": bindparam("came"),
    }
    writes.change(connection, decisions, _d.dataset_id == bindparam("row"), side, meant=len(news), each=facts)
    made = [{"row": known[idea_id]["dataset_id"], "made": kinds.outcome(o.outcome)} for idea_id, o in news.items()]
    values: dict[str, object] = {"outcome": bindparam("made")}
    writes.change(connection, untyped, ids == bindparam("row"), values, meant=len(news), each=made)


def history(connection: Connection, as_of: datetime, name: str) -> Sequence[Row[Any]]:
    """Every row of `"RLDataset"`, by its id, with its columns of the side table.

    These are Gatekeeper's ideas up to the as-of, and all rows of other servers, whose time column may be any text.
    Raises DataError if the table or a column is missing.
    """
    if not has_dataset(connection):
        raise DataError(f'{name} has no table "{DATASET}". Name the database that the servers write to.')
    there = present(connection)
    if missing := [column for column in ("id", *_READ) if column not in there]:
        raise DataError(f'The table "{DATASET}" of {name} lacks the columns {", ".join(missing)}. Add them.')
    columns = [ids, *(untyped.c[column] for column in _READ)]
    if "strategyVersionId" in there:
        columns.append(untyped.c["strategyVersionId"])
    if not has_table(connection, decisions.name):
        return connection.execute(select(*columns).order_by(ids)).all()
    side = [_d.idea_id, _d.at, _d.time, _d.strategy, _d.approved, _d.closed_at, _d.known_at, _d.stated, _d.outcome_at]
    joined = untyped.outerjoin(decisions, _d.dataset_id == ids)
    wanted = select(*columns, *side).select_from(joined).where((_d.time <= as_of) | _d.idea_id.is_(None))
    return connection.execute(wanted.order_by(ids)).all()
