"""Receipt: one file with a model's hash, its evaluation and the whole history, that proves itself offline.

Instants are text as they were hashed, in ISO 8601. Hashes are taken over the JSON, never over these records: what a
forger added or left out counts too.
"""

import json

from msgspec import Struct, to_builtins

from gatekeeper.documents import serialization
from gatekeeper.documents.serialization import JsonObject

FORMAT = 2
FORMATS = (1, FORMAT)
"""Those that are read: 1 has no signature, and is 2 else."""
WHAT = "receipt"


class ReceiptModel(Struct, frozen=True):
    """The model, as the registry has it; null if unknown."""

    id: int
    """Its id in the registry."""
    version: str
    """Its version."""
    description: str
    """Note of whoever registered it."""
    created_at: str | None
    """When it was registered."""
    sha256: str | None
    """Digest of its bytes."""
    size: int | None
    """Bytes."""
    feature_schema: str | None
    """Id of its features."""
    threshold: float | None
    """Score from which on an idea is approved, 0 to 1."""
    trained_from: str | None
    """Start of the first training idea."""
    trained_to: str | None
    """When the last training outcome became known."""
    cutoff: str | None
    """Nothing later was allowed."""
    estimator: str | None
    """Name of its recipe."""
    fingerprint: str | None
    """sha256 over the training ideas."""
    code_version: str | None
    """Version of Gatekeeper that made it."""
    run_key: str | None
    """Weekly run, or other key, that registered it."""
    recognised: str | None
    """Way in which the score is read from its outputs."""
    fault: str | None
    """Why its file is no usable model; null for a usable one."""


class ReceiptEvaluation(Struct, frozen=True):
    """The evaluation's row. Its sha256, as canonical JSON, is the `evidence` of the promotion that rests on it."""

    id: int
    """Its id in the registry."""
    challenger: int
    """Id of the model that was judged."""
    champion: int | None
    """Id of the model that it was judged against; null if there was none."""
    challenger_sha256: str
    """Digest of the judged bytes."""
    champion_sha256: str | None
    """Digest of the champion's bytes."""
    generation: int
    """Promotions that there were when it was judged."""
    as_of: str
    """The instant that it knows nothing beyond."""
    kind: str
    """Kind of the weekly run."""
    verdict: str
    """promote, keep or undecided."""
    document: JsonObject
    """The evaluation document, as it is stored."""
    run_key: str
    """Key of the weekly run."""
    at: str
    """When it was recorded."""


class HistoryEntry(Struct, frozen=True):
    """One promotion, as it is hashed."""

    generation: int
    """Number of the promotion, from 1 on."""
    from_id: int | None
    """Id of the model that was left; null for the first."""
    to_id: int
    """Id of the model that became the primary."""
    kind: str
    """adopted, bootstrap, weekly, recovery, manual or rollback."""
    actor: str
    """Actor."""
    reason: str
    """Why."""
    evaluation_id: int | None
    """Id of the evaluation that it rests on; null for one by hand."""
    as_of: str
    """As-of of the weekly run, or of the act."""
    at: str
    """When it was done."""
    run_key: str | None
    """Key of the run or act that did it."""
    sha256: str | None
    """Digest of the bytes that went in."""
    evidence: str | None
    """sha256 of the evaluation that it rests on."""


class ChainedEntry(HistoryEntry, frozen=True):
    """One promotion with its place in the chain."""

    chain: str | None
    """sha256 over the hash of the entry before, a line feed, and this entry without `chain` as canonical JSON."""


class ReceiptTwin(Struct, frozen=True):
    """The judged model, in a receipt of its deployed refit."""

    model_id: int
    """Its id in the registry."""
    sha256: str | None
    """Digest of its bytes."""


class ReceiptSignature(Struct, frozen=True):
    """Ed25519 signature of the receipt's digest, by whoever holds the key that `GATEKEEPER_SIGNING_KEY` names."""

    public_key: str
    """The public key, 32 bytes in base64."""
    value: str
    """Signature of `gatekeeper receipt`, a line feed and the digest, 64 bytes in base64."""


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A receipt."""

    format: int
    """Format of the receipt: 2. One of format 1 is never signed."""
    made_by: str
    """Version of Gatekeeper that wrote it."""
    model: ReceiptModel
    """The model that it is of."""
    evaluation: ReceiptEvaluation | None
    """The one that promoted it, else its newest; null if it was never judged."""
    history: list[ChainedEntry]
    """Every promotion of the registry, the oldest first."""
    twin: ReceiptTwin | None = None
    """The judged model; left out if the model stands for itself."""
    digest: str
    """sha256 of all of this but digest and signature, as canonical JSON: keys sorted, no space, ASCII."""
    signature: ReceiptSignature | None = None
    """Left out of an unsigned receipt."""


class HashedParts(Struct, frozen=True):
    """What of a receipt hashes are taken over, as the JSON has it: what was put in counts as well."""

    history: list[JsonObject]
    """Every promotion with its `chain`."""
    evaluation: JsonObject | None
    """The evaluation's row: the evidence."""


def as_hashed(record: Struct) -> JsonObject:
    """The JSON that the hash of an entry, an evaluation or a receipt is taken over."""
    found: JsonObject = to_builtins(record)
    return found


def serialized(content: JsonObject) -> bytes:
    """The one way to write it: any other byte is a change. Raises ValueError for what is not finite."""
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def hashed_parts(value: object) -> HashedParts:
    """What hashes are taken over of a receipt's JSON. Raises DataError for one that isn't as it is written."""
    return serialization.of_object(value, HashedParts, WHAT)


def of_object(value: object) -> Receipt:
    """The record of a receipt's JSON. Raises DataError for one that isn't as it is written."""
    return serialization.of_object(value, Receipt, WHAT)
