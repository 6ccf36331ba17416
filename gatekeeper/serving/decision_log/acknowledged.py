"""Acknowledged ideas: compares what a client was told with the database, and delivers kept lines again."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from gatekeeper.errors import ConfigError, GatekeeperError
from gatekeeper.registry.db import schema
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.decision_log import conflicts, log
from gatekeeper.registry.decision_log.conflicts import LoggedAnswer
from gatekeeper.registry.decision_log.line_format import OUTCOME, outcome_of
from gatekeeper.serving.decision_log import delivered, segment_lines


class Acknowledged(msgspec.Struct, frozen=True):
    """One answer as its client has it. Keys of no meaning here are ignored, so a whole answer is a line."""

    idea_id: str
    decision: Literal["approve", "veto"] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A client was told something else than is logged."""

    told: Acknowledged
    logged: LoggedAnswer


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody was told something else than is logged."""

    idea_id: str
    logged: LoggedAnswer | None
    other: LoggedAnswer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Acknowledged ideas beside the database.

    waiting: ids on the spool, which will be delivered. other_conflicts: conflicts of ids that the client did not name.
    ideas, outcomes: how many were brought back.
    """

    checked: int
    missing: tuple[str, ...]
    waiting: tuple[str, ...]
    different: tuple[Difference, ...]
    conflicts: tuple[Conflict, ...]
    other_conflicts: int
    ideas: int = 0
    outcomes: int = 0

    @property
    def well(self) -> bool:
        """Whether all that was acknowledged is in the database or on its way, as it was told."""
        return not (self.missing or self.different or self.conflicts)


_line = msgspec.json.Decoder(Acknowledged)
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")  # as the server takes them


def read(lines: Iterable[str], name: str) -> list[Acknowledged]:
    """The ideas of a file: on each line an id, or a JSON object with `idea_id` and perhaps `decision` and `version`.

    Empty lines are ignored. Raises ConfigError for any other line, and if there is no idea.
    """
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if not text:
            continue
        if text.startswith("{"):
            try:
                one = _line.decode(text)
            except (msgspec.DecodeError, RecursionError) as fault:
                raise ConfigError(f"{name}, line {number}: {fault}. {_FORMAT}") from None
        else:
            one = Acknowledged(text)
        if not _ID.fullmatch(one.idea_id):
            raise ConfigError(f"{name}, line {number}: {one.idea_id[:70]!r} is not an id. {_FORMAT}")
        found.append(one)
    if not found:
        raise ConfigError(f"{name} names no idea, so there is nothing to compare. {_FORMAT}")
    return found


_FORMAT = (
    'Write one id a line, or one JSON object such as {"idea_id": "a-1", "decision": "veto", "version": '
    '"gatekeeper_primary3"}.'
)


def check(url: str, spool: Path, told: Sequence[Acknowledged], *, redeliver: bool = False) -> Comparison:
    """Compare the database at `url` with what was told; with `redeliver`, first deliver the kept lines again.

    Raises ConfigError, SchemaOutOfDate, Unavailable.
    """
    database = Database.connect(url)
    try:
        with database.read() as connection:
            schema.refuse_other_revision(connection, database.name)
        ideas, outcomes = _redelivered(database, spool) if redeliver else (0, 0)
        return replace(_compared(database, spool, told), ideas=ideas, outcomes=outcomes)
    finally:
        database.close()


def _compared(database: Database, spool: Path, told: Sequence[Acknowledged]) -> Comparison:
    ids = sorted({one.idea_id for one in told})
    # The spool first: a line that is delivered meanwhile is found in the database.
    there = {one.idea_id for page in segment_lines.waiting(spool) for one in page}
    with database.read() as connection:
        logged = conflicts.logged(connection, ids)
        stored = conflicts.stored(connection, ids)
        count = conflicts.count(connection)
    named = [Conflict(idea_id, logged.get(idea_id), other) for idea_id in ids for other in stored.get(idea_id, [])]
    pairs = [(one, logged[one.idea_id]) for one in told if one.idea_id in logged]
    return Comparison(
        checked=len(ids),
        missing=tuple(one for one in ids if one not in logged and one not in there),
        waiting=tuple(one for one in ids if one not in logged and one in there),
        different=tuple(Difference(one, found) for one, found in pairs if _differ(one, found)),
        conflicts=tuple(named),
        other_conflicts=count - len(named),
    )


def _differ(told: Acknowledged, found: LoggedAnswer) -> bool:
    if told.decision is not None and (told.decision == "approve") != found.approved:
        return True
    return None not in (told.version, found.version) and told.version != found.version


def _redelivered(database: Database, spool: Path) -> tuple[int, int]:
    """Deliver the kept lines again, ideas first; returns how many ideas and outcomes were not there."""
    ideas = outcomes = 0
    for page in segment_lines.read(delivered.files(spool)):
        ideas += _logged(database, [values for values in page if values[0] != OUTCOME])
    for page in segment_lines.read(delivered.files(spool)):
        some = [outcome_of(values) for values in page if values[0] == OUTCOME]
        if some:
            with database.read() as connection:
                before = conflicts.closed(connection, [one.idea_id for one in some])
            results = log.close(database, some, all_or_none=False)
            new = {one.idea_id for one, result in zip(some, results, strict=True) if result.state == "recorded"}
            outcomes += len(new - before)
    return ideas, outcomes


def _logged(database: Database, ideas: list[list[object]]) -> int:
    """Log ideas; one that the table refuses is left out."""
    try:
        return log.log(database, ideas).new
    except GatekeeperError:
        if len(ideas) < 2:
            return 0
        half = len(ideas) // 2
        return _logged(database, ideas[:half]) + _logged(database, ideas[half:])


def as_told(answer: LoggedAnswer) -> dict[str, object]:
    """An answer as its client knows it."""
    return {"decision": "approve" if answer.approved else "veto", "version": answer.version}


def described(found: Comparison) -> dict[str, object]:
    """The comparison, for programs."""
    return {
        "well": found.well,
        "checked": found.checked,
        "missing": found.missing,
        "waiting": found.waiting,
        "different": [
            {
                "idea_id": one.told.idea_id,
                "told": {"decision": one.told.decision, "version": one.told.version},
                "logged": as_told(one.logged),
            }
            for one in found.different
        ],
        "conflicts": [
            {
                "idea_id": one.idea_id,
                "logged": None if one.logged is None else as_told(one.logged),
                "other": as_told(one.other),
            }
            for one in found.conflicts
        ],
        "other_conflicts": found.other_conflicts,
        "redelivered": {"ideas": found.ideas, "outcomes": found.outcomes},
    }
