"""A lean device: `playhead.v1` on an asyncio protocol, no task per connection, little memory each.

What `gateway.client.Device` does for a few devices, this does for tens of thousands: a journal until
`durable`, resends, heartbeats, reconnects with full jitter or when the server said, and a socket that is only
a rest of bytes.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
import time
import typing
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import msgpack
import msgspec

from bench import frames
from bench.frames import BadPeer, Incoming, Refused
from bench.messages import Discontinuity, Durable, Message, Ping, Resync, Welcome, read

BACKOFF_S = (0.5, 30.0)
CONNECT_S = 10.0
CHUNK_BYTES = 14 * 1024
"""Entries in one message: with its frame below the 16 KiB a server announces (P4)."""

_NO_PORT_YET = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)
"""Choose the port when connecting, so that one address has its ports once per server and not once (Linux)."""

_packer = msgpack.Packer()
_EVENTS: bytes = b"\x82" + msgpack.packb("type") + msgpack.packb("events") + msgpack.packb("events")
_ONE_EVENT = _EVENTS + b"\x91"


def pack(message: dict[str, Any]) -> bytes:
    """A message in `playhead.v1`."""
    packed: bytes = _packer.pack(message)
    return packed


@dataclass(frozen=True, slots=True)
class Target:
    """The server: its WebSocket URL, and the local addresses connections come from, in turn."""

    url: str
    sources: tuple[str, ...] = ("127.0.0.1",)


class Owner(typing.Protocol):
    """What a device needs of whom it belongs to."""

    def hello(self, device: "LeanDevice") -> bytes:
        """The first frame of a connection, packed."""

    def hear(self, device: "LeanDevice", message: Message, at_s: float) -> None:
        """A message came, at this monotonic time."""

    def closed(self, device: "LeanDevice", code: int, reason: str) -> None:
        """The connection has ended, or could not be made (1006; an HTTP refusal: its status);
        `device.final` says whether for good."""


@dataclass(slots=True)
class Traffic:
    """What went over all sockets of a loader. `closes` has HTTP refusals by their status; `postponed` is how
    many closes and refusals said when to come back, `lost` how often a connection ended that was welcomed."""

    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    postponed: int = 0
    attempts: int = 0
    lost: int = 0
    closes: Counter[int] = field(default_factory=Counter)


class LeanDevice:
    """One device: its journal, and its connection when it has one. `number`, `index` and `mine` are the
    owner's. `lost_s` is when it lost the connection it had, 0 while it has one."""

    __slots__ = (
        "_entries", "_events_max", "_opening", "_owner", "_pause_s", "_socket", "_target", "applied",
        "durable", "final", "heard_s", "index", "lost_s", "mine", "number", "stopping", "traffic", "welcomed",
    )  # fmt: skip

    def __init__(
        self, target: Target, owner: Owner, number: int, index: int, traffic: Traffic, mine: Any = None
    ) -> None:
        self.number = number
        self.index = index
        self.mine = mine
        self.traffic = traffic
        self.stopping = False
        self.final = False
        self.welcomed = False
        self.heard_s = 0.0
        self.lost_s = 0.0
        self.applied = 0
        self.durable = 0
        self._entries: list[bytes] = []
        self._events_max = 500
        self._target = target
        self._owner = owner
        self._socket: _Socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._pause_s = BACKOFF_S[0]

    @property
    def waiting(self) -> int:
        """How many entries of the journal are not durable yet."""
        return len(self._entries)

    async def connect(self) -> None:
        """Open a connection; a failure is told to the owner and tried again later."""
        loop = asyncio.get_running_loop()
        sources, url = self._target.sources, urlsplit(self._target.url)
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setblocking(False)
        self.traffic.attempts += 1
        try:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
            raw.bind((sources[(self.number + self.index) % len(sources)], 0))
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(raw, (url.hostname, url.port))
                await loop.create_connection(
                    lambda: _Socket(self, *frames.request(str(url.hostname), url.port or 80, url.path)),
                    sock=raw,
                )
        except (OSError, TimeoutError) as error:
            raw.close()
            self.ended(1006, repr(error))

    def record(self, entry: bytes) -> None:
        """Write a packed event, which has the next seq, to the journal; send it if on line (P20)."""
        self._entries.append(entry)
        if self.welcomed:
            self.say(_ONE_EVENT + entry)

    def say(self, message: bytes) -> None:
        """Send a packed message on the present connection; without one it is lost, the journal has it."""
        if self._socket is not None:
            self.traffic.frames_out += 1
            self._socket.send(message)

    def stop(self) -> None:
        """Say goodbye, and do not come back."""
        self.stopping = True
        if self._socket is not None:
            self._socket.close()

    def resume(self) -> None:
        """After `stop`: it may connect again."""
        self.stopping = self.final = False

    def cut(self) -> None:
        """Lose the connection without a word, as by a dead gateway; it comes back by itself."""
        if self._socket is not None:
            self._socket.abort()

    def look(self, now_s: float, heartbeat_s: float) -> None:
        """Called from time to time: a silent server is asked whether it lives (P6)."""
        if self.welcomed and now_s - self.heard_s > heartbeat_s:
            self.say(pack({"type": "ping", "n": 1}))

    # The socket speaks.

    def opened(self, socket: "_Socket") -> None:
        """The handshake is done."""
        self._socket = socket
        self.say(self._owner.hello(self))

    def read(self, data: bytes, now_s: float) -> None:
        """One message."""
        self.heard_s = now_s
        traffic = self.traffic
        traffic.frames_in += 1
        traffic.bytes_in += len(data)
        try:
            message = read(data)
        except msgspec.MsgspecError as error:
            raise BadPeer(f"a message nobody can read: {error}") from None
        kind = type(message)
        if kind is Durable:
            self._forget(cast(Durable, message).seq)
        elif kind is Welcome:
            self._greeted(cast(Welcome, message))
        # First the owner: what it judges must not depend on what is resent because of it.
        self._owner.hear(self, message, now_s)
        if kind is Welcome:
            self._send_after(cast(Welcome, message).applied_seq)
        elif kind is Resync:
            self._send_after(cast(Resync, message).from_seq - 1)
        elif kind is Discontinuity:
            self.say(pack({"type": "pull", "items": cast(Discontinuity, message).items}))
        elif kind is Ping:
            self.say(pack({"type": "pong", "n": cast(Ping, message).n}))

    def ended(self, code: int, reason: str, retry_after_s: float | None = None) -> None:
        """The connection is gone: come back when the server said, else with full jitter, unless for good."""
        now_s = time.monotonic()
        self.lost_s = self.lost_s or now_s
        self._socket = None
        self.traffic.lost += self.welcomed and not self.stopping
        self.welcomed = False
        self.traffic.closes[code] += 1
        self.final = self.stopping or 4500 <= code < 5000
        self._owner.closed(self, code, reason)
        if self.final:
            return
        if retry_after_s is None:
            retry_after_s = _retry_after_s(reason)
        if retry_after_s is not None:
            # The server has spread these times over all it sends away.
            self.traffic.postponed += 1
            pause_s = retry_after_s
        else:
            pause_s = random.uniform(0, self._pause_s)
            self._pause_s = min(self._pause_s * 2, BACKOFF_S[1])
        asyncio.get_running_loop().call_later(pause_s, self._again)

    def _again(self) -> None:
        if not self.stopping:
            self._opening = asyncio.get_running_loop().create_task(self.connect())
            self._opening.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[None]") -> None:
        self._opening = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self.ended(1006, repr(error))

    # The journal: what is not durable, packed as it goes out.

    def _greeted(self, welcome: Welcome) -> None:
        self._pause_s = BACKOFF_S[0]
        self._events_max = welcome.limits.events_per_message
        self.welcomed = True
        self._forget(welcome.durable_seq)

    def _forget(self, seq: int) -> None:
        if seq > self.durable:
            del self._entries[: seq - self.durable]
            self.durable = seq

    def _send_after(self, seq: int) -> None:
        """The journal from there on, in chunks (P21, R8)."""
        if not self.welcomed:
            return
        chunk: list[bytes] = []
        size = 0
        for entry in self._entries[max(seq - self.durable, 0) :]:
            if chunk and (size + len(entry) > CHUNK_BYTES or len(chunk) == self._events_max):
                self.say(_events(chunk))
                chunk, size = [], 0
            chunk.append(entry)
            size += len(entry)
        if chunk:
            self.say(_events(chunk))


