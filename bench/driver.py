"""A lean device: `playhead.v1` on a Sans-I/O protocol inside an asyncio protocol, no task per connection.

What `bench/device.py` does for a few devices, this does for tens of thousands: a journal until `durable`,
resend after `welcome` and `resync`, heartbeats, reconnects with full jitter. It decodes with `msgpack`.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import msgpack
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CLOSED, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

Message = dict[str, Any]

BACKOFF_S = (0.5, 30.0)
CHUNK_BYTES = 14 * 1024
"""Journal bytes in one `events` message, below the frame limit of 16 KiB."""

_EVENTS: bytes = msgpack.packb({"type": "events"})[1:] + msgpack.packb("events")
_packer = msgpack.Packer()
_log = logging.getLogger("bench.driver")
_log.setLevel(logging.ERROR)


def pack(message: Message) -> bytes:
    """A message or an event as msgpack."""
    packed: bytes = _packer.pack(message)
    return packed


def events_message(events: list[bytes]) -> bytes:
    """An `events` message of events that are packed already."""
    header: bytes = msgpack.Packer().pack_array_header(len(events))
    return b"\x82" + _EVENTS + header + b"".join(events)


@dataclass(frozen=True, slots=True)
class Target:
    """The server: its WebSocket URL, and the local addresses connections come from, in turn."""

    url: str
    sources: tuple[str, ...] = ("127.0.0.1",)


class Owner(Protocol):
    """What a device needs of whom it belongs to."""

    def hello(self, device: "LeanDevice") -> Message:
        """The first frame of a connection."""

    def hear(self, device: "LeanDevice", message: Message, at_s: float) -> None:
        """A message came, at this monotonic time."""

    def closed(self, device: "LeanDevice", code: int, reason: str) -> None:
        """The connection has ended, or could not be made (1006); `device.final` says whether for good."""


@dataclass(slots=True)
class Traffic:
    """What went over all sockets of a loader."""

    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    closes: Counter[int] = field(default_factory=Counter)


class LeanDevice:
    """One device: its journal, and its connection when it has one. `number` and `index` are the owner's."""

    __slots__ = (
        "_owner", "_pause_s", "_socket", "_target", "final", "heard_s", "index", "journal", "number",
        "stopping", "traffic", "welcomed",
    )  # fmt: skip

    def __init__(self, target: Target, owner: Owner, number: int, index: int, traffic: Traffic) -> None:
        self.number = number
        self.index = index
        self.journal: dict[int, bytes] = {}
        self.traffic = traffic
        self.welcomed = False
        self.stopping = False
        self.final = False
        self.heard_s = 0.0
        self._target = target
        self._owner = owner
        self._socket: _Socket | None = None
        self._pause_s = BACKOFF_S[0]

    async def connect(self) -> None:
        """Open a connection; a failure is told to the owner and tried again later."""
        loop = asyncio.get_running_loop()
        sources = self._target.sources
        source = sources[(self.number + self.index) % len(sources)]
        uri = parse_uri(self._target.url)
        try:
            await loop.create_connection(
                lambda: _Socket(self, self._target.url), uri.host, uri.port, local_addr=(source, 0)
            )
        except OSError as error:
            self.ended(1006, str(error))

    def record(self, seq: int, event: bytes) -> None:
        """Write an event to the journal, and send it if the server knows this device."""
        self.journal[seq] = event
        if self.welcomed:
            self.say(events_message([event]))

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

    def look(self, now_s: float, heartbeat_s: float) -> None:
        """Called from time to time: a silent server is asked whether it lives (P6)."""
        if self.welcomed and now_s - self.heard_s > heartbeat_s:
            self.say(pack({"type": "ping", "n": 1}))

    # The socket speaks.

    def opened(self, socket: "_Socket") -> None:
        """The handshake is done."""
        self._socket = socket
        self.say(pack(self._owner.hello(self)))

    def read(self, data: bytes) -> None:
        """One message."""
        now_s = time.monotonic()  # the loop's own clock counts whole turns
        self.heard_s = now_s
        self.traffic.frames_in += 1
        self.traffic.bytes_in += len(data)
        message: Message = msgpack.unpackb(data)
        kind = message["type"]
        # First the owner: what it judges must not depend on what is resent because of it.
        self._owner.hear(self, message, now_s)
        if kind == "durable":
            self._forget(message["seq"])
        elif kind == "welcome":
            self.welcomed = True
            self._pause_s = BACKOFF_S[0]
            self._forget(message["durable_seq"])
            self._resend(message["applied_seq"] + 1)
        elif kind == "resync":
            self._resend(message["from_seq"])
        elif kind == "discontinuity":
            self.say(pack({"type": "pull", "items": message["items"]}))
        elif kind == "ping":
            self.say(pack({"type": "pong", "n": message["n"]}))

    def ended(self, code: int, reason: str) -> None:
        """The connection is gone: come back with full jitter, unless the code is final."""
        self._socket, self.welcomed = None, False
        self.traffic.closes[code] += 1
        self.final = self.stopping or 4500 <= code < 5000
        self._owner.closed(self, code, reason)
        if not self.final:
            loop = asyncio.get_running_loop()
            loop.call_later(random.uniform(0, self._pause_s), lambda: loop.create_task(self._again()))
            self._pause_s = min(self._pause_s * 2, BACKOFF_S[1])

    async def _again(self) -> None:
        if not self.stopping:
            await self.connect()

    def _forget(self, durable_seq: int) -> None:
        while self.journal and (oldest := next(iter(self.journal))) <= durable_seq:
            del self.journal[oldest]

    def _resend(self, from_seq: int) -> None:
        chunk: list[bytes] = []
        size = 0
        for seq, event in self.journal.items():
            if seq < from_seq:
                continue
            if size + len(event) > CHUNK_BYTES:
                self.say(events_message(chunk))
                chunk, size = [], 0
            chunk.append(event)
            size += len(event)
        if chunk:
            self.say(events_message(chunk))


class _Socket(asyncio.Protocol):
    """One connection of a device."""

    __slots__ = ("_device", "_transport", "_ws")

    _transport: asyncio.Transport

    def __init__(self, device: LeanDevice, url: str) -> None:
        self._device = device
        self._ws = ClientProtocol(
            parse_uri(url), subprotocols=[Subprotocol("playhead.v1")], max_size=1 << 20, logger=_log
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._device.stopping:
            self._transport.abort()
            return
        self._ws.send_request(self._ws.connect())
        self._write()

    def data_received(self, data: bytes) -> None:
        ws = self._ws
        ws.receive_data(data)
        for event in ws.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.BINARY:
                    self._device.read(bytes(event.data))
            elif isinstance(event, Response) and ws.state is OPEN:
                self._device.opened(self)
        self._write()

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        close = self._ws.close_rcvd or self._ws.close_sent
        refused = self._ws.handshake_exc
        code = close.code if close else 1006
        self._device.ended(code, close.reason if close else str(refused or exc or "cut"))

    def send(self, message: bytes) -> None:
        """Send a binary message."""
        if self._ws.state is OPEN:
            self._ws.send_binary(message)
            self._write()

    def close(self) -> None:
        """Begin the closing handshake."""
        if self._ws.state is OPEN:
            self._ws.send_close(1000)
        self._write()
        if self._ws.state is CLOSED:
            self._transport.close()

    def _write(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
