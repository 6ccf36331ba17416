"""Proof of a receipt, offline: each hash and each figure that follows from others, recomputed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gatekeeper.documents import evaluation as documents
from gatekeeper.documents import older_evaluation
from gatekeeper.documents import receipt as receipts
from gatekeeper.documents.comparison import StreamFigures
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.documents.receipt import FORMATS, HistoryEntry, Receipt, ReceiptEvaluation, ReceiptModel, as_hashed
from gatekeeper.documents.rules import EDITIONS
from gatekeeper.documents.serialization import JsonObject
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.registry.promotion import history_chain
from gatekeeper.registry.records import COPIED, KINDS_BY_EVALUATION, KINDS_BY_HAND, WHAT_IF

LARGEST = 64 * 1024 * 1024
PARTS = ("format", "made_by", "model", "evaluation", "history", "digest")
KINDS = (*KINDS_BY_EVALUATION, *KINDS_BY_HAND, "rollback", "adopted")
WEEKLY = "gatekeeper_weekly/"
ONE_DAY = timedelta(days=1)

HOLDS, CONSISTENT, FAULTY = "holds", "consistent, unanchored", "faulty"


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """What was found of a receipt. receipt: None if its content can't be read, and then a fault says why."""

    receipt: Receipt | None
    faults: list[str] = field(default_factory=list)
    anchored: bool = False
    """Whether its digest is one that was kept elsewhere: only that shows that nobody wrote the whole file anew."""

    @property
    def state(self) -> str:
        """`holds` of an anchored receipt without a fault, `consistent, unanchored` of one without an anchor."""
        if self.faults:
            return FAULTY
        return HOLDS if self.anchored else CONSISTENT


def prove(content: bytes, anchor: str | None = None) -> ReceiptProof:
    """Recompute a receipt. anchor: its digest, as it was kept elsewhere. Raises DataError if it is not a receipt."""
    found, receipt = faults(content), read(content)
    if anchor is None:
        return ReceiptProof(receipt, found)
    if receipt is not None and anchor.strip().lower() != receipt.digest:
        found.append(f"its digest is {receipt.digest}, not {anchor}: it was rewritten")
    return ReceiptProof(receipt, found, anchored=True)


def digest(content: JsonObject) -> str:
    """The sha256 of a receipt without its digest and its signature."""
    hashed = {name: value for name, value in content.items() if name not in ("digest", "signature")}
    return hashlib.sha256(history_chain.canonical(hashed).encode()).hexdigest()


def read(content: bytes) -> Receipt | None:
    """A receipt's content, valid or not; None if it can't be read, and then `faults` says why."""
    try:
        return receipts.of_object(_parsed(content))
    except DataError:
        return None


def faults(content: bytes) -> list[str]:
    """The errors of a receipt, in sentences; empty if it is consistent. Raises DataError if it is not a receipt."""
    parsed = _parsed(content)
    try:
        if digest(parsed) != parsed["digest"]:
            return [f"its digest is {digest(parsed)}, but it states {parsed['digest']}: it was changed"]
        if receipts.serialized(parsed) != content:
            return ["its bytes are not those of a receipt's serialization: it was changed"]
        receipt, hashed = receipts.of_object(parsed), receipts.hashed_parts(parsed)
        found: list[str] = [*_unknown(parsed, as_hashed(receipt), ""), *_signed_by_format(receipt)]
        broken = history_chain.first_break(hashed.history)
        found += [] if broken is None else [f"promotion {broken} of the history was changed after it was written"]
        found += _history_faults(receipt)
        found += _facts_faults(receipt.model)
        if receipt.evaluation is None:
            return [*found, *_unjudged_faults(receipt)]
        return found + _evaluation_faults(receipt, receipt.evaluation, history_chain.evidence_of(hashed.evaluation))
    except (TypeError, ValueError, LookupError, OverflowError, DataError, ConfigError) as fault:
        return [f"its content is not that of a receipt ({type(fault).__name__}: {fault}): it was changed"]


def _unknown(found: object, known: object, place: str, *, strict: bool = True) -> Iterator[str]:
    """Keys that nothing reads, and values that are written otherwise than Gatekeeper writes them; missing ones, too."""
    if isinstance(found, dict) and isinstance(known, dict):
        if strict and (lost := sorted(known.keys() - found.keys())):
            yield f"{place or 'it'} lacks {', '.join(lost)}: it was changed"
        for name, value in found.items():
            where = f"{place}.{name}" if place else str(name)
            if name in known:
                yield from _unknown(value, known[name], where, strict=strict)
            else:
                yield f"it has a key {where}, which Gatekeeper doesn't write: it was changed"
    elif isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        for number, (one, other) in enumerate(zip(found, known, strict=True)):
            yield from _unknown(one, other, f"{place}[{number}]", strict=strict)
    elif history_chain.canonical(found) != history_chain.canonical(known):
        yield f"{place} is written as {found!r}, and Gatekeeper writes {known!r}: it was changed"


