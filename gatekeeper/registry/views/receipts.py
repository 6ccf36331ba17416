"""Receipts: one file with a model's facts, its evaluation and the promotion history, which can be verified offline."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, select

from gatekeeper.errors import DataError, UnknownModel
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations, history_chain

FORMAT = 1
LARGEST = 64 * 1024 * 1024

Receipt = dict[str, Any]


def receipt(connection: Connection, model_id: int, evaluation_id: int | None) -> bytes:
    """The receipt of a model and its evaluation: the one that promoted it, else the newest. Raises UnknownModel.

    The receipt of a refit names its judged model (`twin`), to which the evaluation belongs.
    """
    model = catalogue.model(connection, model_id)
    chosen = _evaluation(connection, model_id, evaluation_id)
    judged_id = refits.judged_model_of(connection, model_id)
    facts = {name: value for name, value in asdict(model).items() if name not in ("canary_json", "path")}
    content: Receipt = {
        "format": FORMAT,
        "made_by": f"gatekeeper {version('gatekeeper')}",
        "model": {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()},
        "evaluation": None if chosen is None else history_chain.facts(connection, chosen),
        "history": history_chain.entries(connection),
    }
    if judged_id is not None:
        content["twin"] = {"model_id": judged_id, "sha256": catalogue.model(connection, judged_id).sha256}
    return serialized({**content, "digest": digest(content)})


def digest(content: Mapping[str, Any]) -> str:
    """The sha256 of a receipt without its digest."""
    body = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(history_chain.canonical(body).encode()).hexdigest()


def serialized(content: Mapping[str, Any]) -> bytes:
    """The receipt's only valid serialization: any other byte is a change."""
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def faults(content: bytes) -> list[str]:
    """The errors of a receipt, in sentences; empty if it is valid. Raises DataError if it is not a receipt."""
    read = _read(content)
    try:
        if digest(read) != read["digest"]:
            return [f"its digest is {digest(read)}, but it states {read['digest']}: it was changed"]
        if serialized(read) != content:
            return ["its bytes are not those of a receipt's serialization: it was changed"]
        broken = history_chain.first_break(read["history"])
        found = [] if broken is None else [f"promotion {broken} of the history was changed after it was written"]
        return found + (_evaluation_faults(read) if read["evaluation"] is not None else [])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        return [f"its content is not that of a receipt ({type(fault).__name__}: {fault}): it was changed"]


def _evaluation_faults(read: Receipt) -> list[str]:
    from gatekeeper.judgement.report.recheck import differences

    judged = read["evaluation"]
    found = _model_faults(read)
    cards = judged["document"]["scorecards"]
    found += [
        f"the scorecard of the {role} belongs to other bytes than the evaluation"
        for role in ("challenger", "champion")
        if cards[role] is not None and cards[role]["sha256"] != judged[f"{role}_sha256"]
    ]
    if judged["document"]["verdict"]["answer"] != judged["verdict"]:
        found.append("the verdict of the evaluation differs from that of its document")
    found += [
        f"promotion {row['generation']} rests on other evidence than this evaluation"
        for row in read["history"]
        if row["evaluation_id"] == judged["id"] and row["evidence"] != history_chain.evidence_of(judged)
    ]
    return found + differences(judged["document"])


def _model_faults(read: Receipt) -> list[str]:
    """Check that the evaluation judged the receipt's model, or its judged model and compared both, and promoted it."""
    from gatekeeper.judgement.backtest.refit_agreement import refit_of

    judged, model, judged_model = read["evaluation"], read["model"], read.get("twin")
    challenger = {"model_id": judged["challenger"], "sha256": judged["challenger_sha256"]}
    if judged_model is None:
        same = challenger == {"model_id": model["id"], "sha256": model["sha256"]}
        return [] if same else ["its evaluation judged other bytes than its model's"]
    found = [] if challenger == judged_model else ["its evaluation judged other bytes than its judged model's"]
    refit = refit_of(judged["document"])
    if refit is None or refit.sha256 != model["sha256"]:
        found.append("its evaluation compared its judged model with other bytes than its model's")
    found += [
        f"promotion {row['generation']} deployed other bytes than this evaluation compared with the judged ones"
        for row in read["history"]
        if row["evaluation_id"] == judged["id"] and row["sha256"] != model["sha256"]
    ]
    return found


def _read(content: bytes) -> Receipt:
    try:
        read = json.loads(content)
        known = read["format"]
        parts = {name: read[name] for name in ("made_by", "model", "evaluation", "history", "digest")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            "This is not a receipt, or one that was changed. `gatekeeper receipt ID` writes receipts."
        ) from None
    if known != FORMAT:
        raise DataError(f"The receipt has format {known!r}; this version of Gatekeeper reads format {FORMAT}.")
    return {"format": known, **parts, **read}


def _evaluation(connection: Connection, model_id: int, evaluation_id: int | None) -> int | None:
    if evaluation_id is not None:
        if all(each.id != evaluation_id for each in evaluations.evaluations(connection, model_id)):
            raise UnknownModel(
                f"Model {model_id} has no evaluation {evaluation_id}. `gatekeeper explain {model_id}` shows its newest."
            )
        return evaluation_id
    promoted = tables.promotions.c
    by = select(promoted.evaluation_id).where((promoted.to_id == model_id) & promoted.evaluation_id.is_not(None))
    found: int | None = connection.execute(by.order_by(promoted.generation.desc()).limit(1)).scalar()
    if found is not None:
        return found
    return next((each.id for each in evaluations.evaluations(connection, model_id, limit=1)), None)
