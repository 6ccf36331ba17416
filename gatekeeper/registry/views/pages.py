"""Registry pages: keyset pagination of models, evaluations and promotions, newest first."""

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
from gatekeeper.registry.promotion import effects, holds, league_candidates, rollback, tests_spent
from gatekeeper.registry.promotion.promotions import refuse_unsettled
from gatekeeper.registry.records import Evaluation, Hold, Model, Promotion, Quarantine, promotion_of
from gatekeeper.registry.views import card

PAGE = 50
HOLDS = 20  # past holds that are shown

Line = TypeVar("Line")

_e, _p, _q, _h = tables.evaluations.c, tables.promotions.c, tables.quarantines.c, tables.holds.c


@dataclass(frozen=True, slots=True)
class Judged:
    """One evaluation in a list. Sharpe ratios and gain are annual; None if undefined or not on record."""

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
    """One model in a list, with its newest evaluation as a challenger and the quarantine on its bytes."""

    model: Model
    newest: Judged | None
    quarantine: Quarantine | None


@dataclass(frozen=True, slots=True)
class Family:
    """The id of this refit's judged model (None if it is not a refit), and the ids of this model's refits."""

    judged_model: int | None
    refits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PastHold:
    """A hold and its release; `released_at` is None if nobody released it."""

    hold: Hold
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The state of the whole registry at one moment."""

    generation: int
    models: int
    claimants: tuple[Model, ...]
    """The rows named as the primary: at most one, except in an adopted table without the unique index."""
    promotion: Promotion | None
    """The newest promotion."""
    newest: Judged | None
    effect: str | None
    """What came of the newest evaluation, in one line; None if there is none, or several rows are the primary."""
    holds: tuple[Hold, ...]
    """The holds in force, oldest first."""

    @property
    def primary(self) -> Model | None:
        """The primary; None if there is none or several rows are named as it."""
        return self.claimants[0] if len(self.claimants) == 1 else None


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """One page, and the key of the next one (`before`); None on the last page."""

    lines: Sequence[Line] = field(default_factory=tuple)
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """The registry in `database`, a page at a time. Every call reads one snapshot."""

    database: Database

    def effect_of(self, evaluation: Evaluation) -> str:
        """What came of an evaluation, read from the history now: the promotion that rests on it, or that none does."""
        with self.database.read() as connection:
            claimants = catalogue.claimants(connection)
            if len(claimants) > 1:
                return str(catalogue.unsettled(claimants))
            return effects.of_evaluation(connection, evaluation.id, evaluation.verdict, evaluation.kind)

    def state(self) -> RegistryState:
        """The primary, the holds in force and the counts."""
        with self.database.read() as connection:
            newest = _judged(connection, select(tables.evaluations).order_by(_e.id.desc()).limit(1))
            last, claimants = (newest[0] if newest else None), tuple(catalogue.claimants(connection))
            effect = None
            if last is not None and len(claimants) < 2:
                effect = effects.of_evaluation(connection, last.id, last.verdict, last.kind)
            return RegistryState(
                generation=catalogue.generation(connection),
                models=connection.execute(select(func.count()).select_from(tables.models)).scalar_one(),
                claimants=claimants,
                promotion=catalogue.newest_promotion(connection),
                newest=last,
                effect=effect,
                holds=tuple(holds.standing(connection)),
            )

    def models(self, *, before: int | None = None, limit: int = PAGE) -> Page[ModelLine]:
        """Models with ids below `before`, each with its newest evaluation."""
        with self.database.read() as connection:
            found = catalogue.models(connection, limit + 1, before)
            judged_as = refits.judged_as(connection, [model.id for model in found[:limit]])
            newest = _newest_of(connection, sorted(judged_as.values()))
            quarantines = _quarantines(connection, {model.sha256 for model in found[:limit]})
        lines = [
            ModelLine(model, newest.get(judged_as[model.id]), quarantines.get(model.sha256 or ""))
            for model in found[:limit]
        ]
        return Page(lines, lines[-1].model.id if len(found) > limit else None)

    def verdicts(self, *, before: int | None = None, limit: int = PAGE, challenger: int | None = None) -> Page[Judged]:
        """Evaluations with ids below `before`; with `challenger`, those of that model or of its judged model."""
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
        """The judged model and the refits of a model."""
        with self.database.read() as connection:
            return Family(refits.judged_model_of(connection, model_id), tuple(refits.refits(connection, [model_id])))

    def promotions(self, *, before: int | None = None, limit: int = PAGE, model: int | None = None) -> Page[Promotion]:
        """Promotions of generations below `before`; with `model`, those to that model."""
        wanted = select(tables.promotions).order_by(_p.generation.desc()).limit(limit + 1)
        if before is not None:
            wanted = wanted.where(_p.generation < before)
        if model is not None:
            wanted = wanted.where(_p.to_id == model)
        with self.database.glance() as connection:
            found = [promotion_of(row) for row in connection.execute(wanted)]
        return Page(found[:limit], found[limit - 1].generation if len(found) > limit else None)

    def quarantines(self) -> list[Quarantine]:
        """All quarantines in force, newest first."""
        with self.database.glance() as connection:
            return list(_quarantines(connection).values())

    def holds(self) -> list[PastHold]:
        """The newest holds, released or not."""
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
        """The facts on record about a model, which `card_text.markdown` renders. Raises UnknownModel."""
        with self.database.read() as connection:
            return card.facts(connection, model_id, now)

    def behind(self) -> Model | None:
        """The model that a rollback would restore; None if there is none."""
        with self.database.read() as connection:
            try:
                return rollback.predecessor(connection, refuse_unsettled(connection))
            except (PromotionRefused, ClaimsUnsettled):
                return None

    def rejected(self, *, before: datetime, run_keys: str) -> list[Model]:
        """Challengers of these runs that were rejected before then and may compete again, newest first."""
        with self.database.read() as connection:
            return league_candidates.rejected(connection, before, run_keys)

    def evaluations_of(self, run_key: str) -> list[Evaluation]:
        """All evaluations of one weekly run, newest first."""
        with self.database.read() as connection:
            return league_candidates.evaluations_of(connection, run_key)

    def spent_tests(self, as_of: datetime, run_key: str | None, *, days: int) -> tests_spent.SpentCount:
        """The number of statistical tests spent in the `days` up to `as_of`, that of `run_key` included."""
        with self.database.read() as connection:
            return tests_spent.spent(connection, as_of, run_key, days)


def _newest_of(connection: Connection, ids: Sequence[int]) -> dict[int, Judged]:
    last = select(func.max(_e.id)).where(_e.challenger.in_(ids)).group_by(_e.challenger)
    found = _judged(connection, select(tables.evaluations).where(_e.id.in_(last.scalar_subquery())))
    return {judged.challenger: judged for judged in found}


def _quarantines(connection: Connection, digests: Iterable[str | None] | None = None) -> dict[str, Quarantine]:
    """The newest quarantine in force on each of these bytes; without `digests`, on all."""
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
