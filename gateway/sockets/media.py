"""How to play an item, asked on a socket: wishes gathered, answered by the web gateway, many in one call.

The web gateway answers because it has what it takes: Postgres, which knows who is enrolled now, the private
key that signs media tokens, and the object store's. A process that faces the network with 18,000 sockets has
none of the three, and gets none for this. A call between two actors costs about 1.5 ms of CPU on either side
whatever it carries, so wishes wait a moment for each other: 50,000 players that renew every few minutes are
some 100 wishes and at most 20 calls a second, apart from the updates' lanes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol

import msgspec
import structlog

from actors.messages import MediaFound
from gateway.sockets.limits import TokenBucket
from gateway.sockets.metrics import Metrics
from gateway.sockets.wire import Codec
from persistence.errors import PlayheadError

log = structlog.get_logger()

Wish = tuple[str, str]
"""Student, by the connection's token, and item."""

Ask = Callable[[Sequence[Wish]], Awaitable[Sequence[bytes | None]]]
"""Asks the web gateway: for each wish the packed document, or None for no. Raises `MediaUnavailable`."""

GATHER_S = 0.05
WISHES_AT_ONCE = 100
WISHES_MAX = 4000
"""Wishes that wait at once; those of one more are answered `busy`."""

ASK_S = 5.0
RETRY_MS = (1000, 4000)

WISHES_PER_S, WISH_BURST = 0.5, 20.0
"""Of one student, over all devices: enough to go from item to item, too little to try them all."""

STUDENTS_MAX = 20_000
CONNECTION_WISHES_MAX = 8


class MediaUnavailable(PlayheadError):
    """The web gateway did not answer; devices ask again, there or over HTTP."""


class Asking(Protocol):
    """The connection that asks."""

    conn: int
    codec: Codec

    def push(self, frame: bytes, key: str | None = None) -> None:
        """Send a frame; a connection that has gone sends nothing."""


class MediaDesk:
    """Takes wishes and tells the answers. One call is on its way; the next wishes gather meanwhile."""

    def __init__(
        self, ask: Ask | None, spawn: Callable[[Coroutine[None, None, None]], None], metrics: Metrics
    ) -> None:
        self._ask = ask
        self._spawn = spawn
        self._metrics = metrics
        self._waiting: dict[Wish, list[Asking]] = {}
        self._by_conn: Counter[int] = Counter()
        self._buckets: dict[str, TokenBucket] = {}
        self._busy = False

    def want(self, connection: Asking, student: str, item: str) -> None:
        """A device asks how its student may play an item; it is told soon, whatever the answer is."""
        self._metrics.media_wishes += 1
        if self._ask is None:
            self._tell([connection], refusal(item, "unavailable"))
        elif self._too_much(connection, student):
            self._tell([connection], refusal(item, "busy"))
        else:
            self._by_conn[connection.conn] += 1
            self._waiting.setdefault((student, item), []).append(connection)
            if not self._busy:
                self._busy = True
                self._spawn(self._serve(self._ask))

    def _too_much(self, connection: Asking, student: str) -> bool:
        if len(self._waiting) >= WISHES_MAX or self._by_conn[connection.conn] >= CONNECTION_WISHES_MAX:
            return True
        now_s = asyncio.get_running_loop().time()
        bucket = self._buckets.pop(student, None) or TokenBucket(WISH_BURST, now_s)
        self._buckets[student] = bucket
        if len(self._buckets) > STUDENTS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return not bucket.take(now_s, WISHES_PER_S, WISH_BURST)

    async def _serve(self, ask: Ask) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_S)
                wishes = list(self._waiting)[:WISHES_AT_ONCE]
                answers = await self._answers(ask, wishes)
                for wish, packed in zip(wishes, answers, strict=True):
                    self._tell(self._left(wish), packed)
        finally:
            self._busy = False

    async def _answers(self, ask: Ask, wishes: Sequence[Wish]) -> list[bytes]:
        """A packed message for each wish."""
        try:
            async with asyncio.timeout(ASK_S):
                found = await ask(wishes)
        except (MediaUnavailable, TimeoutError) as error:
            log.warning("media_unavailable", wishes=len(wishes), error=str(error) or "no answer in time")
            return [refusal(item, "unavailable") for _, item in wishes]
        return [answered(item, document) for (_, item), document in zip(wishes, found, strict=True)]

    def _left(self, wish: Wish) -> list[Asking]:
        """Who asked for it; they do so no more."""
        connections = self._waiting.pop(wish)
        for connection in connections:
            self._by_conn[connection.conn] -= 1
            if not self._by_conn[connection.conn]:
                del self._by_conn[connection.conn]
        return connections

    def _tell(self, connections: list[Asking], packed: bytes) -> None:
        for connection in connections:
            connection.push(connection.codec.frame_of(packed))


def answered(item: str, document: bytes | None) -> bytes:
    """The message that carries the document, or says no."""
    if document is None:
        return refusal(item, "not_found")
    return msgspec.msgpack.encode(MediaFound(item, msgspec.Raw(document)))


def refusal(item: str, code: str) -> bytes:
    """The message that says why not."""
    retry_after_ms = 0 if code == "not_found" else random.randint(*RETRY_MS)
    return msgspec.msgpack.encode(MediaFound(item, None, code, retry_after_ms))