def _signed_by_format(receipt: Receipt) -> Iterator[str]:
    if receipt.format == 1 and receipt.signature is not None:
        yield "it is of format 1, which is never signed: it was changed"


def _history_faults(receipt: Receipt) -> Iterator[str]:
    before: HistoryEntry | None = None
    for number, row in enumerate(receipt.history, start=1):
        if row.generation != number:
            yield f"promotion {row.generation} stands in the place of promotion {number} of the history"
        if (row.evaluation_id is None) != (row.evidence is None):
            yield f"promotion {row.generation} names an evaluation without its evidence, or the other way round"
        if row.kind not in KINDS:
            yield f"promotion {row.generation} is of the kind {row.kind}, which there isn't"
        elif (row.kind in KINDS_BY_EVALUATION) != (row.evaluation_id is not None):
            rests = "no evaluation" if row.evaluation_id is None else f"evaluation {row.evaluation_id}"
            yield f"promotion {row.generation} is of the kind {row.kind}, and rests on {rests}"
        if row.from_id != (None if before is None else before.to_id):
            yield f"promotion {row.generation} leaves model {row.from_id}, which was not the primary"
        before = row
    promoted = [row for row in receipt.history if row.to_id == receipt.model.id and row.sha256 is not None]
    if promoted and promoted[-1].sha256 != receipt.model.sha256:
        yield f"promotion {promoted[-1].generation} of the model promoted other bytes than its own"


def _facts_faults(model: ReceiptModel) -> Iterator[str]:
    """What of the model's own facts can be told without its file."""
    for name in ("created_at", "trained_from", "trained_to", "cutoff"):
        if (text := getattr(model, name)) is not None and datetime.fromisoformat(text).tzinfo is None:
            yield f"the model's {name} has no offset from UTC"
    if model.threshold is not None and not 0 < model.threshold < 1:
        yield f"the model's threshold is {model.threshold}"
    if model.size is not None and model.size < 1:
        yield f"the model has {model.size} bytes"


def _unjudged_faults(receipt: Receipt) -> Iterator[str]:
    """A model without an evaluation was promoted by no evaluation."""
    if receipt.twin is None:
        for row in receipt.history:
            if row.to_id == receipt.model.id and row.evaluation_id is not None:
                yield f"promotion {row.generation} rests on evaluation {row.evaluation_id}, which the receipt lacks"


def _evaluation_faults(receipt: Receipt, judged: ReceiptEvaluation, evidence: str) -> list[str]:
    from gatekeeper.judgement.report.recheck import differences

    document = documents.of_object(judged.document, judged.id)
    found = [*_unknown_of_document(judged, document), *_model_faults(receipt, judged, document)]
    found += _row_faults(judged, document)
    found += _card_faults(receipt, judged, document)
    deployed = judged.challenger if document.refit is None else document.refit.model_id
    for row in receipt.history:
        its = (row.generation, row.run_key, row.to_id) == (judged.generation + 1, judged.run_key, deployed)
        if its and row.evaluation_id != judged.id:
            found.append(f"promotion {row.generation}, of the same run, rests on evaluation {row.evaluation_id}")
        if row.evaluation_id == judged.id:
            if row.evidence != evidence:
                found.append(f"promotion {row.generation} rests on other evidence than this evaluation")
            found += _promotion_faults(row, judged, document)
    return found + differences(document)


def _unknown_of_document(judged: ReceiptEvaluation, document: EvaluationDocument) -> Iterator[str]:
    known, form, rules = documents.as_object(document), judged.document.get("format"), document.rules
    if form != documents.FORMAT:
        known |= older_evaluation.stated(judged.document, rules)
    elif rules.edition != EDITIONS[-1]:
        yield f"its evaluation, of format {form}, goes by edition {rules.edition} of the judgement: it was changed"
    if form != 1 and rules.unknown:
        yield f"its evaluation doesn't hold {', '.join(rules.unknown)}, which its format does: it was changed"
    # Those of before Gatekeeper had sizes, costs or a limit on positions lack what says so.
    yield from _unknown(judged.document, known, "evaluation.document", strict=form != 1)


def _row_faults(judged: ReceiptEvaluation, document: EvaluationDocument) -> Iterator[str]:
    """The evaluation's row against its document."""
    copied = judged.kind == COPIED
    if not copied and document.verdict.kind != judged.kind:
        yield f"the evaluation is of the kind {judged.kind}, and its document of {document.verdict.kind}"
    if document.verdict.answer != judged.verdict:
        yield "the verdict of the evaluation differs from that of its document"
    as_of, at = datetime.fromisoformat(judged.as_of), datetime.fromisoformat(judged.at)
    if as_of != document.window.as_of:
        yield f"the evaluation is as of {judged.as_of}, and its document of {document.window.as_of.isoformat()}"
    if at < as_of - ONE_DAY:
        yield f"the evaluation was recorded at {judged.at}, long before its as-of of {judged.as_of}"
    if (judged.champion_sha256 is None) != (document.scorecards.champion is None) or judged.generation < 0:
        yield "the evaluation and its document differ in whether there was a champion"
    if not copied and (judged.champion is None) != (judged.champion_sha256 is None):
        yield "the evaluation has a champion without bytes, or bytes without a champion"
    if judged.run_key.startswith(WEEKLY) and f"/{as_of:%Y-%m-%dT%H:%M:%SZ}/" not in judged.run_key:
        yield f"the evaluation's run {judged.run_key} is of another as-of than {judged.as_of}"


