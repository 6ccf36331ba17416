"""Evaluations: records verdicts, and refuses those that no longer match the registry's bytes or generation."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sqlalchemy import Connection, select

from gatekeeper.errors import (
    ConfigError,
    DataError,
    EvaluationOutdated,
    GenerationMoved,
    ModelRefused,
    PromotionRefused,
    UnknownModel,
)
from gatekeeper.registry.context import RegistryContext, aware, plain
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue, refits
from gatekeeper.registry.models.verification import refuse_unregistered
from gatekeeper.registry.orders import key_used
from gatekeeper.registry.promotion import clock, eligibility, holds
from gatekeeper.registry.records import COPIED, Evaluation, Model, evaluation_of
from gatekeeper.registry.store.base import blob_name

if TYPE_CHECKING:
    from gatekeeper.documents.evaluation import EvaluationDocument, EvaluationSummary

_e = tables.evaluations.c


class NewEvaluation(TypedDict):
    """What a weekly run records: `champion` None for a first model, `report` the path of the page."""

    challenger: int
    champion: int | None
    generation: int
    as_of: datetime
    kind: str
    verdict: str
    document: "EvaluationDocument"
    run_key: str
    report: str | None


def record(context: RegistryContext, **new: Unpack[NewEvaluation]) -> Evaluation:
    """Record an evaluation, bound to the sha256 of both models.

    Repeating run key, challenger, champion, generation and kind returns the existing row. Raises KeyUsed if that has
    another as-of, verdict or bytes, AsOfError for an as-of beyond the database's clock, ClockBehind, UnknownModel,
    ModelRefused, DataError, ConfigError.
    """
    from gatekeeper.documents import evaluation as documents

    aware(new["as_of"], "as-of")
    plain(new["run_key"], "run key")
    content = documents.written(new["document"])
    _refuse_other_verdict(new, documents.summary(content))
    values = {**new, "document": content}
    same = [_e[name] == values[name] for name in ("run_key", "challenger", "generation", "kind")]
    wanted = select(tables.evaluations).where(*same, _e.champion.is_not_distinct_from(new["champion"]))
    with context.database.write() as work:
        connection = work.connection
        bound = {"challenger_sha256": _sha256(connection, new["challenger"]), "champion_sha256": None}
        if new["champion"] is not None:
            bound["champion_sha256"] = _sha256(connection, new["champion"])
        order = {"as_of": new["as_of"], "verdict": new["verdict"], **bound}
        row = connection.execute(wanted).first()
        if row is not None:
            if any(row._mapping[name] != value for name, value in order.items()):
                raise key_used(new["run_key"], *(_judged(**facts) for facts in (row._mapping, {**values, **bound})))
            return evaluation_of(row)
        clock.refuse_future(connection, new["as_of"])
        at = clock.now(connection)
        clock.refuse_behind(connection, at)
        writes.add(connection, tables.evaluations, {**values, **bound, "at": at})
        work.settle()
        stored = connection.execute(wanted.order_by(_e.id.desc())).first()
        if stored is None or any(stored._mapping[name] != value for name, value in {**order, "at": at}.items()):
            raise rewritten("the evaluation", stored and evaluation_of(stored), order)
        return evaluation_of(stored)


def _refuse_other_verdict(new: NewEvaluation, document: "EvaluationSummary") -> None:
    """Raise DataError if the row would say another thing than the document that it rests on, where that says any."""
    inside = {"verdict": document.verdict.answer, "kind": document.verdict.kind, "as_of": document.window.as_of}
    for name, written in inside.items():
        if written not in (None, given := dict(new)[name]):
            raise DataError(
                f"The evaluation's {name} {given} is not that of its document, {written}, so nothing was recorded. "
                "Record what the document says."
            )


def _judged(**row: Any) -> str:
    return f"judged model {row['challenger']} as of {row['as_of']:%Y-%m-%d %H:%M} UTC, verdict {row['verdict']}"


def evaluation(connection: Connection, evaluation_id: int) -> Evaluation:
    """The evaluation of this id. Raises UnknownModel."""
    row = None
    if 0 <= evaluation_id <= catalogue.LARGEST_ID:
        row = connection.execute(select(tables.evaluations).where(_e.id == evaluation_id)).first()
    if row is None:
        raise UnknownModel(f"There is no evaluation {evaluation_id}. `gatekeeper history` shows their ids.")
    return evaluation_of(row)


def evaluations(
    connection: Connection, challenger: int | None, limit: int | None = None, before: int | None = None
) -> list[Evaluation]:
    """All evaluations, or those of one challenger, newest first; or a page of at most `limit` with ids below `before`.

    Those of a refit are the evaluations of its judged model that would deploy it.
    """
    wanted = select(tables.evaluations).order_by(_e.id.desc())
    if before is not None:
        wanted = wanted.where(_e.id < before)
    if challenger is not None and (judged := refits.judged_model_of(connection, challenger)) is not None:
        sha256 = catalogue.model(connection, challenger).sha256
        of_judged = map(evaluation_of, connection.execute(wanted.where(_e.challenger == judged)))
        return [each for each in of_judged if each.deploys == sha256][:limit]
    if challenger is not None:
        wanted = wanted.where(_e.challenger == challenger)
    return [evaluation_of(row) for row in connection.execute(wanted.limit(limit))]


def passed(connection: Connection) -> set[tuple[int, str]]:
    """The models, each with the judged sha256, whose evaluation in this registry had the verdict `promote`.

    Reads no document: a server calls this while it looks for a fallback.
    """
    wanted = select(_e.challenger, _e.challenger_sha256).where((_e.verdict == "promote") & (_e.kind != COPIED))
    return {(row.challenger, row.challenger_sha256) for row in connection.execute(wanted)}


def last_verdict(connection: Connection) -> datetime | None:
    """The time of the newest evaluation, without those of copied models; None if there is none."""
    newest = select(_e.at).where(_e.kind != COPIED).order_by(_e.id.desc()).limit(1)
    at: datetime | None = connection.execute(newest).scalar()
    return at


def refuse_outdated(
    context: RegistryContext,
    connection: Connection,
    generation: int,
    evaluation_id: int,
    model: Model,
    as_of: datetime | None,
) -> datetime:
    """Raise PromotionRefused unless this evaluation may promote this model now. Returns its as-of."""
    judged = evaluation(connection, evaluation_id)
    if judged.kind == COPIED:
        raise PromotionRefused(
            f"Evaluation {judged.id} was made in another environment, against that one's primary. Evaluate again here, "
            f"or promote by hand with `gatekeeper promote -i {model.id}`."
        )
    refits.refuse_unjudged(connection, judged, model)
    if as_of is not None and as_of != judged.as_of:
        raise ConfigError(f"Evaluation {judged.id} has the as-of {judged.as_of.isoformat()}, not {as_of.isoformat()}.")
    if judged.verdict != "promote":
        raise PromotionRefused(
            f"Evaluation {judged.id} has the verdict {judged.verdict!r}. `gatekeeper explain {model.id}` shows why."
        )
    holds.refuse_quarantined(connection, judged.challenger, judged.challenger_sha256)
    holds.refuse_held(connection)
    clock.refuse_future(connection, judged.as_of)
    if (why := eligibility.not_eligible(connection, judged.as_of)) is not None:
        raise EvaluationOutdated(
            f"Evaluation {judged.id} can't promote: {why}. An older as-of never replaces a later one; run a later week."
        )
    if judged.generation != generation:
        raise GenerationMoved(
            f"Evaluation {judged.id} was made at generation {judged.generation}, but the registry is at {generation}. "
            "Evaluate again against the new primary."
        )
    _refuse_other_bytes(context, connection, judged, model)
    return judged.as_of


def restore_name(context: RegistryContext, model: Model) -> bool:
    """Restore the model's named file from its blob if needed. Returns whether it holds the model's bytes now."""
    if model.sha256 is None or not model.file_name:
        return False
    if context.store.holds(model.file_name, model.sha256):
        return True
    try:
        content = context.store.find(blob_name(model.sha256), model.sha256)
    except ModelRefused:
        return False
    context.store.place(model.file_name, content)
    return True


def _sha256(connection: Connection, model_id: int) -> str:
    return refuse_unregistered(catalogue.model(connection, model_id))


def _refuse_other_bytes(context: RegistryContext, connection: Connection, judged: Evaluation, model: Model) -> None:
    """Raise EvaluationOutdated unless the files still hold the judged bytes.

    These are named file and blob of the challenger and of its deployed refit, and the champion's named file.
    """
    challenger = catalogue.model(connection, judged.challenger)
    bytes_of = {challenger.id: (challenger, judged.challenger_sha256), model.id: (model, judged.deploys)}
    for each, sha256 in bytes_of.values():
        for name in (each.file_name, blob_name(sha256)):
            if not context.store.holds(name, sha256):
                raise EvaluationOutdated(_changed(judged, each, name))
    if judged.champion is None:
        return
    champion = catalogue.model(connection, judged.champion)
    if champion.sha256 != judged.champion_sha256 or not restore_name(context, champion):
        raise EvaluationOutdated(_changed(judged, champion, champion.file_name))


def _changed(judged: Evaluation, model: Model, name: str) -> str:
    return (
        f"{name} no longer holds the bytes of model {model.id} that evaluation {judged.id} judged. "
        "Register the current file and evaluate again."
    )
