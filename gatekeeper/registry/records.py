"""What does the registry know of a model, a promotion, an evaluation, a hold, a quarantine?"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from gatekeeper.registry import naming

if TYPE_CHECKING:  # numpy comes with the one, msgspec with the other: `gatekeeper active` starts without
    from gatekeeper.documents.evaluation import EvaluationDocument, EvaluationSummary, LiveModel, Refit, Twins
    from gatekeeper.model.canary import Canary

KINDS_BY_HAND = ("manual",)
KINDS_BY_EVALUATION = ("weekly", "bootstrap", "recovery")
WHAT_IF = "what-if"
"""Kind of an evaluation that may promote nothing: a later week was promoted already."""
COPIED = "copied"  # the kind of an evaluation that was made in another environment, against its primary


@dataclass(frozen=True, slots=True)
class Details:
    """What our own export knows of a model, and a file alone can't vouch for."""

    trained_from: datetime | None = None
    trained_to: datetime | None = None  # the last outcome in the data
    cutoff: datetime | None = None
    estimator: str | None = None
    fingerprint: str | None = None
    code_version: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One row of `"RLModel"` and its artifact. `sha256` is None where it has none: such a row is never served."""

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
    fault: str | None  # why the row's file is no usable model, where it was found to be none

    @property
    def is_primary(self) -> bool:
        """Does this row claim to be the active model?"""
        return naming.is_primary(self.version)

    @property
    def file_name(self) -> str:
        """The name of its file inside the models folder; "" where the row names none."""
        return naming.last_part(self.path)

    @property
    def canary(self) -> "Canary | None":
        """Rows, and the scores that they had at registration."""
        if self.canary_json is None:
            return None
        from gatekeeper.model.canary import Canary

        return Canary.from_json(self.canary_json)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One row of the audit: the primary changed from `from_id` to `to_id`."""

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
    """Of the bytes that went in; None for an adopted row that is no model."""
    chain: str | None = None
    """A hash over this row, its evidence and the row before (history_chain.py)."""


@dataclass(frozen=True)  # without slots: what is read of the document is read once
class Evaluation:
    """What was judged, bound to the bytes of both models, and the verdict."""

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

    @cached_property
    def document(self) -> "EvaluationDocument":
        """All that is kept of the comparison. Raises DataError for another format, or a damaged document."""
        from gatekeeper.documents import evaluation

        return evaluation.read(self.document_json)

    @cached_property
    def summary(self) -> "EvaluationSummary":
        """As much of it as a list shows, of documents of any make."""
        from gatekeeper.documents import evaluation

        return evaluation.summary(self.document_json)

    @property
    def refit(self) -> "Refit | None":
        """What it would put live in its challenger's stead; None where that is the challenger itself."""
        return self._twins.challenger

    @property
    def deploys_id(self) -> int:
        """The model that it would put live."""
        return self.challenger if self.refit is None or self.refit.model_id is None else self.refit.model_id

    @property
    def deploys(self) -> str:
        """The sha256 of what it would put live."""
        return self.challenger_sha256 if self.refit is None else self.refit.sha256

    @property
    def faced(self) -> str | None:
        """The sha256 of the live model that it was against, whoever was judged in that one's stead."""
        return self.champion_sha256 if self._stood_for is None else self._stood_for.sha256

    @property
    def faced_id(self) -> int | None:
        """That model."""
        return self.champion if self._stood_for is None else self._stood_for.model_id

    @property
    def _stood_for(self) -> "LiveModel | None":
        return self._twins.champion

    @cached_property
    def _twins(self) -> "Twins":
        from gatekeeper.documents import evaluation

        return evaluation.twins(self.document_json)


@dataclass(frozen=True, slots=True)
class Hold:
    """While it stands, weekly runs judge and record, and promote nothing."""

    id: int
    actor: str
    reason: str
    until: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Quarantine:
    """These bytes were rolled back from. `id` is the model that was left: what `release --quarantine` takes."""

    id: int
    """The model that was left."""
    sha256: str
    actor: str
    reason: str
    at: datetime


def model_of(row: Row[Any]) -> Model:
    """The row of `catalogue.MODELS` as a value: its columns are the fields, in their order."""
    number, version, path, description, *others = list(row)
    return Model(number, version or "", path or "", description or "", *others)


def promotion_of(row: Row[Any]) -> Promotion:
    """The row of the promotion table as a value."""
    return Promotion(**row._mapping)


def evaluation_of(row: Row[Any]) -> Evaluation:
    """The row of the evaluation table as a value."""
    columns = dict(row._mapping)
    stored = columns.pop("document")
    return Evaluation(**columns, document_json=stored)
