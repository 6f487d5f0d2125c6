"""A lean device: `playhead.v1` on a Sans-I/O protocol inside an asyncio protocol, no task per connection.

What `gateway.client.Device` does for a few devices, this does for tens of thousands, on the same `Protocol`
and `Journal`: heartbeats, reconnects with full jitter, and a socket that is only an asyncio protocol.
"""

import asyncio
import logging
import random
import time
import typing
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CLOSED, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from gateway.client import Event, Message, Protocol, Stamp
from gateway.client.protocol import pack

BACKOFF_S = (0.5, 30.0)
_log = logging.getLogger("bench.driver")
_log.setLevel(logging.ERROR)


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
        """The connection has ended, or could not be made (1006); `device.final` says whether for good."""


@dataclass(slots=True)
class Traffic:
    """What went over all sockets of a loader."""

    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    closes: Counter[int] = field(default_factory=Counter)


class LeanDevice:
    """One device: its protocol, and its connection when it has one. `number` and `index` are the owner's."""

    __slots__ = (
        "_owner", "_pause_s", "_socket", "_target", "final", "heard_s", "index", "number", "protocol",
        "stopping", "traffic",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        owner: Owner,
        number: int,
        index: int,
        traffic: Traffic,
        protocol: Protocol,
    ) -> None:
        self.number = number
        self.index = index
        self.protocol = protocol
        self.traffic = traffic
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

    def record(self, stamp: Stamp, event: Event) -> None:
        """Write an event to the journal, and send it if the server knows this device."""
        _, messages = self.protocol.record(stamp, event)
        for message in messages:
            self.say(message)

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
        if self.protocol.welcomed and now_s - self.heard_s > heartbeat_s:
            self.say(pack({"type": "ping", "n": 1}))

    # The socket speaks.

    def opened(self, socket: "_Socket") -> None:
        """The handshake is done."""
        self._socket = socket
        self.say(self._owner.hello(self))

    def read(self, data: bytes) -> None:
        """One message."""
        now_s = time.monotonic()  # the loop's own clock counts whole turns
        self.heard_s = now_s
        self.traffic.frames_in += 1
        self.traffic.bytes_in += len(data)
        message, replies = self.protocol.hear(data)
        if message["type"] == "welcome":
            self._pause_s = BACKOFF_S[0]
        # First the owner: what it judges must not depend on what is resent because of it.
        self._owner.hear(self, message, now_s)
        for reply in replies:
            self.say(reply)

    def ended(self, code: int, reason: str) -> None:
        """The connection is gone: come back with full jitter, unless the code is final."""
        self._socket = None
        self.protocol.lost()
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
