"""What an HTTP client hears when something is wrong: `application/problem+json` (RFC 9457)."""

import http
import random
from collections.abc import Mapping

import msgspec
from aiohttp import web

from persistence.errors import PlayheadError

CONTENT_TYPE = "application/problem+json"


HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "playhead",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer that does not say otherwise: nothing of a student is kept by anybody (H15, S9)."""


class ProblemDocument(msgspec.Struct, frozen=True):
    """A problem as it is sent. `code` is for programs, `detail` for the developer who reads it."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class Problem(PlayheadError):
    """A request cannot be answered as asked. Never carries what only we should know (I5)."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The answer to send."""
        document = ProblemDocument(
            type=f"urn:playhead:problem:{self.code}",
            title=http.HTTPStatus(self.status).phrase,
            status=self.status,
            detail=str(self),
            code=self.code,
        )
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(document),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def not_found() -> Problem:
    """One answer for what does not exist, what is another's and what is not published (H7)."""
    return Problem(404, "not_found", "There is no such thing here, or it is not yours.")


def unauthorized() -> Problem:
    """One answer for no token, a wrong one and one that ran out (A1-A5)."""
    return Problem(
        401,
        "unauthorized",
        "Send Authorization: Bearer with an access token; refresh it or sign in again if it ran out.",
        {"WWW-Authenticate": 'Bearer realm="playhead"'},
    )


def forbidden(detail: str) -> Problem:
    """What somebody may see and not do (A8)."""
    return Problem(403, "forbidden", detail)


def unavailable(detail: str, code: str = "unavailable") -> Problem:
    """Come back later; the pause is spread, so that not all come back at once (H21)."""
    return Problem(503, code, detail, {"Retry-After": str(random.randint(1, 4))})


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """A problem for a status aiohttp chose: no such path, another method, too large, unreadable."""
    known = {
        403: ("forbidden", "That is not yours to do."),
        404: ("not_found", str(not_found())),
        405: ("method_not_allowed", "This path has other methods: see Allow."),
        409: ("conflict", "Something is there already that does not go with it."),
        412: ("stale", "It has been changed since it was read: read it again."),
        413: ("too_large", "The body is larger than 1 MiB."),
        428: ("if_match", "Send If-Match with the ETag of what you have read."),
        417: ("expectation_failed", "Only Expect: 100-continue is understood."),
    }
    code, detail = known.get(status, ("bad_request", "The request cannot be read."))
    return Problem(status, code, detail, headers)
