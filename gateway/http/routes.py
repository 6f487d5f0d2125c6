"""The table of routes: who may use each, what it takes and what it gives. What is not in it is denied.

The router, the check of who is there, and openapi.json are all made from the same rows (rule 27).
"""

import enum
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
from aiohttp import web

from gateway.http.deps import Deps
from gateway.http.problems import Problem
from gateway.tokens import Identity
from persistence.ids import is_id
from persistence.students import Role

S = TypeVar("S", bound=msgspec.Struct)

# `{name}` or `{name:pattern}`; a pattern may hold braces of its own, as in `{1,16}`.
_PARAMETER = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")

IDEMPOTENCY_KEY = "Idempotency-Key"

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Who(enum.Enum):
    """Who may use a route. What they may see there, the statement that reads it decides."""

    ANYONE = "anyone"
    STUDENT = "a student with an access token"
    HOLDER = "who holds the token in the path"
    OPERATOR = "an operator, from one of the operator networks"


@dataclass(slots=True)
class Call:
    """One request on its way through a handler."""

    request: web.Request
    deps: Deps
    identity: Identity | None = None
    given: msgspec.Struct | None = None
    asked: msgspec.Struct | None = None
    role: Role | None = None

    @property
    def student(self) -> str:
        """The student the token speaks for; the only source of identity (rule 27)."""
        if self.identity is None:
            raise AssertionError("a route for students was called without one")
        return self.identity.student

    def body(self, kind: type[S]) -> S:
        """The body, as the route declares it."""
        return _as(kind, self.given)

    def query(self, kind: type[S]) -> S:
        """The query, as the route declares it."""
        return _as(kind, self.asked)

    def idempotency_key(self) -> str:
        """The Idempotency-Key: what makes an action happen once, however often it is sent. Raises a 400."""
        keys = self.request.headers.getall(IDEMPOTENCY_KEY, [])
        if len(keys) != 1 or not 1 <= len(keys[0]) <= 64 or not keys[0].isprintable():
            raise Problem(
                400,
                "idempotency_key",
                f"Send one {IDEMPOTENCY_KEY} of 1 to 64 printable characters: a new one for each action, the "
                "same one when you send an action again.",
            )
        return keys[0]

    def path_id(self, name: str) -> str:
        """An id of the path. Raises a 400 for what no id can be (H9)."""
        text = self.request.match_info[name]
        if not is_id(text):
            raise Problem(400, "bad_id", f"{name}: 1 to 64 of A-Z a-z 0-9 . _ ~ : @ -")
        return text


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with an ETag of its own, or with more headers; `body` is a struct, or JSON as it was before.

    The status is the one of the route.
    """

    body: msgspec.Struct | bytes | None
    etag: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


Answer = msgspec.Struct | Reply | web.StreamResponse | None
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    `path` has its parameters in braces, `{name:regex}` as aiohttp writes it. `gives` is the struct of the
    answer, its content type where the handler makes the response itself, or None for an answer without a
    body. `status` is that of success. `keyed`: it takes an Idempotency-Key. `if_match`: it takes the ETag
    of what was seen. `teaches`: only for who has that role at least in the course in the path, asked in
    Postgres each time.
    """

    method: Method
    path: str
    who: Who
    handler: Handler
    summary: str
    gives: type[msgspec.Struct] | str | None
    takes: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    problems: tuple[int, ...] = field(default=())
    keyed: bool = False
    status: int = 200
    if_match: bool = False
    teaches: Role | None = None

    @property
    def template(self) -> str:
        """The path without the patterns of its parameters: for openapi.json, logs and metrics."""
        return _PARAMETER.sub(r"{\1}", self.path)

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return _PARAMETER.findall(self.path)


def _as(kind: type[S], value: Any) -> S:
    if not isinstance(value, kind):
        raise AssertionError(f"the route does not declare {kind.__name__}")
    return value
