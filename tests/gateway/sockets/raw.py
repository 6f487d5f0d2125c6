"""A WebSocket peer without manners: writes any bytes to a TCP connection and reads frames by hand."""

import asyncio
import base64
import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any, Self

import msgpack

WAIT_S = 10.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
V1, JSON = "playhead.v1", "playhead.v1+json"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A client frame; `length` declares another length than the payload has."""
    size = len(payload) if length is None else length
    head = bytes((0x80 * fin | rsv << 4 | opcode,))
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head += bytes((mask_bit | size,))
    elif size < 65536:
        head += struct.pack("!BH", mask_bit | 126, size)
    else:
        head += struct.pack("!BQ", mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def request(
    path: str = "/v1/socket",
    *,
    protocols: str | None = V1,
    drop: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
    version: str = "HTTP/1.1",
) -> bytes:
    """A handshake request; `drop` leaves headers out, `headers` adds or replaces."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    if protocols is not None:
        fields["Sec-WebSocket-Protocol"] = protocols
    fields.update(dict(headers))
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if name not in drop]
    return f"{method} {path} {version}\r\n{''.join(lines)}\r\n".encode("latin-1")


opened: list["Raw"] = []
"""Every connection since the last `leave_all`, so that a failed test leaves none behind."""


async def leave_all() -> None:
    """Close what tests have opened."""
    while opened:
        await opened.pop().leave()


@dataclass
class Closed:
    """How the server closed: the code, and the reason as JSON if it is some."""

    code: int
    reason: Any


class Raw:
    """One TCP connection to the gateway. Every read is bounded by `WAIT_S`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.protocol = V1

    @classmethod
    async def connect(cls, address: tuple[str, int], receive_buffer: int | None = None) -> Self:
        """Connect and say nothing; `receive_buffer` makes the kernel hold little for us."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        limit = 2**16 if receive_buffer is None else 1024
        raw = cls(*await asyncio.open_connection(sock=sock, limit=limit))
        opened.append(raw)
        return raw

    @classmethod
    async def open(cls, address: tuple[str, int], protocol: str = V1, **more: Any) -> Self:
        """Connect and get through the handshake."""
        raw = await cls.connect(address, more.pop("receive_buffer", None))
        raw.protocol = protocol
        raw.write(request(protocols=protocol, **more))
        status, _ = await raw.response()
        assert status == 101, status
        return raw

    def write(self, data: bytes) -> None:
        """Put bytes on the wire, as many as fit."""
        self.writer.write(data)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message the proper way."""
        packed = self.packed(message)
        if isinstance(packed, str):
            self.write(frame(TEXT, packed.encode()))
        else:
            self.write(frame(BINARY, packed))

    def packed(self, message: dict[str, Any]) -> str | bytes:
        """A message as this protocol writes it."""
        if self.protocol == JSON:
            return json.dumps(message)
        packed: bytes = msgpack.packb(message)
        return packed

    def unpacked(self, payload: str | bytes) -> dict[str, Any]:
        """A message as this protocol writes it, read by another library than the gateway's."""
        said: dict[str, Any] = json.loads(payload) if self.protocol == JSON else msgpack.unpackb(payload)
        return said

    async def response(self) -> tuple[int, str]:
        """Status and head of the HTTP answer, or (0, "") if the server just closed."""
        try:
            async with asyncio.timeout(WAIT_S):
                head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, ""
        return int(head.split()[1]), head

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. Raises `IncompleteReadError` at the end."""
        async with asyncio.timeout(WAIT_S):
            first, second = await self.reader.readexactly(2)
            assert first & 0x70 == 0 and second & 0x80 == 0, "servers set no reserved bits and never mask"
            size = second
            if second == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif second == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self, kind: str | None = None) -> dict[str, Any]:
        """The next message, or the next of a type; pongs of the WebSocket are passed over."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                raise AssertionError(f"closed: {payload!r}")
            if opcode in (PING, PONG):
                continue
            assert opcode == (TEXT if self.protocol == JSON else BINARY)
            said = self.unpacked(payload)
            if kind is None or said.get("type") == kind:
                return said

    async def closed(self) -> Closed:
        """Read on until the close frame; what comes before it is passed over."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                try:
                    return Closed(code, json.loads(payload[2:]))
                except ValueError:
                    return Closed(code, payload[2:].decode())

    async def ended(self) -> None:
        """Wait until the server has closed the TCP connection, in whichever way."""
        async with asyncio.timeout(WAIT_S):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass

    async def leave(self) -> None:
        """Close our side."""
        self.writer.close()
        try:
            async with asyncio.timeout(WAIT_S):
                await self.writer.wait_closed()
        except (ConnectionError, TimeoutError):
            pass
