"""Which models are there, which is the primary, and which was it when?"""

from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, func, select

from gatekeeper.errors import ClaimsUnsettled, SchemaOutOfDate, UnknownModel
from gatekeeper.registry import naming
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.records import Model, Promotion, model_of, promotion_of

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
# Built once: what is asked often costs SQLAlchemy more to put together than the database to answer.
_ONE = MODELS.where(_m.id == bindparam("model"))
_CLAIMANTS = MODELS.where(tables.claims)
_PAGE = MODELS.where(_m.id <= bindparam("last")).order_by(_m.id.desc()).limit(bindparam("limit", type_=_m.id.type))
_AUDIT = select(tables.promotions).order_by(tables.promotions.c.generation.desc())
_NEWEST = _AUDIT.limit(1)
_GENERATION = select(tables.lock.c.generation).where(tables.lock.c.id == 1)


def model(connection: Connection, model_id: int) -> Model:
    """Raises UnknownModel where no row has this id."""
    row = None
    if 0 <= model_id <= LARGEST_ID:
        row = connection.execute(_ONE, {"model": model_id}).first()
    if row is None:
        raise UnknownModel(f"there is no model {model_id}; `gatekeeper list` shows the ids")
    return model_of(row)


def models(connection: Connection, limit: int | None = None, before: int | None = None) -> list[Model]:
    """All models, newest first; or a page: at most `limit`, with ids under `before`."""
    last = LARGEST_ID if before is None else before - 1
    page = connection.execute(_PAGE, {"last": last, "limit": LARGEST_ID if limit is None else limit})
    return [model_of(row) for row in page.all()]


def claimants(connection: Connection) -> list[Model]:
    """The rows that claim to be the active one, by id. At most one, once the unique index is there."""
    found = [model_of(row) for row in connection.execute(_CLAIMANTS).all()]
    return sorted(found, key=lambda one: one.id)


def primary(connection: Connection) -> Model | None:
    """The one active model. Raises ClaimsUnsettled where several rows claim to be it."""
    found = claimants(connection)
    if len(found) > 1:
        raise unsettled(found)
    return found[0] if found else None


def unsettled(found: list[Model]) -> ClaimsUnsettled:
    """The error that names the rows and the way out."""
    names = ", ".join(f"{one.version} (id {one.id})" for one in found)
    return ClaimsUnsettled(
        f"{len(found)} rows claim to be active: {names}; `gatekeeper migrate-naming --primary ID` settles it"
    )


def promotions(connection: Connection) -> list[Promotion]:
    """The whole audit, newest first."""
    return [promotion_of(row) for row in connection.execute(_AUDIT)]


def newest_promotion(connection: Connection) -> Promotion | None:
    """The last promotion."""
    row = connection.execute(_NEWEST).first()
    return promotion_of(row) if row else None


def promotion_by_key(connection: Connection, run_key: str | None) -> Promotion | None:
    """The promotion that this run made, if it made one."""
    if run_key is None:
        return None
    row = connection.execute(select(tables.promotions).where(tables.promotions.c.run_key == run_key)).first()
    return promotion_of(row) if row else None


def highest_as_of(connection: Connection) -> datetime | None:
    """The latest as-of that was ever promoted."""
    highest: datetime | None = connection.execute(select(func.max(tables.promotions.c.as_of))).scalar()
    return highest


def primary_before(connection: Connection, as_of: datetime) -> Model | None:
    """The primary that the history gives just before `as_of`: of the last promotion with a strictly earlier one."""
    p = tables.promotions.c
    found = connection.execute(select(p.to_id).where(p.as_of < as_of).order_by(p.generation.desc()).limit(1)).scalar()
    return None if found is None else model(connection, found)


def holders(connection: Connection, name: str) -> list[int]:
    """The ids of the rows whose `path` ends in the file name `name`, whatever folder it says."""
    path = tables.models.c.path
    found = connection.execute(select(tables.models.c.id, path).where(path.endswith(name, autoescape=True)))
    return [row.id for row in found if naming.last_part(row.path) == name]


def generation(connection: Connection) -> int:
    """How many promotions there were: servers poll it."""
    count: int | None = connection.execute(_GENERATION).scalar()
    if count is None:
        raise SchemaOutOfDate(f"the registry has lost its lock row; {UPGRADE}")
    return count
