"""Registry records: model, promotion, evaluation, hold, quarantine, approval."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from gatekeeper.registry import naming

if TYPE_CHECKING:  # numpy comes with the one, msgspec with the other: `gatekeeper active` starts without
    from gatekeeper.documents.evaluation import EvaluationDocument, EvaluationSummary, LiveModel, Refit, Twins
    from gatekeeper.documents.passport import Passport
    from gatekeeper.documents.serialization import JsonObject
    from gatekeeper.model.canary import Canary

KINDS_BY_HAND = ("manual",)
KINDS_BY_EVALUATION = ("weekly", "bootstrap", "recovery")
WHAT_IF = "what-if"
"""Kind of an evaluation that may not promote, since a later week was promoted already. Shown as "not eligible"."""
COPIED = "copied"  # the kind of an evaluation made in another environment, against its primary


@dataclass(frozen=True, slots=True)
class Details:
    """Facts that Gatekeeper's own export knows about a model, and that a file alone can't prove."""

    trained_from: datetime | None = None
    trained_to: datetime | None = None  # the last outcome in the data
    cutoff: datetime | None = None
    estimator: str | None = None
    fingerprint: str | None = None
    code_version: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One row of `"RLModel"` and its artifact. `sha256` is None if it has no artifact: such a row is never served."""

    id: int
    version: str
    path: str
    description: str
    created_at: datetime | None
    sha256: str | None
    size: int | None
    feature_schema: str | None
    threshold: float | None
    trained_from: datetime | None
    trained_to: datetime | None
    cutoff: datetime | None
    estimator: str | None
    fingerprint: str | None
    code_version: str | None
    run_key: str | None
    canary_json: str | None = field(repr=False)
    recognised: str | None  # how the score is read
    fault: str | None  # why the row's file is not a usable model; None if it is, or was not checked yet

    @property
    def is_primary(self) -> bool:
        """Whether this row is named as the primary."""
        return naming.is_primary(self.version)

    @property
    def file_name(self) -> str:
        """The name of its file inside the models folder; "" if the row names none."""
        return naming.last_part(self.path)

    @property
    def canary(self) -> "Canary | None":
        """The canary: feature rows, and their scores at registration. None if the row has no artifact."""
        if self.canary_json is None:
            return None
        from gatekeeper.model.canary import Canary

        return Canary.from_json(self.canary_json)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One row of the promotion history: the primary changed from `from_id` to `to_id`."""

    generation: int
    from_id: int | None
    to_id: int
    kind: str  # adopted, bootstrap, weekly, recovery, manual, rollback
    actor: str
    reason: str
    evaluation_id: int | None
    as_of: datetime
    at: datetime
    run_key: str | None
    sha256: str | None = None
    """The sha256 of the promoted bytes; None for an adopted row that is not a usable model."""
    chain: str | None = None
    """A hash over this row, its evidence and the row before (history_chain.py)."""
    order_digest: str | None = None
    """The sha256 of what was ordered (orders.py); None in rows of an older Gatekeeper and without an order."""
    discounted_at: datetime | None = None
    """When `doctor --repair` marked the row, whose time or as-of lay ahead of the clock; None for all others."""

    @property
    def by_evaluation(self) -> bool:
        """Whether a weekly run made it, and nobody by hand."""
        return self.kind in KINDS_BY_EVALUATION


@dataclass(frozen=True)  # without slots: what is read of the document is read once
class Evaluation:
    """One evaluation: verdict and evidence, bound to the bytes of challenger and champion."""

    id: int
    challenger: int
    champion: int | None
    challenger_sha256: str
    champion_sha256: str | None
    generation: int
    as_of: datetime
    kind: str
    verdict: str
    document_json: str = field(repr=False)
    """The document as it is stored: what evidence is taken over, and what a copy carries."""
    run_key: str
    report: str | None
    at: datetime
    discounted_at: datetime | None = None
    """As in Promotion."""

    @cached_property
    def document(self) -> "EvaluationDocument":
        """All that is kept of the comparison. Raises DataError for another format, or a damaged document."""
        from gatekeeper.documents import evaluation

        return evaluation.read(self.document_json, self.id)

    @property
    def stored(self) -> "JsonObject":
        """The document as it is stored, in the format of whoever wrote it. Raises DataError as `document` does."""
        from gatekeeper.documents import evaluation, serialization

        self.document  # noqa: B018  # refuses a damaged one
        return serialization.read_object(self.document_json, evaluation.named(self.id))

    @cached_property
    def summary(self) -> "EvaluationSummary":
        """As much of it as a list shows, of documents of any make."""
        from gatekeeper.documents import evaluation

        return evaluation.summary(self.document_json)

    @property
    def passport(self) -> "Passport | None":
        """The passport of its data; None for an older one. Raises DataError for a damaged document."""
        from gatekeeper.documents import evaluation

        return evaluation.passport(self.document_json, self.id)

    @property
    def refit(self) -> "Refit | None":
        """The deployed refit of its challenger; None if the challenger itself would be deployed."""
        return self._twins.challenger

    @property
    def deploys_id(self) -> int:
        """The id of the model that it would deploy."""
        return self.challenger if self.refit is None or self.refit.model_id is None else self.refit.model_id

    @property
    def deploys(self) -> str:
        """The sha256 of the model that it would deploy."""
        return self.challenger_sha256 if self.refit is None else self.refit.sha256

    @property
    def faced(self) -> str | None:
        """The sha256 of the primary that it compared with, even if another model was judged for that one."""
        return self.champion_sha256 if self._champion_refit is None else self._champion_refit.sha256

    @property
    def faced_id(self) -> int | None:
        """The id of the primary that it compared with."""
        return self.champion if self._champion_refit is None else self._champion_refit.model_id

    @property
    def _champion_refit(self) -> "LiveModel | None":
        return self._twins.champion

    @cached_property
    def _twins(self) -> "Twins":
        from gatekeeper.documents import evaluation

        return evaluation.twins(self.document_json, self.id)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold: while it is in force, weekly runs judge and record, but promote nothing."""

    id: int
    actor: str
    reason: str
    until: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A quarantine on bytes that were rolled back from. `id` is that model's, which `release --quarantine` takes."""

    id: int
    """The model that was left."""
    sha256: str
    actor: str
    reason: str
    at: datetime


