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
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations, history_chain

FORMAT = 1
LARGEST = 64 * 1024 * 1024

Receipt = dict[str, Any]


def receipt(connection: Connection, model_id: int, evaluation_id: int | None) -> bytes:
    """The receipt of a model and its evaluation (the one that promoted it, else the newest). Raises UnknownModel.

    That of a refit names its twin, which the evaluation judged.
    """
    model = catalogue.model(connection, model_id)
    chosen = _evaluation(connection, model_id, evaluation_id)
    twin = refits.of(connection, model_id)
    facts = {name: value for name, value in asdict(model).items() if name not in ("canary_json", "path")}
    content: Receipt = {
        "format": FORMAT,
        "made_by": f"gatekeeper {version('gatekeeper')}",
        "model": {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()},
        "evaluation": None if chosen is None else history_chain.facts(connection, chosen),
        "history": history_chain.entries(connection),
        **({} if twin is None else {"twin": {"model_id": twin, "sha256": catalogue.model(connection, twin).sha256}}),
    }
    return serialized({**content, "digest": digest(content)})


def digest(content: Mapping[str, Any]) -> str:
    """The sha256 of all of a receipt but its digest."""
    said = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(history_chain.canonical(said).encode()).hexdigest()


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
        broken = history_chain.first_break(read["history"])
        told = [] if broken is None else [f"promotion {broken} of the history isn't as it was written"]
        return told + (_of_evaluation(read) if read["evaluation"] is not None else [])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        return [f"it isn't as a receipt is written ({type(fault).__name__}: {fault}): it was changed"]


def _of_evaluation(read: Receipt) -> list[str]:
    from gatekeeper.judgement.report.recheck import differences

    judged = read["evaluation"]
    found = _of_model(read)
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
        if row["evaluation_id"] == judged["id"] and row["evidence"] != history_chain.evidence_of(judged)
    ]
    return found + differences(judged["document"])


def _of_model(read: Receipt) -> list[str]:
    """Did the evaluation judge the receipt's model, or its twin and compare the two; and did that go in?"""
    from gatekeeper.judgement.backtest.refit_agreement import refit_of

    judged, model, twin = read["evaluation"], read["model"], read.get("twin")
    said = {"model_id": judged["challenger"], "sha256": judged["challenger_sha256"]}
    if twin is None:
        same = said == {"model_id": model["id"], "sha256": model["sha256"]}
        return [] if same else ["its evaluation judged other bytes than its model's"]
    found = [] if said == twin else ["its evaluation judged other bytes than its model's twin's"]
    refit = refit_of(judged["document"])
    if refit is None or refit.sha256 != model["sha256"]:
        found.append("its evaluation compared its twin with other bytes than its model's")
    found += [
        f"promotion {row['generation']} put other bytes in than this evaluation compared with the judged ones"
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
        raise DataError("this is no receipt, or one that was changed; `gatekeeper receipt ID` writes them") from None
    if known != FORMAT:
        raise DataError(f"a receipt of format {known!r}; this version reads {FORMAT}")
    return {"format": known, **parts, **read}


def _evaluation(connection: Connection, model_id: int, evaluation_id: int | None) -> int | None:
    if evaluation_id is not None:
        if all(each.id != evaluation_id for each in evaluations.evaluations(connection, model_id)):
            raise UnknownModel(f"model {model_id} has no evaluation {evaluation_id}; `gatekeeper explain {model_id}`")
        return evaluation_id
    promoted = tables.promotions.c
    by = select(promoted.evaluation_id).where((promoted.to_id == model_id) & promoted.evaluation_id.is_not(None))
    found: int | None = connection.execute(by.order_by(promoted.generation.desc()).limit(1)).scalar()
    if found is not None:
        return found
    return next((each.id for each in evaluations.evaluations(connection, model_id, limit=1)), None)
