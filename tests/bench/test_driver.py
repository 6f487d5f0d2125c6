"""The lean device keeps the protocol: journal before wire, resend, heartbeats, and when not to come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from bench import driver
from bench.driver import LeanDevice, Target, Traffic
from bench.loader import Orders
from bench.plan import Mix
from gateway.client import Journal, Message, Protocol, Stamp
from gateway.client.protocol import pack

WAIT_S = 10.0
STAMP = Stamp("2026-03-02T19:00:00.000Z", 1_000, "boot-1")
LIMITS = {"frame_bytes": 16 * 1024, "events_per_message": 500, "heartbeat_ms": 20_000}


class Owner:
    """Keeps what its device hears."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.closes: list[int] = []
        self.changed = asyncio.Event()

    def hello(self, device: LeanDevice) -> bytes:
        return device.protocol.hello(STAMP, token="a token")

    def hear(self, device: LeanDevice, message: Message, at_s: float) -> None:
        self.heard.append(message)
        self.changed.set()

    def closed(self, device: LeanDevice, code: int, reason: str) -> None:
        self.closes.append(code)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def peer(
    script: Callable[[ServerConnection], Awaitable[None]],
) -> AsyncIterator[tuple[Owner, LeanDevice]]:
    """A real WebSocket server that follows a script, and a device on its way to it."""
    protocol = Subprotocol("playhead.v1")
    async with serve(script, "127.0.0.1", 0, subprotocols=[protocol], compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        owner = Owner()
        device = LeanDevice(
            Target(f"ws://127.0.0.1:{port}/v1/socket"), owner, 0, 0, Traffic(), Protocol(Journal("ada", "d0"))
        )
        await device.connect()
        yield owner, device
        device.stop()


async def said(socket: ServerConnection) -> Message:
    async with asyncio.timeout(WAIT_S):
        message: Message = msgpack.unpackb(await socket.recv())
        return message


def welcome(applied: int = 0, durable: int = 0) -> bytes:
    marks = {"applied_seq": applied, "durable_seq": durable, "epoch": 1}
    return pack({"type": "welcome", "student": "ada", "limits": LIMITS, **marks})


def seqs(message: Message) -> list[int]:
    assert message["type"] == "events"
    return [event["seq"] for event in message["events"]]


def event(**fields: Any) -> Message:
    return {"kind": "played", **fields}


async def test_p21_after_welcome_it_resends_what_is_not_applied_and_forgets_what_is_durable() -> None:
    got: list[list[int]] = []

    async def script(socket: ServerConnection) -> None:
        assert (await said(socket))["type"] == "hello"
        await waiting.wait()
        await socket.send(welcome(applied=3, durable=2))
        got.append(seqs(await said(socket)))
        await socket.send(pack({"type": "resync", "from_seq": 3, "epoch": 2, "reason": "epoch"}))
        got.append(seqs(await said(socket)))
        await socket.send(pack({"type": "durable", "seq": 5}))
        await socket.wait_closed()

    waiting = asyncio.Event()
    async with peer(script) as (owner, device):
        for _ in range(5):
            device.record(STAMP, event())
        waiting.set()
        await owner.until(lambda: len(owner.heard) == 3)
        await asyncio.wait_for(_until(lambda: not len(device.protocol.journal)), WAIT_S)
        assert got == [[4, 5], [3, 4, 5]]


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a few turns of the loop
        await asyncio.sleep(0)


async def test_p4_a_long_journal_goes_up_in_frames_below_the_limit() -> None:
    sizes: list[int] = []
    got: list[int] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await waiting.wait()
        await socket.send(welcome())
        while len(got) < 100:
            frame = await socket.recv()
            sizes.append(len(frame))
            got.extend(seqs(msgpack.unpackb(frame)))
        await socket.send(pack({"type": "durable", "seq": 100}))
        await socket.wait_closed()

    waiting = asyncio.Event()
    async with peer(script) as (owner, device):
        for _ in range(100):
            device.record(STAMP, event(padding="x" * 400))
        waiting.set()
        await owner.until(lambda: len(owner.heard) == 2)
        assert got == list(range(1, 101))
        assert len(sizes) > 1 and max(sizes) <= 16 * 1024


async def test_p6_a_ping_is_answered_and_a_silent_server_is_asked() -> None:
    got: list[Message] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        await socket.send(pack({"type": "ping", "n": 7}))
        got.append(await said(socket))
        got.append(await said(socket))
        await socket.send(pack({"type": "pong", "n": 1}))
        await socket.wait_closed()

    async with peer(script) as (owner, device):
        await owner.until(lambda: len(owner.heard) == 2)
        device.look(device.heard_s + 1, heartbeat_s=20)
        device.look(device.heard_s + 21, heartbeat_s=20)
        await owner.until(lambda: len(owner.heard) == 3)
        assert got == [{"type": "pong", "n": 7}, {"type": "ping", "n": 1}]


async def test_it_comes_back_after_a_close_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "BACKOFF_S", (0.01, 0.05))
    visits: list[list[int]] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        visits.append(seqs(await said(socket)))
        if len(visits) == 1:
            await socket.close(4000, "drain")
        else:
            await socket.send(pack({"type": "durable", "seq": 1}))
            await socket.wait_closed()

    async with peer(script) as (owner, device):
        device._pause_s = driver.BACKOFF_S[0]
        device.record(STAMP, event())
        await owner.until(lambda: owner.heard[-1:] == [{"type": "durable", "seq": 1}])
        assert visits == [[1], [1]]
        assert owner.closes == [4000] and not device.final


async def test_it_does_not_come_back_after_a_final_close() -> None:
    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.close(4500, "auth")

    async with peer(script) as (owner, device):
        await owner.until(lambda: bool(owner.closes))
        assert owner.closes == [4500] and device.final
        assert device.traffic.closes == {4500: 1}


def test_loaders_share_the_students_and_the_second_devices_evenly() -> None:
    mix = Mix(seed=1, students=1000, updates=20)
    parts = [Orders(mix, "ws://x", ("127.0.0.1",), "keys", 3, part) for part in range(3)]
    assert Orders.read(parts[1].line()) == parts[1]
    numbers = [part.numbers() for part in parts]
    assert sorted(n for part in numbers for n in part) == list(range(1000))
    seconds = [sum(mix.has_second(n) for n in part) for part in numbers]
    assert max(seconds) - min(seconds) <= 1
