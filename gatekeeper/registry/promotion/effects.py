"""Effect of a run or an act: what changed in the registry, read back from it, in one line."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, select

from gatekeeper.errors import StorageFailed, Unavailable
from gatekeeper.registry import naming
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.promotion import eligibility, evaluations, holds
from gatekeeper.registry.records import WHAT_IF, Hold, Promotion, promotion_of

_SENTENCE = re.compile(
    r"(A|An|The|There|This|No|Nobody|Rejected|Approved|Model|Evaluation|Promotions?),? "
)  # how our messages begin, and no name does


@contextmanager
def read_back(database: Database, done: str) -> Iterator[Connection]:
    """A snapshot after an act that was committed. done: what was done, as a sentence.

    Raises Unavailable or StorageFailed, which say so: whoever believes that nothing has changed repeats it, and two
    rollbacks go back twice.
    """
    try:
        with database.read() as connection:
            yield connection
    except (Unavailable, StorageFailed) as fault:
        raise type(fault)(
            f"{done} This is committed, but the registry can't be read back now. Don't repeat it before you have "
            "checked `gatekeeper history` or the console."
        ) from fault


def of_act(database: Database, made: Promotion | None, because: str, act: str) -> str:
    """What an act changed; without a promotion, why nothing was `act`."""
    if made is None:
        with database.read() as connection:
            return of_nothing(connection, because, act)
    done = f"{_verb(made)} {naming.primary_version(made.to_id)} (generation {made.generation})."
    with read_back(database, done) as connection:
        return of_promotion(connection, made)


def of_promotion(connection: Connection, made: Promotion) -> str:
    """What the history says of a promotion or rollback that somebody reports, and whether its model still serves.

    A promotion that the history does not hold, or holds otherwise, is not reported as made.
    """
    row = _recorded(connection, tables.promotions.c.generation == made.generation)
    if row is None or (row.to_id, row.kind) != (made.to_id, made.kind):
        return of_nothing(connection, f"the history has no generation {made.generation} with model {made.to_id}")
    before = "there was no primary" if row.from_id is None else f"was {naming.primary_version(row.from_id)}"
    line = f"{_verb(row)} {naming.primary_version(row.to_id)} (generation {row.generation}), {before}."
    primary = catalogue.primary(connection)
    if primary is not None and primary.id != row.to_id:
        line += f" Since then {_primary(connection)} took its place."
    return line


def of_nothing(connection: Connection, because: str, act: str = "promoted") -> str:
    """That nothing was promoted, or rolled back, why, and which model still is the primary."""
    clause = because.rstrip(". ")
    if _SENTENCE.match(clause):
        clause = clause[0].lower() + clause[1:]
    primary = _primary(connection)
    stays = "There is no primary." if primary is None else f"The primary is {primary}."
    return f"Nothing was {act}: {clause}. {stays}"


def of_evaluation(connection: Connection, evaluation_id: int, verdict: str, kind: str) -> str:
    """What came of an evaluation: the promotion that rests on it, or that none does."""
    made = _recorded(connection, tables.promotions.c.evaluation_id == evaluation_id)
    if made is not None:
        return of_promotion(connection, made)
    if kind == WHAT_IF:
        judged = evaluations.evaluation(connection, evaluation_id)
        why = eligibility.not_eligible(connection, judged.as_of, judged.generation)
        return of_nothing(connection, why or eligibility.UNKNOWN)
    if verdict == "promote":
        return of_nothing(connection, "the verdict is promote, and nobody has carried it out")
    return of_nothing(connection, f"the verdict is {verdict}")


def of_hold(connection: Connection) -> str:
    """Whether a hold is in force now, by the database's time."""
    standing = holds.standing(connection)
    if not standing:
        return "No hold is in force: weekly runs may promote."
    if len(standing) == 1:
        (hold,) = standing
        until = f"until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "until somebody releases the hold"
        held = f"Promotions are held {until}, by {hold.actor} ({hold.reason})"
    else:
        held = f"Promotions are held by {len(standing)} holds: {'; '.join(map(holds.told, standing))}"
    return f"{held}: weekly runs judge and record, but promote nothing."


def of_release(connection: Connection, released: Sequence[Hold], asked: int | None) -> str:
    """Which holds were released, as their rows say, and whether any is in force now."""
    standing = {hold.id for hold in holds.standing(connection)}
    done = [hold.id for hold in released if hold.id not in standing]
    if done:
        numbers = ", ".join(map(str, done))
        return f"Released {'hold' if len(done) == 1 else 'holds'} {numbers}. {of_hold(connection)}"
    said = "There was no hold." if asked is None else f"Hold {asked} was not in force."
    return f"{said} {of_hold(connection)}"


def of_quarantine(connection: Connection, model_id: int) -> str:
    """Whether the bytes of a model are quarantined now."""
    model = catalogue.model(connection, model_id)
    found = holds.quarantined(connection, model.sha256)
    if found is None:
        return f"The bytes of {model.version} are not quarantined."
    return f"The bytes of {model.version} are quarantined, by {found.actor} ({found.reason}): no run promotes them."


def _verb(made: Promotion) -> str:
    return "Rolled back to" if made.kind == "rollback" else "Promoted"


def _recorded(connection: Connection, condition: ColumnElement[bool]) -> Promotion | None:
    newest_first = select(tables.promotions).where(condition).order_by(tables.promotions.c.generation.desc())
    row = connection.execute(newest_first.limit(1)).first()
    return None if row is None else promotion_of(row)


def _primary(connection: Connection) -> str | None:
    primary = catalogue.primary(connection)
    if primary is None:
        return None
    newest = catalogue.newest_promotion(connection)
    since = f" (generation {newest.generation})" if newest is not None and newest.to_id == primary.id else ""
    return f"{primary.version}{since}"
