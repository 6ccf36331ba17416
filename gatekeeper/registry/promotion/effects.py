"""Effect of a run or an act: what changed in the registry, read back from it, in one line."""

from sqlalchemy import Connection

from gatekeeper.registry import naming
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.promotion import holds
from gatekeeper.registry.records import Promotion


def of_promotion(connection: Connection, made: Promotion) -> str:
    """What the history says of a promotion or rollback that somebody reports, and whether its model still serves.

    A promotion that the history does not hold, or holds otherwise, is not reported as made.
    """
    row = next((one for one in catalogue.promotions(connection) if one.generation == made.generation), None)
    if row is None or (row.to_id, row.kind) != (made.to_id, made.kind):
        return of_nothing(connection, f"the history holds no {made.kind} of model {made.to_id} as {made.generation}")
    verb = "Rolled back to" if row.kind == "rollback" else "Promoted"
    before = "there was no primary" if row.from_id is None else f"was {naming.primary_version(row.from_id)}"
    line = f"{verb} {naming.primary_version(row.to_id)} (generation {row.generation}), {before}."
    primary = catalogue.primary(connection)
    if primary is not None and primary.id != row.to_id:
        line += f" Since then {_primary(connection)} took its place."
    return line


def of_nothing(connection: Connection, because: str) -> str:
    """That no promotion was made, why, and which model still is the primary. because: a clause without a full stop."""
    return f"Nothing was promoted: {because.rstrip('. ')}. The primary is {_primary(connection)}."


def of_hold(connection: Connection) -> str:
    """Whether a hold is in force now, by the database's time."""
    hold = holds.current_hold(connection)
    if hold is None:
        return "No hold is in force: weekly runs may promote."
    until = f"until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "until somebody releases the hold"
    return f"Promotions are held {until}, by {hold.actor} ({hold.reason}): weekly runs judge and promote nothing."


def of_quarantine(connection: Connection, model_id: int) -> str:
    """Whether the bytes of a model are quarantined now."""
    model = catalogue.model(connection, model_id)
    found = holds.quarantined(connection, model.sha256)
    if found is None:
        return f"The bytes of {model.version} are not quarantined: it may be promoted."
    return f"The bytes of {model.version} are quarantined, by {found.actor} ({found.reason}): no run promotes them."


def _primary(connection: Connection) -> str:
    primary = catalogue.primary(connection)
    if primary is None:
        return "none"
    newest = catalogue.newest_promotion(connection)
    since = f" (generation {newest.generation})" if newest is not None and newest.to_id == primary.id else ""
    return f"{primary.version}{since}"
