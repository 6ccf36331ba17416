"""How is a large registry read a page at a time? Newest first, by key, and no document beyond the page is opened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from gatekeeper.documents import evaluation as documents
from gatekeeper.documents.card import CardFacts
from gatekeeper.errors import ClaimsUnsettled, PromotionRefused
from gatekeeper.registry.db import tables
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import holds, league_candidates, rollback
from gatekeeper.registry.promotion.promotions import refuse_unsettled
from gatekeeper.registry.records import Evaluation, Hold, Model, Promotion, Quarantine, promotion_of
from gatekeeper.registry.views import card

PAGE = 50
HOLDS = 20  # what is shown of the past ones

Line = TypeVar("Line")

_e, _p, _q, _h = tables.evaluations.c, tables.promotions.c, tables.quarantines.c, tables.holds.c


@dataclass(frozen=True, slots=True)
class Judged:
    """One evaluation in a line. Sharpe figures are annual; None where undefined or not on record."""

    id: int
    challenger: int
    champion: int | None
    as_of: datetime
    kind: str
    verdict: str
    at: datetime
    sharpe: float | None = None
    champion_sharpe: float | None = None
    ungated_sharpe: float | None = None
    gain: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model, its newest evaluation as a challenger, and the quarantine on its bytes."""

    model: Model
    newest: Judged | None
    quarantine: Quarantine | None


@dataclass(frozen=True, slots=True)
class Family:
    """The ids of the model that was judged in this one's stead, if any, and of those that this one was judged for."""

    twin: int | None
    refits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PastHold:
    """A hold, and how it ended; `released_at` is None where nobody lifted it."""

    hold: Hold
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


@dataclass(frozen=True, slots=True)
class RegistryState:
    """What holds for the whole registry at one moment."""

    generation: int
    models: int
    claimants: tuple[Model, ...]
    """The rows that claim to be active: one, or none; several only in a table not settled yet."""
    promotion: Promotion | None
    """The newest."""
    newest: Judged | None
    hold: Hold | None

    @property
    def primary(self) -> Model | None:
        """The active model."""
        return self.claimants[0] if len(self.claimants) == 1 else None


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """Some lines, and the key to go on before; None at the end."""

    lines: Sequence[Line] = field(default_factory=tuple)
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """The registry in `database`, to be looked through. Every call is one snapshot."""

    database: Database

    def state(self) -> RegistryState:
        """Who is the primary, and does a hold stand?"""
        with self.database.read() as connection:
            newest = _judged(connection, select(tables.evaluations).order_by(_e.id.desc()).limit(1))
            return RegistryState(
                generation=catalogue.generation(connection),
                models=connection.execute(select(func.count()).select_from(tables.models)).scalar_one(),
                claimants=tuple(catalogue.claimants(connection)),
                promotion=catalogue.newest_promotion(connection),
                newest=newest[0] if newest else None,
                hold=holds.current_hold(connection),
            )

    def models(self, *, before: int | None = None, limit: int = PAGE) -> Page[ModelLine]:
        """Models with ids under `before`, each with its newest evaluation."""
        with self.database.read() as connection:
            found = catalogue.models(connection, limit + 1, before)
            judged_as = refits.judged_as(connection, [model.id for model in found[:limit]])
            newest = _newest_of(connection, sorted(judged_as.values()))
            standing = _standing(connection, {model.sha256 for model in found[:limit]})
        lines = [
            ModelLine(model, newest.get(judged_as[model.id]), standing.get(model.sha256 or ""))
            for model in found[:limit]
        ]
        return Page(lines, lines[-1].model.id if len(found) > limit else None)

    def verdicts(self, *, before: int | None = None, limit: int = PAGE, challenger: int | None = None) -> Page[Judged]:
        """Evaluations with ids under `before`; with `challenger`, those of that model, or of its judged twin."""
        wanted = select(tables.evaluations).order_by(_e.id.desc()).limit(limit + 1)
        if before is not None:
            wanted = wanted.where(_e.id < before)
        with self.database.read() as connection:
            if challenger is not None:
                judged = refits.judged_as(connection, [challenger])[challenger]
                wanted = wanted.where(_e.challenger == judged)
            found = _judged(connection, wanted)
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def family(self, model_id: int) -> Family:
        """Whose twin it is, and which is its own."""
        with self.database.read() as connection:
            return Family(refits.of(connection, model_id), tuple(refits.refits(connection, [model_id])))

    def promotions(self, *, before: int | None = None, limit: int = PAGE, model: int | None = None) -> Page[Promotion]:
        """The audit under the generation `before`; with `model`, where it came in."""
        wanted = select(tables.promotions).order_by(_p.generation.desc()).limit(limit + 1)
        if before is not None:
            wanted = wanted.where(_p.generation < before)
        if model is not None:
            wanted = wanted.where(_p.to_id == model)
        with self.database.glance() as connection:
            found = [promotion_of(row) for row in connection.execute(wanted)]
        return Page(found[:limit], found[limit - 1].generation if len(found) > limit else None)

    def quarantines(self) -> list[Quarantine]:
        """All that stand, newest first."""
        with self.database.glance() as connection:
            return list(_standing(connection).values())

    def holds(self) -> list[PastHold]:
        """The newest ones, whatever became of them."""
        with self.database.glance() as connection:
            rows = connection.execute(select(tables.holds).order_by(_h.id.desc()).limit(HOLDS))
            return [
                PastHold(
                    Hold(row.id, row.actor, row.reason, row.until, row.at),
                    row.released_at,
                    row.released_by,
                    row.release_reason,
                )
                for row in rows
            ]

    def card(self, model_id: int, *, now: datetime) -> CardFacts:
        """All that is on record of a model; `card_text.markdown` puts it in words. Raises UnknownModel."""
        with self.database.read() as connection:
            return card.facts(connection, model_id, now)

    def behind(self) -> Model | None:
        """Where a rollback would go; None where there is nowhere."""
        with self.database.read() as connection:
            try:
                return rollback.predecessor(connection, refuse_unsettled(connection))
            except (PromotionRefused, ClaimsUnsettled):
                return None

    def rejected(self, *, before: datetime, run_keys: str) -> list[Model]:
        """Challengers of such runs that were turned down by then and may compete again, newest first."""
        with self.database.read() as connection:
            return league_candidates.rejected(connection, before, run_keys)

    def look(self, run_key: str) -> list[Evaluation]:
        """All evaluations of one look, newest first."""
        with self.database.read() as connection:
            return league_candidates.evaluations_of(connection, run_key)


