"""Receipts: one file with a model's facts, its evaluation and the promotion history (proof.py verifies it offline)."""

from datetime import datetime
from importlib.metadata import version

from sqlalchemy import Connection, select

from gatekeeper.documents import evaluation as documents
from gatekeeper.documents import receipt as receipts
from gatekeeper.documents.receipt import FORMAT, Receipt, ReceiptModel, ReceiptTwin, as_hashed
from gatekeeper.errors import UnknownModel
from gatekeeper.registry.db import tables
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.promotion import evaluations, history_chain
from gatekeeper.registry.records import Model
from gatekeeper.registry.views.proof import digest


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
