"""Model catalogue: queries for models, the primary, the promotion history and the generation."""

from datetime import datetime
from decimal import Decimal
from math import isfinite

from sqlalchemy import Connection, Select, bindparam, func, select, text

from gatekeeper.errors import ClaimsUnsettled, SchemaOutOfDate, UnknownModel
from gatekeeper.registry import naming
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.dialect import is_id
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.records import KINDS_BY_EVALUATION, Model, Promotion, model_of, promotion_of

LARGEST_ID = 2**63 - 1
_m, _a = tables.models.c, tables.artifacts.c
_COLUMNS = {
    **{column.name: column for column in (*_m, *_a)},
    "created_at": _m.createdAt,
    "canary_json": _a.canary,
    "fault": tables.faults.c.message,
}

MODELS: Select[tuple[object, ...]] = (  # in the order of the fields
    select(*(_COLUMNS[name].label(name) for name in Model.__slots__))
    .outerjoin(tables.artifacts, _a.model_id == _m.id)
    .outerjoin(tables.faults, tables.faults.c.model_id == _m.id)
)
# Built once: SQLAlchemy takes longer to compile these frequent queries than the database to answer them.
_ONE = MODELS.where(_m.id == bindparam("model"))
_CLAIMANTS = MODELS.where(tables.claims)
_PAGE = (
    MODELS.where(_m.id <= bindparam("last"), text(is_id('"RLModel".id')))
    .order_by(_m.id.desc())
    .limit(bindparam("limit", type_=_m.id.type))
)
_AUDIT = select(tables.promotions).order_by(tables.promotions.c.generation.desc())
_NEWEST = _AUDIT.limit(1)
_HIGHEST = select(func.max(tables.promotions.c.as_of)).where(
    tables.promotions.c.kind.in_(KINDS_BY_EVALUATION) & tables.promotions.c.discounted_at.is_(None)
)
_GENERATION = select(tables.lock.c.generation).where(tables.lock.c.id == 1)


def model(connection: Connection, model_id: int) -> Model:
    """The model of this id. Raises UnknownModel if there is none."""
    row = None
    if -LARGEST_ID - 1 <= model_id <= LARGEST_ID:
        row = connection.execute(_ONE, {"model": model_id}).first()
    if row is None:
        raise UnknownModel(f"There is no model {model_id}. `gatekeeper list` shows the ids.")
    return model_of(row)


def models(connection: Connection, limit: int | None = None, before: int | None = None) -> list[Model]:
    """All models, newest first; or a page of at most `limit` with ids below `before`."""
    last = LARGEST_ID if before is None else max(-LARGEST_ID, min(before - 1, LARGEST_ID))
    most = LARGEST_ID if limit is None else min(limit, LARGEST_ID)
    page = connection.execute(_PAGE, {"last": last, "limit": most})
    return [model_of(row) for row in page.all()]


def claimants(connection: Connection) -> list[Model]:
    """The rows named as the primary, by id. At most one once the unique index exists."""
    return _claims(connection)[0]


def primary(connection: Connection) -> Model | None:
    """The primary. Raises ClaimsUnsettled if several rows are named as the primary, or one without a usable id."""
    found, strays = _claims(connection)
    if strays:
        raise ClaimsUnsettled(
            f"The row {strays[0]!r} is named as the primary and has no whole number as its id. Give it one, or another "
            "version, then run `gatekeeper db upgrade`."
        )
    if len(found) > 1:
        raise unsettled(found)
    return found[0] if found else None


def _claims(connection: Connection) -> tuple[list[Model], list[str]]:
    """The rows named as the primary, by id, and the versions of those whose id is no whole number."""
    rows = connection.execute(_CLAIMANTS).all()
    found = [model_of(row) for row in rows if _is_whole(row.id)]
    return sorted(found, key=lambda one: one.id), [str(row.version) for row in rows if not _is_whole(row.id)]


def _is_whole(number: object) -> bool:
    return isinstance(number, int) or (isinstance(number, (float, Decimal)) and isfinite(number) and number % 1 == 0)


def unsettled(found: list[Model]) -> ClaimsUnsettled:
    """The error that names the rows and the command that resolves them."""
    names = ", ".join(f"{one.version} (id {one.id})" for one in found)
    return ClaimsUnsettled(
        f"{len(found)} rows are named as the primary: {names}. "
        "Choose one with `gatekeeper migrate-naming --primary ID`."
    )


def promotions(connection: Connection) -> list[Promotion]:
    """The whole promotion history, newest first."""
    return [promotion_of(row) for row in connection.execute(_AUDIT)]


def newest_promotion(connection: Connection) -> Promotion | None:
    """The newest promotion; None if there is none."""
    row = connection.execute(_NEWEST).first()
    return promotion_of(row) if row else None


def promotion_by_key(connection: Connection, run_key: str | None) -> Promotion | None:
    """The promotion with this run key; None if there is none."""
    if run_key is None:
        return None
    row = connection.execute(select(tables.promotions).where(tables.promotions.c.run_key == run_key)).first()
    return promotion_of(row) if row else None


def highest_as_of(connection: Connection) -> datetime | None:
    """The latest as-of that a weekly run promoted; None if none has.

    Acts by hand don't count, nor rows that `doctor --repair` marked.
    """
    highest: datetime | None = connection.execute(_HIGHEST).scalar()
    return highest


def primary_before(connection: Connection, as_of: datetime) -> Model | None:
    """The primary just before `as_of`, by the history: that of the last promotion with a strictly earlier as-of."""
    p = tables.promotions.c
    found = connection.execute(select(p.to_id).where(p.as_of < as_of).order_by(p.generation.desc()).limit(1)).scalar()
    return None if found is None else model(connection, found)


def holders(connection: Connection, name: str) -> list[int]:
    """The ids of the rows whose `path` ends in the file name `name`, in whatever folder."""
    path = tables.models.c.path
    found = connection.execute(select(tables.models.c.id, path).where(path.endswith(name, autoescape=True)))
    return [row.id for row in found if naming.last_part(row.path) == name]


def generation(connection: Connection) -> int:
    """The number of promotions so far; servers poll it."""
    count: int | None = connection.execute(_GENERATION).scalar()
    if count is None:
        raise SchemaOutOfDate(f"The registry has no lock row. {UPGRADE}")
    return count
