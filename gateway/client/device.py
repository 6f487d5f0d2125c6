"""A device that stays connected: the protocol on a WebSocket, with reconnects, heartbeats and waiting."""

import asyncio
import contextlib
import json
import logging
import math
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from gateway.client.clock import Clock
from gateway.client.errors import ClientError, ClosedForGood, MediaRefused
from gateway.client.journal import Journal
from gateway.client.protocol import Message, Protocol, pack

SUBPROTOCOL = Subprotocol("playhead.v1")
FINAL_CODES = range(4500, 5000)
BACKOFF_S = (0.5, 30.0)
"""Full jitter, base and cap, unless the server says when to come back (docs/protocol.md, close codes)."""

SOONEST_S = 0.1
"""However soon a server says, no client comes back more often than this."""

OPEN_S = 10.0
SEND_S = 10.0
MESSAGES_MAX = 200

log = logging.getLogger(__name__)

Token = Callable[[], str] | Callable[[], Awaitable[str]]


def wait_s(told_s: float | None, pause_s: float) -> float:
    """How long until the next connection. A time the server gave is a slot of our own: not to be jittered."""
    return random.uniform(0, pause_s) if told_s is None else max(told_s, SOONEST_S)


class Device:
    """One device of one student. `token` gives an access token and is asked at every connect.

    `journal` may be a `FileJournal`, else it lives in memory. `messages` holds the latest messages heard,
    `closes` the close codes so far. Use it with `async with`, or `start` and `stop`.
    """

    def __init__(
        self,
        url: str,
        student: str,
        device_id: str,
        *,
        token: Token,
        kind: str = "server",
        name: str = "",
        clock: Clock | None = None,
        journal: Journal | None = None,
        on_message: Callable[[Message, float], None] | None = None,
    ) -> None:
        self.url = url
        self.id = device_id
        self.clock = clock or Clock()
        self.journal = journal if journal is not None else Journal(student, device_id)
        self.protocol = Protocol(self.journal, kind, name)
        self.messages: deque[Message] = deque(maxlen=MESSAGES_MAX)
        self.closes: list[int] = []
        self.failure: ClientError | None = None
        self._token = token
        self._on_message = on_message
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._heard_s = 0.0
        self._told: Counter[str] = Counter()
        self._media: dict[str, Message] = {}

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def online(self) -> bool:
        """Whether the server has welcomed the present connection."""
        return self.protocol.welcomed

    @property
    def heads(self) -> dict[str, Message]:
        """The newest head by item."""
        return self.protocol.heads

    @property
    def rejected(self) -> dict[int, Message]:
        """What the server refused for good, by seq."""
        return self.protocol.rejected

    @property
    def welcome(self) -> Message:
        """The latest greeting."""
        return self.protocol.welcome

    @property
    def seq(self) -> int:
        """The newest number given to an event."""
        return self.journal.last_seq

    @property
    def applied(self) -> int:
        """Everything up to it is in the server's memory."""
        return self.protocol.applied_seq

    @property
    def durable(self) -> int:
        """Everything up to it is committed."""
        return self.journal.durable_seq

    async def start(self, timeout_s: float = 20.0) -> Self:
        """Connect and stay connected until `stop`; returns once welcomed.

        Raises `TimeoutError` if the server does not answer (it goes on trying), `ClosedForGood`, `Sealed`.
        """
        if self._task is None:
            self.failure = None
            self._task = asyncio.create_task(self._stay_connected())
        await self.until(lambda: self.online, timeout_s)
        return self

    async def stop(self) -> None:
        """Disconnect; the journal stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def record(self, kind: str, item: str, session: str, **fields: Any) -> int:
        """Write an event to the journal, send it if on line; gives its seq.

        `version` is "v1" unless said; `base_rev` the newest revision seen. `Visit` does both rightly.
        """
        event = {
            "session": session,
            "item": item,
            "version": fields.pop("version", "v1"),
            "base_rev": fields.pop("base_rev", self.protocol.rev(item)),
            "kind": kind,
            **fields,
        }
        entry, messages = self.protocol.record(self.clock.stamp(), event)
        await self._send(messages)
        return int(entry["seq"])

    async def pull(self, item: str, timeout_s: float = 5.0) -> Message:
        """The head of an item, asked for now. Raises `TimeoutError`, `ClosedForGood`."""
        told = self._told[item]
        await self._send([self.protocol.pull(item)])
        await self.until(lambda: self._told[item] > told, timeout_s)
        return self.heads[item]

    async def media(self, item: str, timeout_s: float = 6.0) -> Message:
        """How to play an item, as `GET /v1/items/{item}/media` tells it, on the open connection.

        Raises `MediaRefused`, `TimeoutError`, `ClosedForGood`.
        """
        self._media.pop(item, None)
        await self._send([self.protocol.media(item)])
        await self.until(lambda: item in self._media, timeout_s)
        told = self._media.pop(item)
        if told["media"] is None:
            raise MediaRefused(item, told["code"], told["retry_after_ms"])
        document: Message = told["media"]
        return document

    async def say(self, message: Message) -> None:
        """Send a message of the caller's making; lost without a connection (the journal is not)."""
        await self._send([pack(message)])

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for a condition on this device's state. Raises `TimeoutError`, or why it will not come."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: condition() or self.failure is not None)
        if self.failure is not None and not condition():
            raise self.failure

    async def until_durable(self, timeout_s: float = 35.0) -> None:
        """Wait until everything recorded so far is durable (P26: at most 31 s)."""
        seq = self.seq
        await self.until(lambda: self.durable >= seq, timeout_s)

    async def _send(self, messages: Sequence[bytes]) -> None:
        socket = self._socket
        if socket is None:
            return
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(SEND_S):
                for message in messages:
                    await socket.send(message)

    async def _stay_connected(self) -> None:
        pause_s, longest_s = BACKOFF_S
        while self.failure is None:
            told_s: float | None = None
            try:
                told_s = await self._one_connection()
                pause_s = BACKOFF_S[0]
            except (OSError, InvalidHandshake, TimeoutError):
                pause_s = min(pause_s * 2, longest_s)
            except ClientError as error:
                self.failure = error
            except Exception:
                # Of `token` or `on_message`, or a frame nobody can read: the journal waits for a better time.
                log.exception("device %s lost its connection to an error; it will try again", self.id)
                pause_s = min(pause_s * 2, longest_s)
            await self._tell()
            if self.failure is None:
                await asyncio.sleep(wait_s(told_s, pause_s))

    async def _one_connection(self) -> float | None:
        """One connection from hello to close; gives in how many s to come back, if the server said so."""
        given = self._token()
        token = given if isinstance(given, str) else await given
        async with connect(
            self.url, subprotocols=[SUBPROTOCOL], compression=None, open_timeout=OPEN_S, ping_interval=None
        ) as socket:
            with contextlib.suppress(ConnectionClosed):
                await self._converse(socket, token)
        return self._closed(socket.close_code or 1006, socket.close_reason or "")

    async def _converse(self, socket: ClientConnection, token: str) -> None:
        """Say hello, then hear until the end. Raises `ConnectionClosed`, `TimeoutError`, `Sealed`."""
        beats: asyncio.Task[None] | None = None
        try:
            await socket.send(self.protocol.hello(self.clock.stamp(), token=token))
            self._socket = socket
            async with asyncio.timeout(OPEN_S):
                while not self.online:
                    await self._hear(await socket.recv(decode=False))
            beats = asyncio.create_task(self._heartbeats(socket))
            while True:
                await self._hear(await socket.recv(decode=False))
        finally:
            self._socket = None
            self.protocol.lost()
            if beats is not None:
                beats.cancel()
                await asyncio.gather(beats, return_exceptions=True)

    def _closed(self, code: int, reason: str) -> float | None:
        self.closes.append(code)
        if code in FINAL_CODES:
            raise ClosedForGood(code, reason)
        try:
            told_ms = float(json.loads(reason)["retry_after_ms"])
        except (ValueError, TypeError, KeyError):
            return None
        return told_ms / 1000 if math.isfinite(told_ms) else None

    async def _heartbeats(self, socket: ClientConnection) -> None:
        """P6: after a silence of one heartbeat ask, after two give up."""
        asked = 0
        while True:
            beat_s = self.protocol.limits["heartbeat_ms"] / 1000
            silent_s = time.monotonic() - self._heard_s
            if silent_s >= 2 * beat_s:
                await socket.close(1001, "silence")
                return
            if silent_s >= beat_s:
                asked += 1
                await self._send([pack({"type": "ping", "n": asked})])
            await asyncio.sleep(max(0.05, (2 if silent_s >= beat_s else 1) * beat_s - silent_s))

    async def _hear(self, frame: bytes) -> None:
        heard_s = self._heard_s = time.monotonic()
        message, replies = self.protocol.hear(frame)
        self.messages.append(message)
        if message["type"] == "head":
            self._told[message["item"]] += 1
        elif message["type"] == "media":
            self._media[message["item"]] = message
        if self._on_message is not None:
            self._on_message(message, heard_s)
        await self._send(replies)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
