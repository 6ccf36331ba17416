"""OpenAPI document of the server, generated from its message types."""

from importlib.metadata import version
from typing import Any

from msgspec.json import schema_components

from gatekeeper.serving.http.messages import Alive, Answer, Closed, Idea, Noted, Ready, Serving, Unanswered
from gatekeeper.serving.http.problems import ProblemDocument

Schema = dict[str, Any]

_UNREADABLE = {
    "400": "The request can be read in two ways or in none.",
    "408": "The head came too slowly.",
    "431": "The head has over 16 KiB or 64 headers.",
    "505": "It is not HTTP/1.1 or HTTP/1.0.",
}
_REFUSED = {
    **_UNREADABLE,
    "400": "The body is not valid JSON, or the request can be read in two ways or in none.",
    "401": "The token is missing or wrong.",
    "408": "The head or the body came too slowly.",
    "413": "The body is too large.",
    "415": "The content type is not application/json.",
    "421": "The host name is not this machine's, and the server has no token.",
    "422": "The JSON is not a valid idea or outcome; `idea` and `field` say where.",
    "500": "The server failed.",
}
_NOT_CLOSED = {
    "409": "The idea has another outcome already.",
    "503": "Neither the database nor the spool takes it. Send it again later.",
}
_TAKEN = {"409": "The id of this idea belongs to another one: another symbol, side or features."}
_NO_MODEL = {"503": "No model may answer."}
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
    """The OpenAPI 3.1 document. `most`: ideas in one request; `with_token`: whether each POST needs the token."""
    kinds = [Alive, Answer, Closed, Idea, Noted, ProblemDocument, Ready, Serving, Unanswered]
    refs, components = schema_components(kinds, ref_template="#/components/schemas/{name}")
    ref = {kind.__name__: found for kind, found in zip(kinds, refs, strict=True)}
    refused = {**_REFUSED} if with_token else {code: about for code, about in _REFUSED.items() if code != "401"}
    if with_token:
        refused.pop("421")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatekeeper",
            "version": version("gatekeeper"),
            "description": "Scores trade ideas with the primary, and records their outcomes.",
        },
        "paths": {
            "/v1/score": {
                "post": {
                    "operationId": "score",
                    "summary": "Approve or veto one idea or many",
                    "requestBody": _one_or_many(ref["Idea"], most, _IDEA),
                    "responses": {
                        "200": _one_or_many(
                            ref["Answer"],
                            most,
                            None,
                            "The decisions, in the order of the ideas.",
                            items={"anyOf": [ref["Answer"], ref["Unanswered"]]},
                        ),
                        **_problems(
                            {**refused, **_TAKEN, "503": "No model may answer, with GATEKEEPER_ON_NO_MODEL=error."}
                        ),
                    },
                    **_security(with_token),
                }
            },
            "/v1/outcomes": {
                "post": {
                    "operationId": "close",
                    "summary": "Record the outcome of one idea or many, traded or not",
                    "requestBody": _one_or_many(ref["Closed"], most, _CLOSED),
                    "responses": {
                        "200": _one_or_many(ref["Noted"], most, None, "All are in the database."),
                        "202": _one_or_many(
                            ref["Noted"], most, None, "At least one is on the spool, and will be delivered."
                        ),
                        **_problems({**refused, **_NOT_CLOSED}),
                    },
                    **_security(with_token),
                }
            },
            "/v1/model": {"get": _get("model", "The model that answers", ref["Serving"], _NO_MODEL)},
            "/livez": {"get": _get("livez", "Liveness: the process answers", ref["Alive"], {})},
            "/readyz": {
                "get": _get(
                    "readyz",
                    "Readiness: a model answers, and the background loops do their work",
                    ref["Ready"],
                    _NO_MODEL,
                )
            },
            "/metrics": {"get": _get("metrics", "Prometheus metrics", None, {})},
        },
        "components": {
            "schemas": components,
            **({"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if with_token else {}),
        },
    }


def _one_or_many(
    schema: Schema, most: int, example: Schema | None, description: str | None = None, items: Schema | None = None
) -> Schema:
    """One object, or an array of them; `items`: what the array holds, if it isn't the same."""
    many = {"type": "array", "items": items or schema, "maxItems": most}
    content: Schema = {"schema": {"anyOf": [schema, many]}}
    if example is not None:
        content["example"] = example
    body: Schema = {"content": {"application/json": content}}
    return {**body, "required": True} if description is None else {**body, "description": description}


def _problems(descriptions: dict[str, str]) -> Schema:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {code: {"description": about, "content": problem} for code, about in descriptions.items()}


def _get(name: str, summary: str, schema: Schema | None, problems: dict[str, str]) -> Schema:
    content = {"application/json": {"schema": schema}} if schema else {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "OK", "content": content}, **_problems({**_UNREADABLE, **problems})},
    }


def _security(with_token: bool) -> Schema:
    return {"security": [{"token": []}]} if with_token else {}
