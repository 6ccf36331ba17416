"""Problem JSON (RFC 9457): the format of all error answers."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from gatekeeper.errors import GatekeeperError
from gatekeeper.serving.http.replies import Headers, Reply

PROBLEM_JSON = b"application/problem+json"


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True, rename={"kind": "type"}):
    """The error answer: `reason` is a slug for programs, `detail` a sentence for people."""

    title: str
    status: int
    detail: str
    reason: str
    kind: str | None = None  # omitted, it means about:blank: the status gives the kind of problem
    idea: int | None = None
    field: str | None = None


class Problem(GatekeeperError):
    """A refused request. `idea`: the index of the idea in the request, from 0; `field`: the field at fault."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        idea: int | None = None,
        field: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.idea = idea
        self.field = field
        self.headers: Headers = tuple(headers)

    def reply(self) -> Reply:
        """The error answer."""
        document = ProblemDocument(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=str(self),
            reason=self.reason,
            idea=self.idea,
            field=self.field,
        )
        return Reply(self.status, msgspec.json.encode(document), PROBLEM_JSON, self.headers)


def unexpected() -> Problem:
    """The answer to an unexpected server error; its log has the traceback."""
    return Problem(500, "unexpected", "The server failed on this request, so nothing was decided. See its log.")
