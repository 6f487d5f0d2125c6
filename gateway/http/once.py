"""Writes that happen once, however often they are sent: by their Idempotency-Key, kept in Postgres (H16)."""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from gateway.http.problems import Problem
from gateway.http.routes import Call, Reply
from persistence import idempotency
from persistence.idempotency import Kept, KeyReused
from persistence.postgres import Postgres

Act = Callable[[Postgres], Awaitable[Reply]]
"""Does the write with the `Postgres` it is given, in one transaction, and says what to answer."""


async def once(call: Call, act: Act) -> Reply:
    """Do it, or give the answer of when it was done. Raises a 400 without a key, a 409 for a key that
    stands for another request of this student. What is refused may be sent again under its key.
    """
    key = call.idempotency_key()

    async def kept(inside: Postgres) -> Kept:
        reply = await act(inside)
        body = msgspec.json.encode(reply.body) if isinstance(reply.body, msgspec.Struct) else reply.body
        return Kept(reply.etag, reply.headers, body)

    try:
        found = await idempotency.once(call.deps.postgres, call.student, key, _asked(call), kept)
    except KeyReused as error:
        raise Problem(409, "key_reused", "This Idempotency-Key stands for another request.") from error
    return Reply(found.body, found.etag, found.headers)


def _asked(call: Call) -> bytes:
    """What is wanted, as far as it matters: where, of which revision, and the body as it was understood."""
    request = call.request
    parts = [request.method, request.path, request.headers.get("If-Match", "")]
    return hashlib.sha256(msgspec.json.encode([parts, call.given], order="deterministic")).digest()
