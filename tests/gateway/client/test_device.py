"""The asyncio device over a real socket: stays connected, comes back, gives up only when told to."""

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection

from gateway.client import ClosedForGood, Device, MediaRefused, Message, Sealed, Visit
from gateway.client import device as module
from tests.gateway.client.peer import WAIT_S, head, pack, peer, said, seqs, welcome


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", (0.01, 0.05))


def kiosk(url: str, **options: object) -> Device:
    async def token() -> str:
        return "a token"

    return Device(url, "ada", "kiosk", token=token, **options)  # type: ignore[arg-type]


async def test_p21_it_comes_back_and_sends_again_what_is_not_durable() -> None:
    got: list[list[int]] = []

    async def script(socket: ServerConnection) -> None:
        assert (await said(socket))["token"] == "a token"
        await socket.send(welcome())
        got.append(seqs(await said(socket)))
        if len(got) == 1:
            await socket.close(4000, '{"code": "drain", "retry_after_ms": 1}')
        else:
            await socket.send(pack(type="durable", seq=1))
            await socket.wait_closed()

    async with peer(script) as url, kiosk(url) as device:
        await device.record("closed", "lec", "visit")
        await device.until_durable(WAIT_S)
        assert got == [[1], [1]] and device.closes == [4000]


async def test_it_tries_again_when_the_token_or_the_caller_raises() -> None:
    tokens = iter([RuntimeError("502 from the identity provider"), "one", "two", "three"])
    heard: list[object] = []

    def token() -> str:
        given = next(tokens)
        if isinstance(given, Exception):
            raise given
        return str(given)

    def hear(message: Message, heard_s: float) -> None:
        heard.append(message["type"])
        if message["type"] == "head" and heard.count("head") == 1:
            raise ValueError("a defect of the caller")

    async def script(socket: ServerConnection) -> None:
        if (await said(socket))["token"] == "two":
            await socket.send(b"\xc1 no message")
        else:
            await socket.send(welcome())
            await socket.send(head())
        await socket.wait_closed()

    async with peer(script) as url:
        device = await Device(url, "ada", "kiosk", token=token, on_message=hear).start(WAIT_S)
        await device.until(lambda: heard.count("head") == 2, WAIT_S)
        assert device.online and next(tokens, None) is None
        await device.stop()


async def test_f22_it_comes_back_exactly_when_the_server_said(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    told = iter([2500, 60_000, 0, 7, None])
    wait_s = module.wait_s

    def at_once(told_s: float | None, pause_s: float) -> float:
        waits.append(wait_s(told_s, pause_s))
        return 0.0

    monkeypatch.setattr(module, "wait_s", at_once)

    async def script(socket: ServerConnection) -> None:
        retry_after_ms = next(told, "done")
        if retry_after_ms == "done":
            await said(socket)
            await socket.send(welcome())
            await socket.wait_closed()
        elif retry_after_ms is None:
            await socket.close(4004, '{"code": "overload"}')
        else:
            await socket.close(4004, f'{{"code": "overload", "retry_after_ms": {retry_after_ms}}}')

    async with peer(script) as url:
        device = await kiosk(url).start(WAIT_S)
        await device.stop()
    assert waits[:4] == [2.5, 60.0, module.SOONEST_S, module.SOONEST_S]
    assert 0.0 <= waits[4] <= 0.01 and device.closes[:5] == [4004] * 5


async def test_a_reason_nobody_can_read_says_no_time() -> None:
    device = kiosk("ws://127.0.0.1:9/v1/socket")
    for reason in ("", "[1]", "{}", '{"retry_after_ms": null}', '{"retry_after_ms": Infinity}', "\x00"):
        assert device._closed(4004, reason) is None


async def test_a_final_close_ends_it_and_says_why() -> None:
    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.close(4500, '{"code": "auth"}')

    async with peer(script) as url:
        device = kiosk(url)
        with pytest.raises(ClosedForGood, match="4500") as raised:
            await device.start(WAIT_S)
        assert raised.value.code == 4500 and device.closes == [4500]
        await device.stop()


async def test_r9_a_token_of_another_student_delivers_nothing() -> None:
    heard: list[object] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome(student="bob"))
        async for message in socket:
            heard.append(message)

    async with peer(script) as url:
        device = kiosk(url)
        await device.record("closed", "lec", "visit")
        with pytest.raises(Sealed):
            await device.start(WAIT_S)
        await device.stop()
        assert heard == [] and len(device.journal) == 1


async def test_p6_a_silent_server_is_asked_and_then_left() -> None:
    pings: list[str] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome(heartbeat_ms=60))
        async for message in socket:
            assert isinstance(message, bytes)
            pings.append("ping" if b"ping" in message else "other")

    async with peer(script) as url, kiosk(url) as device:
        await device.until(lambda: bool(device.closes), WAIT_S)
        assert pings and set(pings) == {"ping"} and device.closes[0] == 1001


async def test_pull_waits_for_the_answer_and_not_for_what_is_known() -> None:
    asked = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        await socket.send(head(rev=1, position_ms=1))
        assert (await said(socket))["type"] == "pull"
        asked.set()
        await socket.send(head(rev=2, position_ms=2))
        await socket.wait_closed()

    async with peer(script) as url, kiosk(url) as device:
        await device.until(lambda: "lec" in device.heads, WAIT_S)
        assert (await device.pull("lec", WAIT_S))["position_ms"] == 2 and asked.is_set()


async def test_a_visit_seals_into_its_play_what_the_device_had_seen_when_the_run_began() -> None:
    said_events: list[dict[str, object]] = []

    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        await socket.send(head(rev=5))
        while len(said_events) < 4:
            said_events.extend((await said(socket))["events"])
            if len(said_events) == 2:
                await socket.send(head(rev=9))
        await socket.wait_closed()

    async with peer(script) as url, kiosk(url) as device:
        await device.until(lambda: device.protocol.rev("lec") == 5, WAIT_S)
        async with Visit(device, "lec", "v2") as visit:
            await visit.play(1_000)
            await device.until(lambda: device.protocol.rev("lec") == 9, WAIT_S)
            await visit.played(1_000, 11_000)
            await visit.mark(True)
        assert [event["base_rev"] for event in device.journal] == [5, 5, 5, 9, 9]
        assert {event["version"] for event in device.journal} == {"v2"}


async def test_p34_it_asks_how_to_play_and_hears_yes_and_no() -> None:
    async def script(socket: ServerConnection) -> None:
        await said(socket)
        await socket.send(welcome())
        assert await said(socket) == {"type": "media", "item": "lec"}
        document = {"version": "v1", "hls_url": "/v1/media/t/master.m3u8"}
        await socket.send(pack(type="media", item="lec", media=document, code="", retry_after_ms=0))
        await said(socket)
        await socket.send(pack(type="media", item="lec", media=None, code="busy", retry_after_ms=1500))
        await socket.wait_closed()

    async with peer(script) as url, kiosk(url) as device:
        assert (await device.media("lec", WAIT_S))["version"] == "v1"
        with pytest.raises(MediaRefused, match="ask again") as refused:
            await device.media("lec", WAIT_S)
        assert (refused.value.code, refused.value.retry_after_ms) == ("busy", 1500)