def _events(entries: list[bytes]) -> bytes:
    header: bytes = _packer.pack_array_header(len(entries))
    return _EVENTS + header + b"".join(entries)


def _retry_after_s(reason: str) -> float | None:
    if "retry_after_ms" not in reason:
        return None
    try:
        return float(json.loads(reason)["retry_after_ms"]) / 1000
    except (ValueError, TypeError, KeyError):
        return None


class _Socket(asyncio.Protocol):
    """One connection of a device. `_accept` is what the handshake's answer must have, None once it came."""

    __slots__ = ("_accept", "_device", "_incoming", "_key", "_rest", "_said", "_transport", "_why")

    _transport: asyncio.Transport

    def __init__(self, device: LeanDevice, said: bytes, accept: bytes) -> None:
        self._device = device
        self._said = said
        self._accept: bytes | None = accept
        self._rest = b""
        self._key = os.urandom(4)
        self._incoming = Incoming()
        self._why: tuple[int, str, float | None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._device.stopping:
            self._transport.abort()
            return
        self._transport.write(self._said)
        self._said = b""

    def data_received(self, data: bytes) -> None:
        try:
            if self._accept is not None:
                self._handshake(data)
                return
            device, now_s = self._device, time.monotonic()  # the loop's own clock counts whole turns
            for opcode, payload in self._incoming.frames(data):
                if opcode == frames.BINARY:
                    device.read(payload, now_s)
                elif opcode == frames.PING:
                    self._transport.write(frames.masked(frames.PONG, payload, self._key))
                elif opcode == frames.CLOSE:
                    self._close_heard(payload)
                    return
        except BadPeer as error:
            self._why = (1002, str(error), None)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        code, reason, retry_after_s = self._why or (1006, str(exc or "cut"), None)
        self._device.ended(code, reason, retry_after_s)

    def send(self, message: bytes) -> None:
        """Send a binary message."""
        if self._why is None:
            self._transport.write(frames.masked(frames.BINARY, message, self._key))

    def close(self) -> None:
        """Say goodbye; the server's own close ends the connection."""
        if self._why is None:
            self._why = (1000, "", None)
            self._transport.write(frames.masked(frames.CLOSE, b"\x03\xe8", self._key))

    def abort(self) -> None:
        """Cut it."""
        self._transport.abort()

    def _handshake(self, data: bytes) -> None:
        assert self._accept is not None
        self._rest += data
        try:
            rest = frames.accepted(self._rest, self._accept)
        except Refused as error:
            self._why = (error.status, str(error), error.retry_after_s)
            self._transport.abort()
            return
        if rest is None:
            return
        self._accept, self._rest = None, b""
        self._device.opened(self)
        if rest:
            self.data_received(rest)

    def _close_heard(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
        if self._why is None:
            self._why = (code, payload[2:].decode(errors="replace"), None)
            self._transport.write(frames.masked(frames.CLOSE, payload[:2], self._key))
        self._transport.close()
