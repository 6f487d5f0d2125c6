"""Keys of writes: what is sent again under the same key happens once, and has the first answer (H16).

The key is noted in the transaction of the write itself: there is never an effect without its key, or a key
without its effect. A write that is refused leaves no key behind.
"""

from collections.abc import Awaitable, Callable

import msgspec

from persistence import queries
from persistence.errors import PlayheadError
from persistence.postgres import Postgres

SQL = queries.load("idempotency")

KEPT_S = 24 * 3600.0
"""How long a key is remembered."""


class KeyReused(PlayheadError):
    """The key stands for another request; take a new key for a new request."""


class Kept(msgspec.Struct, frozen=True):
    """An answer as it was given: its ETag if it had one, its headers, the body; None for one without."""

    etag: str | None
    headers: dict[str, str]
    body: bytes | None


Act = Callable[[Postgres], Awaitable[Kept]]
"""Does the write with the `Postgres` it is given, all in one transaction."""


async def once(postgres: Postgres, student: str, key: str, asked: bytes, act: Act) -> Kept:
    """Do what `act` does, or give the answer it gave when it was done before.

    `asked` says what is wanted: another value under the same key raises `KeyReused`. Raises what `act`
    raises. One that comes while the first is being done waits for it.
    """
    async with postgres.transaction() as inside:
        if await inside.execute(SQL["claim"], student, key, asked) != "INSERT 0 1":
            row = await inside.row(SQL["find"], student, key)
            if row is None or row["asked"] != asked:
                raise KeyReused("this key stands for another request; take a new key for a new request")
            return Kept(row["etag"], row["headers"], row["body"])
        kept = await act(inside)
        await inside.execute(SQL["keep"], student, key, kept.etag, kept.headers, kept.body)
        await inside.execute(SQL["forget"], KEPT_S)
    return kept
