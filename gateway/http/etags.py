"""ETags: what somebody has of an answer already, and which revision they saw of what they want to change."""

import hashlib
import re

from aiohttp import web

from gateway.http.problems import Problem
from gateway.http.routes import Call

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')
_REV = re.compile(r'(?:W/)?"(\d{1,18})"')


def of_body(body: bytes) -> str:
    """The tag of an answer that has no revision: of its bytes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def of_rev(rev: int) -> str:
    """The tag of what has a revision."""
    return f'"{rev}"'


def has(request: web.Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has it (RFC 9110, 13.1.2: a proxy may have weakened it)."""
    asked = ",".join(request.headers.getall("If-None-Match", []))
    return asked.strip() == "*" or etag in _TAG.findall(asked)


def expected_rev(call: Call) -> int:
    """The revision If-Match names. Raises a 428 without one, a 400 for what is none.

    `*` is none: whoever changes something has seen it. A weakened one is: proxies that pack answers do that,
    and a revision is the same for all bytes it may be sent as.
    """
    asked = call.request.headers.getall("If-Match", [])
    if not asked:
        raise Problem(428, "if_match", "Send If-Match with the ETag of what you have read.")
    found = _REV.fullmatch(asked[0].strip()) if len(asked) == 1 else None
    if found is None:
        raise Problem(400, "bad_if_match", "If-Match: one ETag, as the draft came with it.")
    return int(found[1])
