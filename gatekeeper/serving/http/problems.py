"""How does an error leave the server? As problem JSON (RFC 9457), whatever went wrong, and without a traceback."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from gatekeeper.errors import GatekeeperError
from gatekeeper.serving.http.replies import Headers, Reply

PROBLEM_JSON = b"application/problem+json"


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True, rename={"kind": "type"}):
    """What a caller reads: `reason` is a slug for programs, `detail` a sentence for people."""

    title: str
    status: int
    detail: str
    reason: str
    kind: str | None = None  # left out, it means about:blank: the status says what kind of problem it is
    idea: int | None = None
    field: str | None = None


class Problem(GatekeeperError):
    """A request that is refused. `idea` is its place in the request, from 0, `field` what is wrong with it."""

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
        """As the caller gets it."""
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
    """What a caller hears of a fault of ours; the log says more."""
    return Problem(500, "unexpected", "the server failed on this request; its log says why. Nothing was decided")
