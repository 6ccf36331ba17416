"""Error pages: HTML for people, problem JSON (RFC 9457) for programs, never a traceback."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from gatekeeper.console.dependencies import house_of
from gatekeeper.console.rendering import SECURITY, page
from gatekeeper.errors import ConfigError, GatekeeperError, SchemaOutOfDate, Unavailable, UnknownModel
from gatekeeper.logs import logger

log = logger(__name__)

_UNPROCESSABLE = 422
_STATUS: dict[type[GatekeeperError], int] = {
    UnknownModel: 404,
    ConfigError: _UNPROCESSABLE,
    Unavailable: 503,
    SchemaOutOfDate: 503,
}
_PLAIN = {403: "You don't have the right to see this; ask the operator for it.", 404: "There is no such page."}
_SLUGS = {401: "token", 403: "forbidden", 404: "unknown_path", 405: "method"}
UNEXPECTED = "unexpected"
_REFUSED = 409  # by the registry: as it is now, this can't be


def install(app: FastAPI) -> None:
    """Register handlers that turn every exception of the application into one of the two shapes."""
    app.add_exception_handler(GatekeeperError, _refused)
    app.add_exception_handler(AnyHTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def _refused(request: Request, fault: Exception) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(fault, kind)), _REFUSED)
    if isinstance(fault, ConfigError) and request.method == "GET":
        status = 500  # a setting of ours is off, not the caller's words
    reason = fault.reason if isinstance(fault, GatekeeperError) else UNEXPECTED
    return _shown(request, status, _sentence(str(fault)), reason)


def _http(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, HTTPException | AnyHTTPException):
        raise TypeError(f"{fault!r} is not an HTTP exception")
    detail = str(fault.detail)
    if detail == HTTPStatus(fault.status_code).phrase:
        detail = _PLAIN.get(fault.status_code, f"{detail}.")
    if fault.status_code == HTTPStatus.UNAUTHORIZED:
        detail = "This needs a login."
    return _shown(request, fault.status_code, detail, _SLUGS.get(fault.status_code, "request"), fault.headers)


def _invalid(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, RequestValidationError):
        raise TypeError(f"{fault!r} is not a validation error")
    problems = "; ".join(
        f"{'.'.join(map(str, error['loc'][1:])) or 'the request'}: {error['msg'].removeprefix('Value error, ')}"
        for error in fault.errors()
    )
    return _shown(request, _UNPROCESSABLE, _sentence(problems), "schema")


def _unexpected(request: Request, fault: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=fault)
    answer = _shown(request, 500, "The console failed on this request; its log has the cause.", UNEXPECTED)
    answer.headers.update(SECURITY)  # this one leaves past the layer that sets them
    return answer


def _shown(request: Request, status: int, detail: str, reason: str, headers: object = None) -> Response:
    title = HTTPStatus(status).phrase
    if "text/html" in request.headers.get("accept", ""):
        stranger = status == HTTPStatus.UNAUTHORIZED
        login = house_of(request).entrance.login(request) if stranger else None
        shown: dict[str, Any] = {
            "title": title,
            "detail": detail,
            "reason": reason,
            "login": login,
            "desks": (),
        }
        return page(request, "problem", status=status, bare=stranger, **shown)
    return JSONResponse(
        {"title": title, "status": status, "detail": detail, "reason": reason},
        status,
        headers if isinstance(headers, dict) else None,
        media_type="application/problem+json",
    )


def _sentence(text: str) -> str:
    """The message as a sentence, with a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
