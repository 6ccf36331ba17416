"""Model card facts: everything on record about a model; `card_text` renders them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TypeVar

from sqlalchemy import Connection, func, select

from gatekeeper.documents.card import (
    CardChampion,
    CardEvaluation,
    CardFacts,
    CardFigure,
    CardFigures,
    CardModel,
    CardPromotion,
    CardQuarantine,
    CardState,
    CardTraining,
)
from gatekeeper.errors import DataError
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations
from gatekeeper.registry.records import Evaluation, Model, promotion_of

Value = TypeVar("Value")

_p, _q, _e = tables.promotions.c, tables.quarantines.c, tables.evaluations.c


def facts(connection: Connection, model_id: int, now: datetime) -> CardFacts:
    """The facts of the card; None if a fact is not on record or undefined. Raises UnknownModel.

    now: the time the card is made, which gives the age of the data.
    """
    model = catalogue.model(connection, model_id)
    judged = evaluations.evaluations(connection, model_id)
    judged_model = refits.judged_model_of(connection, model_id)
    promotions = _promotions(connection, model_id)
    quarantines = _quarantines(connection, model.sha256)
    return CardFacts(
        made_at=_utc(now),
        made_by=f"gatekeeper {version('gatekeeper')}",
        model=CardModel(**_fields(asdict(model), "canary_json", "path", "fault")),
        state=_state(model, promotions, quarantines),
        features=_features(model),
        twin=judged_model,
        training=_training(model, judged, judged_model, now),
        evaluations=[_evaluation(model, one) for one in judged],
        as_champion=_as_champion(connection, model_id),
        promotions=promotions,
        quarantines=quarantines,
        figures=_figures(judged[0]) if judged else None,
    )


def _state(model: Model, promotions: list[CardPromotion], quarantines: list[CardQuarantine]) -> CardState:
    """The model's state today, and the reason if it can't be served."""
    standing = any(each.released_at is None for each in quarantines)
    if model.fault is not None:
        name = "unusable"
    elif model.sha256 is None:
        name = "unregistered"
    elif model.is_primary:
        name = "primary"
    else:
        name = "quarantined" if standing else "standby"
    since = next((each.at for each in promotions if each.to_id == model.id), None) if model.is_primary else None
    return CardState(name, since, model.fault, standing)


def _features(model: Model) -> list[str] | None:
    """The feature names; None if the model's feature schema is not the known one."""
    from gatekeeper.features import FEATURE_SCHEMA, FEATURES

    return list(FEATURES) if model.feature_schema == FEATURE_SCHEMA else None


def _training(model: Model, judged: list[Evaluation], judged_model: int | None, now: datetime) -> CardTraining:
    """The training facts, from the evaluation of the run that made the model, and of no other run.

    A refit shares recipe and seed with its judged model, but was trained on other ideas.
    """
    found = [(one.summary.training, one.summary.data) for one in judged]
    own = ((made, data) for made, data in found if made and (judged_model or made.fingerprint == model.fingerprint))
    made, data = next(own, (None, None))
    return CardTraining(
        seed=None if made is None else made.seed,
        ideas=None if judged_model or made is None else made.ideas,
        wins=None if judged_model or made is None else made.wins,
        parameters=None if made is None or made.parameters is None else json.loads(made.parameters),
        source=None if data is None else data.source,
        notes=None if data is None else data.notes,
        age_days=None if model.trained_to is None else (now - model.trained_to) // timedelta(days=1),
        train_years=None if made is None else made.train_years,
        half_life_days=None if made is None else made.half_life_days,
    )


def _evaluation(model: Model, one: Evaluation) -> CardEvaluation:
    shown = one.summary
    card, champion, slices = shown.scorecards.challenger, shown.scorecards.champion, shown.details
    symbols = None if slices is None else slices.slices.get("symbol")
    return CardEvaluation(
        id=one.id,
        as_of=_utc(one.as_of),
        kind=one.kind,
        champion=one.champion,
        verdict=one.verdict,
        of_these_bytes=model.sha256 in (one.challenger_sha256, one.deploys),
        policy=shown.policy_name,
        decided_by=shown.verdict.decided_by,
        window_start=shown.window.start,
        window_days=shown.window.days,
        ideas=card.ideas,
        kept=card.kept_trades,
        win_rate=card.win_rate,
        sharpe=card.sharpe,
        champion_sharpe=None if champion is None else champion.sharpe,
        ungated_sharpe=shown.scorecards.ungated.sharpe,
        total_return=card.total_return,
        max_drawdown=card.max_drawdown,
        gain=shown.verdict.gain,
        standard_error=shown.verdict.standard_error,
        bound=shown.verdict.bound,
        symbols=None if symbols is None else [each.name or "" for each in symbols],
        age_days=None if model.trained_to is None else (one.as_of - model.trained_to) // timedelta(days=1),
    )


def _figures(newest: Evaluation) -> CardFigures | None:
    """What traders look for in the newest evaluation; None if its document can't be read, or holds no days."""
    from gatekeeper.judgement.report import stream_table

    try:
        table = stream_table.of(newest.document)
    except DataError:
        return None
    if not table.streams:
        return None
    rows = [CardFigure(each.name, each.meaning, list(each.cells)) for each in table.figures]
    return CardFigures(newest.id, list(table.streams), rows, list(table.notes))


def _as_champion(connection: Connection, model_id: int) -> CardChampion:
    """The number of evaluations in which it was the champion; the challengers' cards hold the numbers."""
    counted = select(func.count(), func.max(_e.as_of)).where(_e.champion == model_id)
    count, newest = connection.execute(counted).one()
    return CardChampion(count, _utc(newest))


def _promotions(connection: Connection, model_id: int) -> list[CardPromotion]:
    """The promotions to it and away from it, newest first."""
    about = (_p.to_id == model_id) | (_p.from_id == model_id)
    rows = connection.execute(select(tables.promotions).where(about).order_by(_p.generation.desc()))
    return [
        CardPromotion(**_fields(asdict(promotion_of(row)), "chain", "run_key", "order_digest", "discounted_at"))
        for row in rows
    ]


def _quarantines(connection: Connection, sha256: str | None) -> list[CardQuarantine]:
    """All quarantines on these bytes, past ones included, newest first."""
    rows = connection.execute(select(tables.quarantines).where(_q.sha256 == sha256).order_by(_q.id.desc()))
    return [CardQuarantine(**_fields(dict(row._mapping), "id", "release_key")) for row in rows]


def _fields(columns: dict[str, Value], *hidden: str) -> dict[str, Value]:
    """The columns that are shown, instants in UTC."""
    return {name: _utc(value) for name, value in columns.items() if name not in hidden}


def _utc(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
