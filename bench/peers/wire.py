"""What a device says to each peer: hand-written WebSocket frames, Engine.IO's on top of them or plain JSON.

As lean as a load has to be that shares two cores with its server: no library, no task per connection.
"""

import asyncio
import base64
import os
import time
import typing
from typing import Any, ClassVar, cast

import msgspec

from bench.plan import Step

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
NO_MASK = bytes(4)
"""A frame of a client has to be masked; with these four bytes that changes nothing here and costs the server
what any mask does."""

ENDED = 1006
_decode = msgspec.json.Decoder().decode


class Owner(typing.Protocol):
    """Whom a device tells what it hears."""

    def token(self, number: int) -> str:
        """A token of the student of this number."""

    def heads(self, device: "PeerDevice", heads: list[dict[str, Any]]) -> None:
        """What the server has of the student, said once after the connection was made."""

    def acked(self, device: "PeerDevice", seq: int, at_s: float) -> None:
        """The server has taken in the update `seq`."""

    def durable(self, device: "PeerDevice", seq: int, at_s: float) -> None:
        """The server has stored everything up to `seq`."""

    def pushed(self, device: "PeerDevice", head: dict[str, Any], at_s: float) -> None:
        """Another device of the student is at a new place."""

    def ended(self, device: "PeerDevice", code: int, reason: str) -> None:
        """The connection is gone, or never was."""


class PeerDevice(asyncio.Protocol):
    """One device on one connection, a subclass for each peer; `number` and `index` are the owner's."""

    __slots__ = ("_input", "_open", "_transport", "bytes_in", "frames_in", "index", "name", "number", "owner")

    wire: ClassVar[str]
    _transport: asyncio.Transport

    def __init__(self, owner: Owner, number: int, index: int, name: str) -> None:
        self.owner = owner
        self.number = number
        self.index = index
        self.name = name
        self.frames_in = 0
        self.bytes_in = 0
        self._open = False
        self._input = b""

    async def connect(self, port: int, source: str) -> None:
        """Open the connection; a failure is told to the owner."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", port, local_addr=(source, 0))
        except OSError as error:
            self.owner.ended(self, ENDED, str(error))

    def update(self, seq: int, item: str, step: Step) -> None:
        """Say one update."""
        raise NotImplementedError

    def close(self) -> None:
        """Say goodbye."""
        if self._open:
            self._send(CLOSE, (1000).to_bytes(2, "big"))

    # The peer's own wire.

    def _request(self) -> tuple[str, str]:
        """The target of the handshake and its subprotocols, if any."""
        raise NotImplementedError

    def _opened(self) -> None:
        """The handshake is done."""

    def _hear(self, text: bytes) -> None:
        """One text message."""
        raise NotImplementedError

    # The socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        target, protocols = self._request()
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {target} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if protocols:
            lines.append(f"Sec-WebSocket-Protocol: {protocols}")
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        if self._input:
            data = self._input + data
        if not self._open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._input = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.owner.ended(self, ENDED, head.partition(b"\r\n")[0].decode(errors="replace"))
                self._transport.abort()
                return
            self._open = True
            self._opened()
        self._input = self._frames(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._open = False
            self.owner.ended(self, ENDED, str(exc or "cut"))

    def _frames(self, data: bytes) -> bytes:
        """Hear every whole frame; gives the rest."""
        at = 0
        while len(data) - at >= 2:
            begin, size = at + 2, data[at + 1]
            if size >= 126:
                more = 2 if size == 126 else 8
                size = int.from_bytes(data[begin : begin + more], "big")
                begin += more
            if len(data) < begin + size:
                break
            self._frame(data[at], data[begin : begin + size])
            at = begin + size
        return data[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        if first == 0x80 | TEXT:
            self.frames_in += 1
            self.bytes_in += len(payload)
            self._hear(payload)
        elif first == 0x80 | PING:
            self._send(PONG, payload)
        elif first == 0x80 | CLOSE:
            self._open = False
            code = int.from_bytes(payload[:2], "big") or ENDED
            self.owner.ended(self, code, payload[2:].decode(errors="replace"))
            self._transport.close()
        elif first != 0x80 | PONG:
            self._open = False
            self.owner.ended(self, ENDED, f"a frame this load does not know: 0x{first:x}")
            self._transport.abort()

    def _say(self, text: bytes) -> None:
        self._send(TEXT, text)

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes((0x80 | opcode, 0x80 | size))
        else:
            head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
        if self._open:
            self._transport.write(head + NO_MASK + payload)


class SocketIoDevice(PeerDevice):
    """Engine.IO v4 over WebSocket: `0` open, `2`/`3` ping and pong, `40` connect, `42` event, `43` ack."""

    __slots__ = ()
    wire = "socketio"

    def update(self, seq: int, item: str, step: Step) -> None:
        self._say(b'42%d["update",%b]' % (seq, _update(seq, item, step)))

    def _request(self) -> tuple[str, str]:
        return "/socket.io/?EIO=4&transport=websocket", ""

    def _hear(self, text: bytes) -> None:
        if text.startswith(b"43"):
            self.owner.acked(self, int(text[2 : text.index(b"[")]), time.monotonic())
        elif text.startswith(b"42"):
            name, said = _decode(text[2:])
            if name == "head":
                self.owner.pushed(self, said, time.monotonic())
            elif name == "durable":
                self.owner.durable(self, said, time.monotonic())
            elif name == "heads":
                self.owner.heads(self, said)
        elif text == b"2":
            self._say(b"3")
        elif text.startswith(b"0"):
            auth = {"token": self.owner.token(self.number), "device": self.name}
            self._say(b"40" + msgspec.json.encode(auth))
        elif text.startswith((b"41", b"44")):
            self._open = False
            self.owner.ended(self, ENDED, text.decode(errors="replace"))
            self._transport.close()


class ObjectDevice(PeerDevice):
    """JSON over a plain WebSocket to a Durable Object."""

    __slots__ = ()
    wire = "durable_objects"

    def update(self, seq: int, item: str, step: Step) -> None:
        self._say(_update(seq, item, step))

    def _request(self) -> tuple[str, str]:
        return f"/?device={self.name}", f"resume, {self.owner.token(self.number)}"

    def _hear(self, text: bytes) -> None:
        said = _decode(text)
        kind = said["type"]
        if kind == "ack":
            self.owner.acked(self, said["seq"], time.monotonic())
        elif kind == "head":
            self.owner.pushed(self, said, time.monotonic())
        elif kind == "durable":
            self.owner.durable(self, said["seq"], time.monotonic())
        elif kind == "heads":
            self.owner.heads(self, said["items"])


WIRES: dict[str, type[PeerDevice]] = {kind.wire: kind for kind in (SocketIoDevice, ObjectDevice)}


def _update(seq: int, item: str, step: Step) -> bytes:
    place = f',"position_ms":{step.place_ms}' if step.place_ms >= 0 else ""
    start = f',"from_ms":{step.from_ms}' if step.kind == "played" else ""
    return f'{{"seq":{seq},"item":"{item}","kind":"{step.kind}"{place}{start}}}'.encode()
