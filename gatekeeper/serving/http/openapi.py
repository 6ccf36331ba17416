"""What does /openapi.json promise? All that the server does, from the very types that it reads and writes."""

from importlib.metadata import version
from typing import Any

from msgspec.json import schema_components

from gatekeeper.serving.http.messages import Alive, Answer, Closed, Idea, Noted, Ready, Serving
from gatekeeper.serving.http.problems import ProblemDocument

Schema = dict[str, Any]

_REFUSED = {
    "400": "the body is no JSON",
    "401": "no token, or another one",
    "408": "the body came too slowly",
    "413": "the body is too large",
    "415": "the body is not said to be application/json",
    "421": "asked under another name than this machine's, on a server without a token",
    "422": "JSON that is no idea or outcome; `idea` and `field` say where",
    "500": "a fault of the server's",
}
_NOT_CLOSED = {
    "409": "the idea has another outcome already",
    "503": "neither the database nor the spool takes it: send it again later",
}
_NO_MODEL = {"503": "no model may answer"}
_IDEA = {
    "symbol": "EURUSD",
    "features": {
        "rsi14": 41.2,
        "adx14": 22,
        "fastMASlowDelta": 0.021,
        "bbWidth": 0.05,
        "avgSent": 0,
        "avgOB": 0,
        "action": "buy",
    },
    "time": "2018-06-04T14:30:00Z",
}
_CLOSED = {"idea_id": "5f0c9d", "outcome": 0.012, "closed_at": "2018-06-08T14:30:00Z"}


def document(most: int, *, with_token: bool) -> Schema:
    """OpenAPI 3.1. `most`: ideas in one request; `with_token`: each POST has to bring it."""
    kinds = [Alive, Answer, Closed, Idea, Noted, ProblemDocument, Ready, Serving]
    refs, components = schema_components(kinds, ref_template="#/components/schemas/{name}")
    ref = {kind.__name__: found for kind, found in zip(kinds, refs, strict=True)}
    refused = {**_REFUSED} if with_token else {code: said for code, said in _REFUSED.items() if code != "401"}
    if with_token:
        refused.pop("421")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatekeeper",
            "version": version("gatekeeper"),
            "description": "Scores trade ideas with the active model, and takes in what became of them.",
        },
        "paths": {
            "/v1/score": {
                "post": {
                    "operationId": "score",
                    "summary": "One idea or many: may it be traded?",
                    "requestBody": _one_or_many(ref["Idea"], most, _IDEA),
                    "responses": {
                        "200": _one_or_many(ref["Answer"], most, None, "the decisions, in the order of the ideas"),
                        **_problems({**refused, "503": "no model may answer, under GATEKEEPER_ON_NO_MODEL=error"}),
                    },
                    **_security(with_token),
                }
            },
            "/v1/outcomes": {
                "post": {
                    "operationId": "close",
                    "summary": "One outcome or many: what ideas made, or would have made",
                    "requestBody": _one_or_many(ref["Closed"], most, _CLOSED),
                    "responses": {
                        "200": _one_or_many(ref["Noted"], most, None, "all are in the database"),
                        "202": _one_or_many(ref["Noted"], most, None, "all are on the disk, and follow"),
                        **_problems({**refused, **_NOT_CLOSED}),
                    },
                    **_security(with_token),
                }
            },
            "/v1/model": {"get": _get("model", "Which model answers?", ref["Serving"], _NO_MODEL)},
            "/livez": {"get": _get("livez", "Does the process answer?", ref["Alive"], {})},
            "/readyz": {"get": _get("readyz", "Is there a model that answers?", ref["Ready"], _NO_MODEL)},
            "/metrics": {"get": _get("metrics", "How is the server doing, in Prometheus' words?", None, {})},
        },
        "components": {
            "schemas": components,
            **({"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if with_token else {}),
        },
    }


def _one_or_many(schema: Schema, most: int, example: Schema | None, description: str | None = None) -> Schema:
    many = {"type": "array", "items": schema, "maxItems": most}
    content: Schema = {"schema": {"anyOf": [schema, many]}}
    if example is not None:
        content["example"] = example
    body: Schema = {"content": {"application/json": content}}
    return {**body, "required": True} if description is None else {**body, "description": description}


def _problems(said: dict[str, str]) -> Schema:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {code: {"description": about, "content": problem} for code, about in said.items()}


def _get(name: str, summary: str, schema: Schema | None, problems: dict[str, str]) -> Schema:
    content = {"application/json": {"schema": schema}} if schema else {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "so it is", "content": content}, **_problems(problems)},
    }


def _security(with_token: bool) -> Schema:
    return {"security": [{"token": []}]} if with_token else {}
