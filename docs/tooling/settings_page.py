"""Reference of the settings, from the fields of `gatekeeper.settings.Settings`."""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from markdown import code, page, sentence, table
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gatekeeper.model.recipes import RECIPES
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.settings import PREFIX, Settings

GROUPS = {
    "desks": "Desk, registry, data, folders",
    "recipe": "Training",
    "pullback_width": "Replay of bars into ideas",
    "policy": "Promotion rule, sizing, deployment",
    "freshness_days": "Freshness, files, servers' behaviour",
    "host": "HTTP server",
    "alarms": "Alarms, monitor, approval",
    "max_hold": "Logged decisions as data",
}
"""The heading above each group, by the group's first field; the fields are in the order of the class."""

ABOUT = """Every setting is read from the environment, by the name in the first column. In `desks.toml` a desk sets
its own, by the same name in lower case without the prefix. `gatekeeper config` shows the values in force and where
each comes from. A value out of its limits, or a name that is nearly a setting's, is refused with the way out.

A secret may be in a file instead: `GATEKEEPER_DB_FILE` names the file that holds `GATEKEEPER_DB`, and so for each
setting that is marked as a secret (in `desks.toml`: `db_file`). One newline at its end is not part of it. Both at once
are refused."""


def made() -> str:
    """The page."""
    sections: list[str] = []
    rows: list[list[str]] = []
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            rows = []
            sections += [f"## {GROUPS[name]}", ""]
        rows.append(row(name, field))
        sections[-1] = table(["setting", "value", "default", "meaning"], rows)
    return page("Settings", ABOUT, *sections)


def row(name: str, field: FieldInfo) -> list[str]:
    """One setting."""
    value = ", ".join(filter(None, [kind(field.annotation), limits(field)]))
    if name == "recipe":
        value = " or ".join(map(code, sorted(RECIPES)))
    return [code(PREFIX + name.upper()), value, default(field), sentence(field.description or "")]


def kind(annotation: Any) -> str:
    """The type, as an operator would say it."""
    if get_origin(annotation) is Literal:
        return " or ".join(code(each) for each in get_args(annotation))
    if get_origin(annotation) in (UnionType, Union):
        (inner,) = (each for each in get_args(annotation) if each is not NoneType)
        return kind(inner)
    words = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "`true` or `false`",
        SecretStr: "text, secret",
        tuple[str, ...]: "words, separated by spaces; a list in `desks.toml`",
        dict[str, str | list[str] | bool]: "path of a TOML file; a table in `desks.toml`",
    } | {SecretUrl: "URL, secret"}
    return words[annotation]


def default(field: FieldInfo) -> str:
    """As it would be typed; `not set` and `empty` for what can't be."""
    value = field.default
    if isinstance(value, SecretUrl):
        value = value.reveal()
    if value is None:
        return "not set"
    if value in ("", (), {}):
        return "empty"
    return code(str(value).lower() if isinstance(value, bool) else value)


def limits(field: FieldInfo) -> str:
    """The bounds that a value is checked against."""
    words = []
    for bound in field.metadata:
        for cls, attribute, sign in (
            (annotated_types.Gt, "gt", "over"),
            (annotated_types.Ge, "ge", "at least"),
            (annotated_types.Lt, "lt", "under"),
            (annotated_types.Le, "le", "at most"),
        ):
            if isinstance(bound, cls):
                words.append(f"{sign} {number(getattr(bound, attribute))}")
        if isinstance(bound, annotated_types.MinLen):
            words.append("not empty")
    return ", ".join(words)


def number(value: float) -> str:
    """Without a fraction where there is none."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
