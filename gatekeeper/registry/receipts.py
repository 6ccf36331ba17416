"""Why is this model where it is? One file with its hash, its evidence and the history, that proves itself offline."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, select

from gatekeeper.errors import DataError, UnknownModel
from gatekeeper.registry import audit, catalogue, tables

FORMAT = 1
LARGEST = 64 * 1024 * 1024

Receipt = dict[str, Any]


def receipt(connection: Connection, model_id: int, evaluation_id: int | None) -> bytes:
    """The receipt of a model and its evaluation (the one that promoted it, else the newest). Raises UnknownModel."""
    model = catalogue.model(connection, model_id)
    chosen = _evaluation(connection, model_id, evaluation_id)
    facts = {name: value for name, value in asdict(model).items() if name not in ("canary_json", "path")}
    content: Receipt = {
        "format": FORMAT,
        "made_by": f"gatekeeper {version('gatekeeper')}",
        "model": {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()},
        "evaluation": None if chosen is None else audit.facts(connection, chosen),
        "history": audit.entries(connection),
    }
    return serialized({**content, "digest": digest(content)})


def digest(content: Mapping[str, Any]) -> str:
    """The sha256 of all of a receipt but its digest."""
    said = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(audit.canonical(said).encode()).hexdigest()


def serialized(content: Mapping[str, Any]) -> bytes:
    """The one way to write it: any other byte is a change."""
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def faults(content: bytes) -> list[str]:
    """What is wrong with a receipt, in sentences; none where it proves itself. Raises DataError for what is none."""
    read = _read(content)
    try:
        if digest(read) != read["digest"]:
            return [f"its digest is {digest(read)}, and it says {read['digest']}: it was changed"]
        if serialized(read) != content:
            return ["its bytes are not as a receipt is written: it was changed"]
        broken = audit.first_break(read["history"])
        told = [] if broken is None else [f"promotion {broken} of the history isn't as it was written"]
        return told + (_of_evaluation(read) if read["evaluation"] is not None else [])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        return [f"it isn't as a receipt is written ({type(fault).__name__}: {fault}): it was changed"]


def _of_evaluation(read: Receipt) -> list[str]:
    from gatekeeper.judgement.again import differences

    judged = read["evaluation"]
    found = []
    if judged["challenger"] != read["model"]["id"] or judged["challenger_sha256"] != read["model"]["sha256"]:
        found.append("its evaluation judged other bytes than its model's")
    cards = judged["document"]["scorecards"]
    found += [
        f"the scorecard of the {role} is of other bytes than the evaluation's"
        for role in ("challenger", "champion")
        if cards[role] is not None and cards[role]["sha256"] != judged[f"{role}_sha256"]
    ]
    if judged["document"]["verdict"]["answer"] != judged["verdict"]:
        found.append("the verdict of the evaluation isn't that of its document")
    found += [
        f"promotion {row['generation']} rests on other evidence than this evaluation"
        for row in read["history"]
        if row["evaluation_id"] == judged["id"] and row["evidence"] != audit.evidence_of(judged)
    ]
    return found + differences(judged["document"])


def _read(content: bytes) -> Receipt:
    try:
        read = json.loads(content)
        known = read["format"]
        parts = {name: read[name] for name in ("made_by", "model", "evaluation", "history", "digest")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError("this is no receipt, or one that was changed; `gatekeeper receipt ID` writes them") from None
    if known != FORMAT:
        raise DataError(f"a receipt of format {known!r}; this version reads {FORMAT}")
    return {"format": known, **parts, **read}


def _evaluation(connection: Connection, model_id: int, evaluation_id: int | None) -> int | None:
    rows = tables.evaluations.c
    if evaluation_id is not None:
        wanted = select(rows.id).where((rows.id == evaluation_id) & (rows.challenger == model_id))
        if connection.execute(wanted).first() is None:
            raise UnknownModel(f"model {model_id} has no evaluation {evaluation_id}; `gatekeeper explain {model_id}`")
        return evaluation_id
    promoted = tables.promotions.c
    by = select(promoted.evaluation_id).where((promoted.to_id == model_id) & promoted.evaluation_id.is_not(None))
    newest = select(rows.id).where(rows.challenger == model_id)
    for wanted in (by.order_by(promoted.generation.desc()), newest.order_by(rows.id.desc())):
        found: int | None = connection.execute(wanted.limit(1)).scalar()
        if found is not None:
            return found
    return None
