"""A device in Python: speaks `playhead.v1`, keeps a journal, resends until durable.

An independent reader of the protocol: it decodes with `msgpack`, not with the server's structs.
"""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

Message = dict[str, Any]

FINAL_CODES = range(4500, 5000)
CHUNK_EVENTS = 50
BACKOFF_S = (0.5, 30.0)
OPEN_S = 10.0


class Refused(Exception):
    """The server closed with a final code: `code` and its reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}: {reason}")
        self.code = code


class Device:
    """One device of one student. `token` is an access token, asked for at every connect.

    `heads` holds the newest head by item, `applied` and `durable` the server's watermarks, `journal` the
    events not yet durable by seq. `ahead_ms` is how far its monotonic clock has been put forward, so that a
    test may play a minute in no time. `on_message` sees every message with its time of arrival (monotonic s).
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        device_id: str,
        *,
        kind: str = "web",
        name: str = "",
        on_message: Callable[[Message, float], None] | None = None,
    ) -> None:
        self.url = url
        self.id = device_id
        self.kind = kind
        self.name = name
        self.journal: dict[int, Message] = {}
        self.heads: dict[str, Message] = {}
        self.rejected: dict[int, Message] = {}
        self.messages: list[Message] = []
        self.closes: list[int] = []
        self.welcome: Message = {}
        self.seq = self.applied = self.durable = 0
        self.refused: Refused | None = None
        self.ahead_ms = 0
        self._token = token
        self._on_message = on_message
        self._boot = uuid.uuid4().hex[:12]
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    @property
    def online(self) -> bool:
        """Whether the server has welcomed the present connection."""
        return self._socket is not None and bool(self.welcome)

    async def start(self, timeout_s: float = 20.0) -> "Device":
        """Connect and stay connected until `stop`; returns once welcomed."""
        self._task = asyncio.create_task(self._stay_connected())
        await self.until(lambda: self.online, timeout_s)
        return self

    async def stop(self) -> None:
        """Disconnect; the journal stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def stamp(self) -> Message:
        """Both clocks, now."""
        wall = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"wall": wall, "mono_ms": time.monotonic_ns() // 1_000_000 + self.ahead_ms, "boot": self._boot}

    async def record(self, kind: str, item: str, session: str, **fields: Any) -> int:
        """Write an event to the journal, send it if on line; gives its seq."""
        self.seq += 1
        event = {
            "seq": self.seq,
            "session": session,
            "item": item,
            "version": fields.pop("version", "v1"),
            "base_rev": fields.pop("base_rev", self.heads.get(item, {}).get("rev", 0)),
            "kind": kind,
            **self.stamp(),
            **fields,
        }
        self.journal[self.seq] = event
        if self.online:
            await self.say({"type": "events", "events": [event]})
        return self.seq

    async def pull(self, item: str, timeout_s: float = 5.0) -> Message:
        """The head of an item, asked for now."""
        self.heads.pop(item, None)
        await self.say({"type": "pull", "items": [item]})
        await self.until(lambda: item in self.heads, timeout_s)
        return self.heads[item]

    async def say(self, message: Message) -> None:
        """Send a message on the present connection; lost if there is none (the journal has it)."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(msgpack.packb(message))

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for a condition on this device's state. Raises `TimeoutError`, or `Refused`."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: condition() or self.refused is not None)
        if self.refused is not None and not condition():
            raise self.refused

    async def until_durable(self, timeout_s: float = 35.0) -> None:
        """Wait until everything recorded so far is durable."""
        seq = self.seq
        await self.until(lambda: self.durable >= seq, timeout_s)

    async def _stay_connected(self) -> None:
        pause_s, longest_s = BACKOFF_S
        while self.refused is None:
            try:
                await self._one_connection()
                pause_s = BACKOFF_S[0]
            except (OSError, InvalidHandshake, TimeoutError):
                pause_s = min(pause_s * 2, longest_s)
            await self._tell()
            if self.refused is None:
                await asyncio.sleep(random.uniform(0, pause_s))

    async def _one_connection(self) -> None:
        protocol = Subprotocol("playhead.v1")
        async with connect(
            self.url, subprotocols=[protocol], compression=None, open_timeout=OPEN_S, ping_interval=None
        ) as socket:
            try:
                await socket.send(msgpack.packb(self._hello()))
                async for frame in socket:
                    self._socket = socket
                    await self._hear(msgpack.unpackb(frame))
            except ConnectionClosed:
                pass
            finally:
                self._socket, self.welcome = None, {}
            code = socket.close_code or 1006
            self.closes.append(code)
            if code in FINAL_CODES:
                self.refused = Refused(code, socket.close_reason or "")

    def _hello(self) -> Message:
        device = {"id": self.id, "kind": self.kind, "name": self.name}
        return {"type": "hello", "device": device, "clock": self.stamp(), "token": self._token()}

    async def _hear(self, message: Message) -> None:
        if self._on_message is not None:
            self._on_message(message, time.monotonic())
        self.messages.append(message)
        del self.messages[:-200]
        kind = message["type"]
        if kind == "welcome":
            self.welcome = message
            self.seq = max(self.seq, message["applied_seq"])
            self._forget(message["durable_seq"])
            await self._resend(message["applied_seq"] + 1)
        elif kind == "resync":
            await self._resend(message["from_seq"])
        elif kind == "applied":
            self.applied = max(self.applied, message["seq"])
        elif kind == "durable":
            self._forget(message["seq"])
        elif kind == "rejected":
            self.rejected[message["seq"]] = message
        elif kind == "head" and message["rev"] >= self.heads.get(message["item"], message)["rev"]:
            self.heads[message["item"]] = message
        elif kind == "ping":
            await self.say({"type": "pong", "n": message["n"]})
        await self._tell()

    def _forget(self, durable_seq: int) -> None:
        self.durable = max(self.durable, durable_seq)
        for seq in [seq for seq in self.journal if seq <= durable_seq]:
            del self.journal[seq]

    async def _resend(self, from_seq: int) -> None:
        waiting = [self.journal[seq] for seq in sorted(self.journal) if seq >= from_seq]
        for start in range(0, len(waiting), CHUNK_EVENTS):
            await self.say({"type": "events", "events": waiting[start : start + CHUNK_EVENTS]})

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
