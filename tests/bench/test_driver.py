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
from bench.driver import LeanDevice, Target, Traffic, pack
from bench.load import Orders
from bench.messages import Durable, Message
from bench.plan import Mix

Said = dict[str, Any]
WAIT_S = 10.0
LIMITS = {"frame_bytes": 16 * 1024, "events_per_message": 500, "heartbeat_ms": 20_000}


class Owner:
    """Keeps what its device hears."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.closes: list[int] = []
        self.changed = asyncio.Event()

    def hello(self, device: LeanDevice) -> bytes:
        return pack({"type": "hello", "token": "a token"})

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
        device = LeanDevice(Target(f"ws://127.0.0.1:{port}/v1/socket"), owner, 0, 0, Traffic())
        await device.connect()
        yield owner, device
        device.stop()


async def said(socket: ServerConnection) -> Said:
    async with asyncio.timeout(WAIT_S):
        message: Said = msgpack.unpackb(await socket.recv())
        return message


def welcome(applied: int = 0, durable: int = 0) -> bytes:
    marks = {"applied_seq": applied, "durable_seq": durable, "epoch": 1}
    return pack({"type": "welcome", "student": "ada", "device": "d0", "limits": LIMITS, **marks})


def seqs(message: Said) -> list[int]:
    assert message["type"] == "events"
    return [event["seq"] for event in message["events"]]


def entry(seq: int, **fields: Any) -> bytes:
    return pack({"seq": seq, "kind": "played", **fields})


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
        for seq in range(1, 6):
            device.record(entry(seq))
        waiting.set()
        await owner.until(lambda: len(owner.heard) == 3)
        assert device.waiting == 0
        assert got == [[4, 5], [3, 4, 5]]


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
        for seq in range(1, 101):
            device.record(entry(seq, padding="x" * 400))
        waiting.set()
        await owner.until(lambda: len(owner.heard) == 2)
        assert got == list(range(1, 101))
        assert len(sizes) > 1 and max(sizes) <= 16 * 1024


async def test_p6_a_ping_is_answered_and_a_silent_server_is_asked() -> None:
    got: list[Said] = []

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
        device.record(entry(1))
        await owner.until(lambda: owner.heard[-1:] == [Durable(1)])
        assert visits == [[1], [1]]
        assert owner.closes == [4000] and not device.final


async def test_it_comes_back_when_the_server_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "BACKOFF_S", (600.0, 600.0))
    visits = 0

    async def script(socket: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await said(socket)
        if visits < 3:
            await socket.close(4004, '{"code": "overload", "retry_after_ms": 5}')
            return
        await socket.send(welcome())
        await socket.wait_closed()

    async with peer(script) as (owner, device):
        await owner.until(lambda: len(owner.heard) == 1)
        assert owner.closes == [4004, 4004] and device.traffic.postponed == 2


async def test_a_refused_handshake_names_its_status_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "BACKOFF_S", (600.0, 600.0))
    answers = ["503 Service Unavailable\r\nRetry-After: 0", "404 Not Found"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answers.pop(0)}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        owner, port = Owner(), server.sockets[0].getsockname()[1]
        device = LeanDevice(Target(f"ws://127.0.0.1:{port}/v1/socket"), owner, 0, 0, Traffic())
        await device.connect()
        await owner.until(lambda: owner.closes == [503, 404])
        device.stop()


async def test_a_cut_connection_is_lost_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "BACKOFF_S", (0.01, 0.05))

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        await socket.wait_closed()

    async with peer(script) as (owner, device):
        device._pause_s = driver.BACKOFF_S[0]
        await owner.until(lambda: len(owner.heard) == 1)
        device.cut()
        await owner.until(lambda: len(owner.heard) == 2)
        assert owner.closes == [1006] and device.lost_s > 0


async def test_it_does_not_come_back_after_a_final_close() -> None:
    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.close(4500, "auth")

    async with peer(script) as (owner, device):
        await owner.until(lambda: bool(owner.closes))
        assert owner.closes == [4500] and device.final
        assert device.traffic.closes == {4500: 1}


async def test_who_said_goodbye_stays_away_until_told_to_resume() -> None:
    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        await socket.wait_closed()

    async with peer(script) as (owner, device):
        await owner.until(lambda: len(owner.heard) == 1)
        device.stop()
        await owner.until(lambda: owner.closes == [1000])
        assert device.final
        device.resume()
        await device.connect()
        await owner.until(lambda: len(owner.heard) == 2)
        assert not device.final


def test_loaders_share_the_students_and_the_second_devices_evenly() -> None:
    mix = Mix(seed=1, students=1000, updates=20, two=0.1, three=0.03)
    parts = [Orders(mix, "ws://x", ("127.0.0.1",), "keys", 3, part) for part in range(3)]
    assert Orders.read(parts[1].line()) == parts[1]
    numbers = [part.numbers() for part in parts]
    assert sorted(n for part in numbers for n in part) == list(range(1000))
    for count in (1, 2, 3):
        shares = [sum(mix.device_count(n) == count for n in part) for part in numbers]
        assert max(shares) - min(shares) <= 1