def model_of(row: Row[Any]) -> Model:
    """A row of `catalogue.MODELS` as a record: its columns are the fields, in their order."""
    number, version, path, description, *others = list(row)
    return Model(int(number), _words(version), _words(path), _words(description), *others)


def _words(stored: object) -> str:
    """Text of a table that another tool made: "" for null, and bytes as SQL writes them, since they name nothing."""
    if isinstance(stored, str):
        return stored
    return f"x'{stored.hex()}'" if isinstance(stored, bytes) else "" if stored is None else str(stored)


def promotion_of(row: Row[Any]) -> Promotion:
    """A row of the promotion table as a record."""
    return Promotion(**row._mapping)


def evaluation_of(row: Row[Any]) -> Evaluation:
    """A row of the evaluation table as a record."""
    columns = dict(row._mapping)
    stored = columns.pop("document")
    return Evaluation(**columns, document_json=stored)


@dataclass(frozen=True, slots=True)
class Approval:
    """A question whether a model may be promoted, and its answer; `answer` is None while the question is open."""

    id: int
    run_key: str
    model_id: int
    sha256: str
    evaluation_id: int | None
    """None for a promotion by hand."""
    generation: int
    question: str
    """Where it was asked: DAG and run."""
    asked_by: str | None
    """None if a schedule or an asset asked, or if nobody knows who did."""
    asked_at: datetime
    answered_by: str | None
    answer: str | None
    """approved, rejected or expired."""
    at: datetime | None
