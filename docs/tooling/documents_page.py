"""Reference of stored and exchanged documents, from the records of `gatekeeper.documents`: each key and what it means.

A test holds it to documents of real runs, both ways.
"""

import datetime
import types
import typing
from collections.abc import Iterator, Mapping

import msgspec
from field_docs import field_docs
from markdown import code, doc, page, sentence, table

from gatekeeper.documents.card import CardFacts
from gatekeeper.documents.check import CheckDocument
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.documents.receipt import Receipt
from gatekeeper.documents.rehearsal import RehearsalDocument
from gatekeeper.documents.step_output import ApprovalAnswer, CheckedAct, DoneAct, MonitorOutput, Promoted
from gatekeeper.registry.decision_log import line_format

Keys = Mapping[str, str]
Record = type[msgspec.Struct]

DOCUMENTS: Mapping[str, tuple[str, tuple[Record, ...]]] = {
    "Evaluation document": (
        "In the column `document` of `gatekeeper_evaluation`; report, card and `gatekeeper explain` are made from it.",
        (EvaluationDocument,),
    ),
    "Check document": (
        "In the column `document` of `gatekeeper_check`; the monitor writes one for each as-of and primary.",
        (CheckDocument,),
    ),
    "Receipt": ("The file that `gatekeeper receipt` writes and `gatekeeper verify` proves.", (Receipt,)),
    "Rehearsal document": (
        "What `gatekeeper rehearse --json` prints, beside the path of its `report`.",
        (RehearsalDocument,),
    ),
    "Facts of a model card": ("What `gatekeeper card --json` prints.", (CardFacts,)),
    "Outputs of Airflow's tasks": (
        "What a task returns, and the next one reads from XCom. `gatekeeper run --json` prints that of `promote`.",
        (Promoted, ApprovalAnswer, CheckedAct, DoneAct, MonitorOutput),
    ),
}

PLAIN: Mapping[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    object: "JSON",
    datetime.datetime: "instant",
    datetime.date: "date",
    types.NoneType: "null",
}

IDEA_LINE: Keys = {
    '"idea"': "kind of the line",
    "idea_id": "name of the idea, by which its outcome is reported",
    "at": "when the server received it",
    "time": "the idea's own time",
    "symbol": "its symbol",
    "strategy": "its strategy, or null",
    "features": "the seven features, as the text of a JSON array",
    "score": "the score, or null if no model answered",
    "approved": "1 or 0",
    "threshold": "score below which it was to be vetoed",
    "model_id": "model that answered, or null",
    "sha256": "its bytes, or null",
    "degraded": "1 if a model other than the primary answered, or none; else 0",
    "version": "its name when it answered, or null; older servers wrote 13 values, without it",
}

OUTCOME_LINE: Keys = {
    '"outcome"': "kind of the line",
    "idea_id": "the idea that was closed",
    "outcome": "net return, as a fraction of the entry price",
    "closed_at": "when the trade was closed",
    "known_at": "when the outcome was known",
    "stated": "1 if the sender stated known_at, 0 if it is the time of receipt",
    "at": "when the server received it",
}

ABOUT = """All are JSON with finite numbers or null, and instants in ISO 8601. A document of another format number is
refused by name; a key that may be absent is left out if it isn't known, as in documents of older versions. *Role* is
`challenger`, `champion` or `ungated`."""

LINES = """A line of the spool (`GATEKEEPER_SPOOL`) is a JSON array; its values come in this order. Times are
`YYYY-MM-DD hh:mm:ss.ffffff` in UTC."""


def made() -> str:
    """The page."""
    assert line_format.IDEA == "idea"
    assert line_format.OUTCOME == "outcome"
    blocks, told = [], set[Record]()
    for title, (about, records) in DOCUMENTS.items():
        blocks += [f"## {title}", about]
        for record in records:
            for each in reachable(record):
                if each not in told:
                    told.add(each)
                    blocks += [f"### {each.__name__}", doc(each), keys(each)]
    return page(
        "Documents and receipts",
        ABOUT,
        *blocks,
        "## Decision line",
        LINES,
        values(IDEA_LINE),
        "## Outcome line",
        values(OUTCOME_LINE),
    )


def reachable(record: Record) -> Iterator[Record]:
    """The record, and those that it holds, each once."""
    found, ahead = list[Record](), [record]
    while ahead:
        now = ahead.pop(0)
        if now not in found:
            found.append(now)
            ahead += [each for field in msgspec.structs.fields(now) for each in held(field.type)]
    yield from found


def held(kind: object) -> Iterator[Record]:
    """The records in a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for each in typing.get_args(kind):
        yield from held(each)


def keys(record: Record) -> str:
    """The keys of a record, in the order in which they are written."""
    meaning = field_docs(record)
    rows = []
    for field in msgspec.structs.fields(record):
        optional = "; may be absent" if not field.required else ""
        rows.append([code(field.encode_name), f"{shown(field.type)}{optional}", sentence(meaning[field.name])])
    return table(["key", "value", "meaning"], rows)


def shown(kind: object) -> str:
    """A type in words."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return ", ".join(code(each) for each in inner)
    if origin in (list, tuple):
        return f"list of {shown(inner[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "object" if inner[1] is object else f"object: {shown(inner[1])} by name"
    if inner:  # a union
        return " or ".join(dict.fromkeys(shown(each) for each in inner if each is not msgspec.UnsetType))
    name = getattr(kind, "__name__", str(kind))
    return f"[{name}](#{name.lower()})"


def values(known: Keys) -> str:
    """Values of an array with their meaning."""
    rows = [[number, code(name), sentence(text)] for number, (name, text) in enumerate(known.items(), 1)]
    return table(["place", "value", "meaning"], rows)
