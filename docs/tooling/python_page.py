"""Reference of the Python interface, from the public names of its four modules."""

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import msgspec
from field_docs import field_docs
from markdown import block, code, doc, page, sentence, table

from gatekeeper.registry.db import tables

_WITHIN = re.compile(r"\b(?:[a-z_][a-z0-9_]*\.)+(?=[A-Za-z_])")
MODULES = ("gatekeeper.registry", "gatekeeper.serving", "gatekeeper.judgement", "gatekeeper.market")

ABOUT = """What these four modules export is the public interface; all else may change from one version to the next.
Errors are on [a page of their own](errors.md). A scoring server has no pandas, so the readers of market data are
imported from `gatekeeper.market.sources`."""

READ_FROM = {
    "Model": (tables.artifacts, tables.models),
    "Details": (tables.artifacts,),
    "Evaluation": (tables.evaluations,),
    "Promotion": (tables.promotions,),
    "Hold": (tables.holds,),
    "Quarantine": (tables.quarantines,),
}
"""Records that are rows: what a field means stands in the table."""


def made() -> str:
    """The page."""
    sections = []
    for name in MODULES:
        module = import_module(name)
        sections += [f"## {name}", doc(module)]
        sections += [thing(public, getattr(module, public)) for public in sorted(module.__all__, key=str.lower)]
    return page("Python", ABOUT, *sections)


def thing(name: str, value: object) -> str:
    """One public name."""
    if inspect.isclass(value):
        return cls(name, value)
    if inspect.isroutine(value):
        return "\n\n".join([f"### {name}", block(f"{name}{signature(value)}"), doc(value)])
    return "\n\n".join([f"### {name}", block(f"{name} = {value!r}".replace("'", '"'))])


def cls(name: str, kind: type) -> str:
    """A class: how it is made, its fields, its methods."""
    parts = [f"### {name}", doc(kind)]
    if is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        texts = of_columns(name) | field_docs(kind)
        found = fields(kind) if is_dataclass(kind) else msgspec.structs.fields(kind)
        rows = [[code(each.name), code(annotation(each.type)), sentence(texts.get(each.name, ""))] for each in found]
        parts.append(table(["field", "type", "meaning"], [row for row in rows if not row[0].startswith("`_")]))
    elif "__init__" in vars(kind):
        parts.append(block(f"{name}{signature(kind.__init__)}"))
    for method, value in members(kind):
        if isinstance(value, property | cached_property):
            parts.append(f"**{code(method)}**: {doc(value)}")
        else:
            parts += [block(f"{method}{signature(value)}"), doc(value)]
    return "\n\n".join(parts)


def of_columns(name: str) -> dict[str, str]:
    """The comments of the columns that a record is read from, by its fields' names."""
    found = {
        {"createdAt": "created_at"}.get(column.name, column.name): column.comment or ""
        for rows in READ_FROM.get(name, ())
        for column in rows.columns
    }
    return {field: text for field, text in found.items() if text}


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Its own public methods and properties, in the order of the source."""
    for name, value in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if isinstance(value, types.FunctionType | property | cached_property):
            yield name, value


def signature(function: Any) -> str:
    """Without `self`, with the types as they are written; a default that is a function shows as an ellipsis."""
    found = inspect.signature(function)
    kept = []
    for name, each in found.parameters.items():
        if name in ("self", "cls"):
            continue
        typed, default = each.annotation, each.default
        typed = typed if typed is each.empty else _Bare(annotation(typed))
        default = _Bare("...") if inspect.isroutine(default) else default
        kept.append(each.replace(annotation=typed, default=default))
    returned = found.return_annotation
    if returned is not found.empty:
        returned = _Bare(annotation(returned))
    return str(found.replace(parameters=kept, return_annotation=returned))


class _Bare:
    """An annotation that is shown as its text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def annotation(kind: object) -> str:
    """A type as it is written, without modules and quotes."""
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    words = text.replace('"', "").replace("'", "")
    return _WITHIN.sub("", words)
