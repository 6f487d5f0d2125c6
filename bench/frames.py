"""RFC 6455 as a device of the fleet needs it: the handshake, masked frames out, whole frames in.

Each device has little more than a rest of bytes; what the library keeps for a connection would be most of
the load's memory.
"""

import base64
import hashlib
import os
import struct
from collections.abc import Iterator

from websockets.speedups import apply_mask

BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD_MAX = 8192
_MESSAGE_MAX = 1 << 20


class BadPeer(Exception):
    """The peer does not speak WebSocket as this server has to."""


class Refused(Exception):
    """The handshake was answered with another status than 101."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        super().__init__(f"the handshake was answered {status}")
        self.status = status
        self.retry_after_s = retry_after_s


def request(host: str, port: int, path: str) -> tuple[bytes, bytes]:
    """A handshake, and the `Sec-WebSocket-Accept` its answer must have."""
    key = base64.b64encode(os.urandom(16))
    said = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: playhead.v1\r\n\r\n"
    )
    return said.encode(), base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def accepted(data: bytes, accept: bytes) -> bytes | None:
    """What follows a right answer to the handshake, None while it is cut. Raises `Refused`, `BadPeer`."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if len(data) > _HEAD_MAX:
            raise BadPeer("an endless answer to the handshake")
        return None
    first, *lines = head.split(b"\r\n")
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
    }
    try:
        status = int(first.split()[1])
    except (IndexError, ValueError):
        raise BadPeer("no answer to a handshake") from None
    if status != 101:
        after = fields.get(b"retry-after", b"")
        raise Refused(status, float(after) if after.isdigit() else None)
    if fields.get(b"sec-websocket-accept") != accept:
        raise BadPeer("another key's answer to the handshake")
    if fields.get(b"sec-websocket-protocol") != b"playhead.v1":
        raise BadPeer("another subprotocol than the one asked for")
    return rest


def masked(opcode: int, payload: bytes, key: bytes) -> bytes:
    """A whole frame from a client (5.3)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB4s", 0x80 | opcode, 0x80 | size, key) + apply_mask(payload, key)
    if size < 65536:
        return struct.pack("!BBH4s", 0x80 | opcode, 0xFE, size, key) + apply_mask(payload, key)
    return struct.pack("!BBQ4s", 0x80 | opcode, 0xFF, size, key) + apply_mask(payload, key)


class Incoming:
    """Whole frames out of the bytes of a server, which fragments nothing and masks nothing."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of each frame that is whole now. Raises `BadPeer`."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while end - at >= 2:
            first, size = data[at], data[at + 1]
            begin = at + 2
            if size == 126:
                begin += 2
                size = int.from_bytes(data[at + 2 : begin]) if end >= begin else _MESSAGE_MAX
            elif size >= 127:
                begin += 8
                size = int.from_bytes(data[at + 2 : begin]) if end >= begin else _MESSAGE_MAX
            if first & 0xF0 != 0x80 or data[at + 1] & 0x80 or size > _MESSAGE_MAX:
                raise BadPeer("a fragment, a masked frame or one without end")
            if begin + size > end:
                break
            at = begin + size
            yield first & 0x0F, data[begin:at]
        self._rest = data[at:]