def _card_faults(receipt: Receipt, judged: ReceiptEvaluation, document: EvaluationDocument) -> Iterator[str]:
    """The scorecards, and the league's row of the challenger, against the evaluation's row and the model's facts."""
    cards = document.scorecards
    bytes_of = {"challenger": judged.challenger_sha256, "champion": judged.champion_sha256}
    ids = {"challenger": judged.challenger, "champion": judged.champion}
    for role, card in cards:
        if role in bytes_of and card.sha256 != bytes_of[role]:
            yield f"the scorecard of the {role} belongs to other bytes than the evaluation"
        if role in ids and judged.kind != COPIED and card.model_id != ids[role]:
            yield f"the scorecard of the {role} is of model {card.model_id}, and the evaluation of {ids[role]}"
    model, refit = receipt.model, document.refit
    # Of a refit's receipt the model is the refit; its twin's facts are in the scorecard alone.
    said: StreamFigures | documents.Refit = cards.challenger if receipt.twin is None or refit is None else refit
    threshold = document.rules.threshold if model.threshold is None else model.threshold
    if threshold is not None and threshold != said.threshold:
        yield f"the model's threshold is {threshold}, and its evaluation went by {said.threshold}"
    if _instant(model.trained_to) != said.trained_to:
        yield f"the model's data end on {model.trained_to}, and by its evaluation on {said.trained_to}"
    training = document.training
    if training is not None and model.estimator != training.recipe:
        yield f"the model's recipe is {model.estimator}, and by its evaluation {training.recipe}"
    if training is None or receipt.twin is not None:
        return
    for what, fact, trained in (
        ("training ideas", model.fingerprint, training.fingerprint),
        ("first training idea", _instant(model.trained_from), training.trained_from),
        ("cut-off", _instant(model.cutoff), training.cutoff),
    ):
        if fact != trained:
            yield f"the model's {what} is {fact}, and by its evaluation {trained}"


def _promotion_faults(row: HistoryEntry, judged: ReceiptEvaluation, document: EvaluationDocument) -> Iterator[str]:
    """The promotion that rests on this evaluation."""
    refit = document.refit
    deployed = judged.challenger_sha256 if refit is None else refit.sha256
    live = judged.challenger if refit is None else refit.model_id
    if judged.verdict != "promote" or judged.kind in (WHAT_IF, COPIED):
        yield f"promotion {row.generation} rests on an evaluation that promotes nothing"
    if row.sha256 != deployed or row.to_id != live:
        yield f"promotion {row.generation} promoted other bytes than its evaluation judged, or another model"
    if row.generation != judged.generation + 1:
        yield f"promotion {row.generation} rests on an evaluation against generation {judged.generation}"
    if datetime.fromisoformat(row.as_of) != datetime.fromisoformat(judged.as_of):
        yield f"promotion {row.generation} is as of {row.as_of}, and its evaluation of {judged.as_of}"
    if datetime.fromisoformat(row.at) < datetime.fromisoformat(judged.at) - ONE_DAY:
        yield f"promotion {row.generation} was made at {row.at}, long before its evaluation was recorded at {judged.at}"
    faced = {judged.champion, None if document.live is None else document.live.model_id}
    if judged.kind == "weekly" and row.from_id not in faced:
        yield f"promotion {row.generation} leaves model {row.from_id}, and its evaluation was against {judged.champion}"


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _model_faults(receipt: Receipt, judged: ReceiptEvaluation, document: EvaluationDocument) -> list[str]:
    """Check that the evaluation judged the receipt's model, or its judged model and compared both, and promoted it."""
    model, twin, refit = receipt.model, receipt.twin, document.refit
    if twin is None:
        same = (judged.challenger, judged.challenger_sha256) == (model.id, model.sha256)
        return [] if same else ["its evaluation judged other bytes than its model's"]
    found = []
    if (judged.challenger, judged.challenger_sha256) != (twin.model_id, twin.sha256):
        found.append("its evaluation judged other bytes than its judged model's")
    if refit is None or refit.sha256 != model.sha256 or (judged.kind != COPIED and refit.model_id != model.id):
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
    if type(known) is not int or known not in FORMATS:
        raise DataError(f"The receipt has format {known!r}; this version of Gatekeeper reads 1 and 2.")
    found: JsonObject = parsed
    return found
