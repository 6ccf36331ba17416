"""`"RLDataset"` formats: writes new rows in the types of an existing table.

Other servers made theirs with other types: times as integers or text, features by name, actions as numbers. A new row
takes the format of the newest row, else of the declared types.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, column, select, table

from gatekeeper.errors import SchemaOutOfDate
from gatekeeper.registry.db import created_at
from gatekeeper.registry.db.database import of
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.decision_log.tables import DATASET, dataset

NEEDED = ("id", "ts", "symbol", "featureVec", "action", "outcome", "gateScore", "modelId")
COLUMNS = (*NEEDED, "strategyVersionId")

_TEXTS = ("text", "char", "varchar", "nvarchar", "clob", "string")
_NUMBERS = ("int", "bigint", "smallint", "numeric", "decimal", "real", "double", "float")
_ID = re.compile(r"[0-9]{1,9}")

# Columns without types: an existing table may have any.
untyped = table(DATASET, *(column(name) for name in COLUMNS))
ids = column("id", dataset.c.id.type)

Stored = object
Written = Callable[[str], Stored]


@dataclass(frozen=True, slots=True)
class Kinds:
    """The format of each column. declared: the table's columns and their types, in the order of `rows`."""

    declared: Mapping[str, str]
    time: Written  # from YYYY-MM-DD hh:mm:ss.ffffff
    features: Written  # from a JSON array
    actions: tuple[Stored, Stored]  # sell, buy
    strategy: Callable[[str | None], Stored]
    number: Mapping[str, Callable[[float | None], Stored]]

    def rows(self, ideas: Sequence[tuple[int, Sequence[Any]]]) -> list[list[Stored]]:
        """A new row for each pair of row id and idea, with its outcome open."""
        time, features, strategies = self.time, self.features, self.strategy
        sell, buy = self.actions
        score_of, model_of = self.number["gateScore"], self.number["modelId"]
        width = len(self.declared)
        return [
            [
                row_id,
                time(started),
                symbol,
                features(vector),
                buy if vector.endswith(",1]") else sell,
                None,
                score_of(score),
                model_of(model_id),
                strategies(strategy),
            ][:width]
            for row_id, (_, _, _, started, symbol, strategy, vector, score, _, _, model_id, _, _, _) in ideas
        ]

    def outcome(self, value: float) -> Stored:
        """An outcome in the table's format."""
        return self.number["outcome"](value)


def has_dataset(connection: Connection) -> bool:
    """Whether the table `"RLDataset"` exists."""
    return of(connection).has(connection, "table", DATASET)


def present(connection: Connection) -> dict[str, str]:
    """Those of the nine columns that the table has, with their declared types."""
    declared = of(connection).declared_types(connection, DATASET)
    return {name: declared[name] for name in COLUMNS if name in declared}


def kinds_of(connection: Connection) -> Kinds:
    """The formats of this table. Raises SchemaOutOfDate if it lacks a column that a decision needs."""
    declared = present(connection)
    if missing := [name for name in NEEDED if name not in declared]:
        raise SchemaOutOfDate(
            f'The table "{DATASET}" lacks the columns {", ".join(missing)}. Add them, nullable: Gatekeeper does not '
            f"change an existing table. If the whole table is missing: {UPGRADE}"
        )
    if declared["id"].startswith((*_TEXTS, "uuid", "character")):
        raise SchemaOutOfDate(
            f'The column id of the table "{DATASET}" is not a number. Gatekeeper needs integer ids: change its type.'
        )
    dialect = connection.dialect.name
    newest = _newest(connection)
    return Kinds(
        declared=declared,
        time=created_at.writer(created_at.sample_of(newest.get("ts"), declared["ts"], dialect)),
        features=_features(newest.get("featureVec"), declared["featureVec"]),
        actions=_actions(newest.get("action"), declared["action"]),
        strategy=_strategy(declared.get("strategyVersionId", "")),
        number={name: _number(declared[name]) for name in ("outcome", "gateScore", "modelId")},
    )


def _newest(connection: Connection) -> dict[str, object]:
    """Time, features and action of the newest row that has all three; empty if there is none."""
    wanted = [untyped.c.ts, untyped.c["featureVec"], untyped.c.action]
    found = select(*wanted).where(*(one.is_not(None) for one in wanted)).order_by(ids.desc()).limit(1)
    row = connection.execute(found).first()
    return {} if row is None else dict(row._mapping)


def _features(sample: object, declared: str) -> Written:
    if declared.endswith("[]"):
        return lambda vector: f"{{{vector[1:-1]}}}"
    if isinstance(sample, dict) or (isinstance(sample, str) and sample.lstrip().startswith("{")):
        from gatekeeper.features import FEATURES  # numpy comes with it: `gatekeeper active` starts without

        return lambda vector: json.dumps(dict(zip(FEATURES, json.loads(vector), strict=True)))
    return str


def _actions(sample: object, declared: str) -> tuple[Stored, Stored]:
    if isinstance(sample, bool) or declared == "boolean":
        return False, True
    if isinstance(sample, str):
        word = sample.strip()
        if word[:1].isdigit():
            return "0", "1"
        if word.isupper():
            return "SELL", "BUY"
        return ("Sell", "Buy") if word.istitle() else ("sell", "buy")
    if sample is not None or _is_numeric(declared):
        return 0, 1
    return "sell", "buy"


def _strategy(declared: str) -> Callable[[str | None], Stored]:
    """A number column takes only a numeric strategy; the side table stores every strategy."""
    if not _is_numeric(declared):
        return lambda strategy: strategy
    return lambda strategy: int(strategy) if strategy is not None and _ID.fullmatch(strategy) else None


def _number(declared: str) -> Callable[[float | None], Stored]:
    if declared.startswith((*_TEXTS, "character")):
        return lambda value: None if value is None else repr(value)
    return lambda value: value


def _is_numeric(declared: str) -> bool:
    return declared.startswith(_NUMBERS)
