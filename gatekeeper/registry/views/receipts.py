"""Receipts: one file with a model's facts, its evaluation and the promotion history, which can be verified offline."""

import hashlib
import json
from datetime import datetime
from importlib.metadata import version

from sqlalchemy import Connection, select

from gatekeeper.documents import evaluation as documents
from gatekeeper.documents import receipt as receipts
from gatekeeper.documents.receipt import FORMAT, Receipt, ReceiptEvaluation, ReceiptModel, ReceiptTwin, as_hashed
from gatekeeper.documents.serialization import JsonObject
from gatekeeper.errors import ConfigError, DataError, UnknownModel
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations, history_chain
from gatekeeper.registry.records import Model

LARGEST = 64 * 1024 * 1024
PARTS = ("format", "made_by", "model", "evaluation", "history", "digest")


def receipt(connection: Connection, model_id: int, evaluation_id: int | None) -> bytes:
    """The receipt of a model and its evaluation: the one that promoted it, else the newest. Raises UnknownModel.

    The receipt of a refit names its judged model (`twin`), to which the evaluation belongs. Raises
    DataError if this version can't read the evaluation's document, or a document of the history is damaged.
    """
    model = catalogue.model(connection, model_id)
    chosen = _evaluation(connection, model_id, evaluation_id)
    if chosen is not None:
        documents.read(evaluations.evaluation(connection, chosen).document_json, chosen)
    judged_id = refits.judged_model_of(connection, model_id)
    made = Receipt(
        format=FORMAT,
        made_by=f"gatekeeper {version('gatekeeper')}",
        model=_model(model),
        evaluation=None if chosen is None else history_chain.facts(connection, chosen),
        history=history_chain.entries(connection),
        twin=None if judged_id is None else ReceiptTwin(judged_id, catalogue.model(connection, judged_id).sha256),
        digest="",
    )
    content = as_hashed(made)
    return receipts.serialized({**content, "digest": digest(content)})


def _model(model: Model) -> ReceiptModel:
    return ReceiptModel(
        id=model.id,
        version=model.version,
        description=model.description,
        created_at=_iso(model.created_at),
        sha256=model.sha256,
        size=model.size,
        feature_schema=model.feature_schema,
        threshold=model.threshold,
        trained_from=_iso(model.trained_from),
        trained_to=_iso(model.trained_to),
        cutoff=_iso(model.cutoff),
        estimator=model.estimator,
        fingerprint=model.fingerprint,
        code_version=model.code_version,
        run_key=model.run_key,
        recognised=model.recognised,
        fault=model.fault,
    )


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def digest(content: JsonObject) -> str:
    """The sha256 of a receipt without its digest."""
    hashed = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(history_chain.canonical(hashed).encode()).hexdigest()


def read(content: bytes) -> Receipt | None:
    """A receipt's content, valid or not; None if it can't be read, and then `faults` says why."""
    try:
        return receipts.of_object(_parsed(content))
    except DataError:
        return None


def faults(content: bytes) -> list[str]:
    """The errors of a receipt, in sentences; empty if it is valid. Raises DataError if it is not a receipt."""
    parsed = _parsed(content)
    try:
        if digest(parsed) != parsed["digest"]:
            return [f"its digest is {digest(parsed)}, but it states {parsed['digest']}: it was changed"]
        if receipts.serialized(parsed) != content:
            return ["its bytes are not those of a receipt's serialization: it was changed"]
        receipt, hashed = receipts.of_object(parsed), receipts.hashed_parts(parsed)
        broken = history_chain.first_break(hashed.history)
        found = [] if broken is None else [f"promotion {broken} of the history was changed after it was written"]
        if receipt.evaluation is None:
            return found
        return found + _evaluation_faults(receipt, receipt.evaluation, history_chain.evidence_of(hashed.evaluation))
    except (TypeError, ValueError, IndexError, DataError, ConfigError) as fault:
        return [f"its content is not that of a receipt ({type(fault).__name__}: {fault}): it was changed"]


def _evaluation_faults(receipt: Receipt, judged: ReceiptEvaluation, evidence: str) -> list[str]:
    from gatekeeper.judgement.report.recheck import differences

    document = documents.of_object(judged.document, judged.id)
    found = _model_faults(receipt, judged, document)
    bytes_of = {"challenger": judged.challenger_sha256, "champion": judged.champion_sha256}
    found += [
        f"the scorecard of the {role} belongs to other bytes than the evaluation"
        for role, card in document.scorecards
        if role in bytes_of and card.sha256 != bytes_of[role]
    ]
    if document.verdict.answer != judged.verdict:
        found.append("the verdict of the evaluation differs from that of its document")
    found += [
        f"promotion {row.generation} rests on other evidence than this evaluation"
        for row in receipt.history
        if row.evaluation_id == judged.id and row.evidence != evidence
    ]
    return found + differences(document)


def _model_faults(receipt: Receipt, judged: ReceiptEvaluation, document: documents.EvaluationDocument) -> list[str]:
    """Check that the evaluation judged the receipt's model, or its judged model and compared both, and promoted it."""
    model, twin, refit = receipt.model, receipt.twin, document.refit
    if twin is None:
        same = (judged.challenger, judged.challenger_sha256) == (model.id, model.sha256)
        return [] if same else ["its evaluation judged other bytes than its model's"]
    found = []
    if (judged.challenger, judged.challenger_sha256) != (twin.model_id, twin.sha256):
        found.append("its evaluation judged other bytes than its judged model's")
    if refit is None or refit.sha256 != model.sha256:
        found.append("its evaluation compared its judged model with other bytes than its model's")
    found += [
        f"promotion {row.generation} deployed other bytes than this evaluation compared with the judged ones"
        for row in receipt.history
        if row.evaluation_id == judged.id and row.sha256 != model.sha256
    ]
    return found


def _parsed(content: bytes) -> JsonObject:
    try:
        parsed = json.loads(content)
        known = parsed["format"]
        if missing := [name for name in PARTS if name not in parsed]:
            raise KeyError(*missing)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            "This is not a receipt, or one that was changed. `gatekeeper receipt ID` writes receipts."
        ) from None
    if known != FORMAT:
        raise DataError(f"The receipt has format {known!r}; this version of Gatekeeper reads format {FORMAT}.")
    found: JsonObject = parsed
    return found


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
