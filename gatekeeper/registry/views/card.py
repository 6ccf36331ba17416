"""Model card facts: everything on record about a model; `card_text` renders them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, func, select

from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations
from gatekeeper.registry.records import Evaluation, Model, promotion_of

Facts = dict[str, Any]

HIDDEN = ("canary_json", "path", "fault")
# The path of each number in an evaluation's document.
NUMBERS = {
    "policy": ("policy", "name"),
    "decided_by": ("verdict", "decided_by"),
    "window_start": ("window", "start"),
    "window_days": ("window", "days"),
    "ideas": ("scorecards", "challenger", "ideas"),
    "kept": ("scorecards", "challenger", "kept_trades"),
    "win_rate": ("scorecards", "challenger", "win_rate"),
    "sharpe": ("scorecards", "challenger", "sharpe"),
    "champion_sharpe": ("scorecards", "champion", "sharpe"),
    "ungated_sharpe": ("scorecards", "ungated", "sharpe"),
    "total_return": ("scorecards", "challenger", "total_return"),
    "max_drawdown": ("scorecards", "challenger", "max_drawdown"),
    "gain": ("verdict", "gain"),
    "standard_error": ("verdict", "standard_error"),
    "bound": ("verdict", "bound"),
}

_p, _q, _e = tables.promotions.c, tables.quarantines.c, tables.evaluations.c


def facts(connection: Connection, model_id: int, now: datetime) -> Facts:
    """The facts as JSON values; None if a fact is not on record or undefined. Raises UnknownModel.

    now: the time the card is made, which gives the age of the data.
    """
    model = catalogue.model(connection, model_id)
    judged = evaluations.evaluations(connection, model_id)
    judged_model = refits.judged_model_of(connection, model_id)
    promotions = _promotions(connection, model_id)
    return {
        "made_at": _iso(now),
        "made_by": f"gatekeeper {version('gatekeeper')}",
        "model": {name: _iso(value) for name, value in asdict(model).items() if name not in HIDDEN},
        "state": _state(connection, model, promotions),
        "features": _features(model),
        "twin": judged_model,
        "training": _training(model, judged, judged_model, now),
        "evaluations": [_evaluation(model, one) for one in judged],
        "as_champion": _as_champion(connection, model_id),
        "promotions": promotions,
        "quarantines": _quarantines(connection, model.sha256),
    }


def _state(connection: Connection, model: Model, promotions: list[Facts]) -> Facts:
    """The model's state today, and the reason if it can't be served."""
    in_force = [each for each in _quarantines(connection, model.sha256) if each["released_at"] is None]
    if model.fault is not None:
        name = "unusable"
    elif model.sha256 is None:
        name = "unregistered"
    elif model.is_primary:
        name = "primary"
    else:
        name = "quarantined" if in_force else "standby"
    since = next((each["at"] for each in promotions if each["to_id"] == model.id), None) if model.is_primary else None
    return {"name": name, "since": since, "fault": model.fault, "quarantined": bool(in_force)}


def _features(model: Model) -> list[str] | None:
    """The feature names; None if the model's feature schema is not the known one."""
    from gatekeeper.features import FEATURE_SCHEMA, FEATURES

    return list(FEATURES) if model.feature_schema == FEATURE_SCHEMA else None


def _training(model: Model, judged: list[Evaluation], judged_model: int | None, now: datetime) -> Facts:
    """The training facts, from the evaluation of the run that made the model, and of no other run.

    A refit shares recipe and seed with its judged model, but was trained on other ideas.
    """
    own = [
        one.document
        for one in judged
        if at(one.document, "training")
        and (judged_model or one.document["training"]["fingerprint"] == model.fingerprint)
    ]
    made = own[0]["training"] if own else {}
    ideas = {} if judged_model else made
    return {
        "seed": made.get("seed"),
        **{name: ideas.get(name) for name in ("ideas", "wins")},
        "parameters": json.loads(made.get("parameters", "null")),
        "source": at(own[0], "data", "source") if made else None,
        "notes": at(own[0], "data", "notes") if made else None,
        "age_days": None if model.trained_to is None else (now - model.trained_to) // timedelta(days=1),
    }


def _evaluation(model: Model, one: Evaluation) -> Facts:
    symbols = at(one.document, "details", "slices", "symbol")
    return {
        "id": one.id,
        "as_of": _iso(one.as_of),
        "kind": one.kind,
        "champion": one.champion,
        "verdict": one.verdict,
        "of_these_bytes": model.sha256 in (one.challenger_sha256, one.deploys),
        **{name: at(one.document, *path) for name, path in NUMBERS.items()},
        "symbols": [each["name"] for each in symbols] if isinstance(symbols, list) else None,
        "age_days": None if model.trained_to is None else (one.as_of - model.trained_to) // timedelta(days=1),
    }


def _as_champion(connection: Connection, model_id: int) -> Facts:
    """The number of evaluations in which it was the champion; the challengers' cards hold the numbers."""
    counted = select(func.count(), func.max(_e.as_of)).where(_e.champion == model_id)
    count, newest = connection.execute(counted).one()
    return {"count": count, "newest": _iso(newest)}


def _promotions(connection: Connection, model_id: int) -> list[Facts]:
    """The promotions to it and away from it, newest first."""
    about = (_p.to_id == model_id) | (_p.from_id == model_id)
    rows = connection.execute(select(tables.promotions).where(about).order_by(_p.generation.desc()))
    hidden = ("chain", "run_key")
    return [
        {name: _iso(value) for name, value in asdict(promotion_of(row)).items() if name not in hidden} for row in rows
    ]


def _quarantines(connection: Connection, sha256: str | None) -> list[Facts]:
    """All quarantines on these bytes, past ones included, newest first."""
    rows = connection.execute(select(tables.quarantines).where(_q.sha256 == sha256).order_by(_q.id.desc()))
    return [{name: _iso(value) for name, value in row._mapping.items() if name != "id"} for row in rows]


def at(document: object, *path: str) -> Any:
    """The value at this path of a document; None if it has no such path."""
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _iso(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
