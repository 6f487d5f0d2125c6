"""A real WebSocket server that follows a script, for a client to meet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from gateway.client import Message, Stamp

WAIT_S = 10.0
STAMP = Stamp("2026-03-02T19:00:00.000Z", 1_000, "boot-1")
LIMITS = {"frame_bytes": 16 * 1024, "events_per_message": 500, "heartbeat_ms": 20_000}

Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script) -> AsyncIterator[str]:
    """The URL of a server that plays this script to each who connects."""
    protocol = Subprotocol("playhead.v1")
    async with serve(script, "127.0.0.1", 0, subprotocols=[protocol], compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/socket"


async def said(socket: ServerConnection) -> Message:
    """The next message of the client."""
    async with asyncio.timeout(WAIT_S):
        message: Message = msgpack.unpackb(await socket.recv())
        return message


def pack(**message: Any) -> bytes:
    packed: bytes = msgpack.packb(message)
    return packed


def welcome(applied: int = 0, durable: int = 0, student: str = "ada", **limits: int) -> bytes:
    return pack(
        type="welcome",
        student=student,
        limits=LIMITS | limits,
        applied_seq=applied,
        durable_seq=durable,
        epoch=1,
    )


def head(item: str = "lec", rev: int = 1, **fields: Any) -> bytes:
    return pack(**{"type": "head", "item": item, "rev": rev, "position_ms": 0, "as_of_ms": 0, **fields})


def seqs(message: Message) -> list[int]:
    assert message["type"] == "events"
    return [event["seq"] for event in message["events"]]
