"""Reference of the HTTP interface, from the server's own OpenAPI document."""

import json
from typing import Any

from markdown import block, code, page, sentence, table

from gatekeeper.serving.http.openapi import document
from gatekeeper.settings import Settings

ABOUT = """What `gatekeeper serve` answers. The server itself has this as OpenAPI 3.1 at `GET /openapi.json`, with the
limits of its settings. Refusals are problem JSON (RFC 9457): `reason` is a slug for programs, `detail` a sentence for
people."""

Schema = dict[str, Any]


def promised() -> Schema:
    """As a server with a token and default settings has it."""
    return document(Settings.model_fields["max_ideas"].default, with_token=True)


def made() -> str:
    """The page."""
    spec = promised()
    paths = [
        operation(method.upper(), path, what)
        for path, methods in spec["paths"].items()
        for method, what in methods.items()
    ]
    kinds = [kind(name, schema) for name, schema in sorted(spec["components"]["schemas"].items())]
    return page("HTTP", ABOUT, *paths, "## Objects", *kinds)


def operation(method: str, path: str, what: Schema) -> str:
    """One thing to ask."""
    parts = [f"## {method} {path}", sentence(what["summary"])]
    if "security" in what:
        parts.append("Needs the bearer token, if the server has one (`GATEKEEPER_TOKEN`).")
    if body := what.get("requestBody"):
        content = body["content"]["application/json"]
        parts.append(f"Body: {shown(content['schema'])}.")
        if example := content.get("example"):
            parts.append(block(json.dumps(example, indent=2), "json"))
    rows = [[status, answer(found), sentence(found["description"])] for status, found in what["responses"].items()]
    return "\n\n".join([*parts, table(["status", "body", "when"], rows)])


def answer(found: Schema) -> str:
    """What a response holds."""
    return ", ".join(shown(content.get("schema", {})) for content in found.get("content", {}).values())


def kind(name: str, schema: Schema) -> str:
    """One object, its fields."""
    needed = set(schema.get("required", ()))
    rows = [
        [
            code(field),
            shown(said),
            "yes" if field in needed else "",
            code(json.dumps(said["default"])) if "default" in said else "",
        ]
        for field, said in schema.get("properties", {}).items()
    ]
    about = schema.get("description", "")
    return "\n\n".join([f"### {name}", about, table(["field", "type", "required", "default"], rows)])


def shown(schema: Schema) -> str:
    """A type in words, a link where it is an object of this page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(shown(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(code(json.dumps(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"array of {shown(schema.get('items', {}))}{most}"
    words = [str(schema.get("type", "any"))]
    for bound, sign in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "over"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "under"),
    ):
        if bound in schema:
            words.append(f"{sign} {schema[bound]:g}")
    for bound, sign in (("minLength", "at least"), ("maxLength", "at most")):
        if bound in schema:
            words.append(f"{sign} {schema[bound]} characters")
    if "format" in schema:
        words.append(schema["format"])
    return ", ".join(words)