def _newest_of(connection: Connection, ids: Sequence[int]) -> dict[int, Judged]:
    last = select(func.max(_e.id)).where(_e.challenger.in_(ids)).group_by(_e.challenger)
    found = _judged(connection, select(tables.evaluations).where(_e.id.in_(last.scalar_subquery())))
    return {judged.challenger: judged for judged in found}


def _standing(connection: Connection, digests: Iterable[str | None] | None = None) -> dict[str, Quarantine]:
    """The newest quarantine on each of these bytes, or on any."""
    wanted: ColumnElement[bool] = _q.released_at.is_(None)
    if digests is not None:
        wanted &= _q.sha256.in_(sorted(digest for digest in digests if digest))
    rows = connection.execute(
        select(_q.model_id.label("id"), _q.sha256, _q.actor, _q.reason, _q.at).where(wanted).order_by(_q.id.desc())
    )
    found: dict[str, Quarantine] = {}
    for row in rows:
        found.setdefault(row.sha256, Quarantine(**row._mapping))
    return found


def _judged(connection: Connection, wanted: Select[Any]) -> list[Judged]:
    return [_line(row) for row in connection.execute(wanted)]


def _line(row: Row[Any]) -> Judged:
    summary = documents.summary(row.document)
    cards, verdict = summary.scorecards, summary.verdict
    return Judged(
        row.id,
        row.challenger,
        row.champion,
        row.as_of,
        row.kind,
        row.verdict,
        row.at,
        sharpe=cards.challenger.sharpe,
        champion_sharpe=None if cards.champion is None else cards.champion.sharpe,
        ungated_sharpe=cards.ungated.sharpe,
        gain=verdict.gain,
        message=verdict.message,
    )
