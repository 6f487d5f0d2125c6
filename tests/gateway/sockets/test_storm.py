"""A gateway in a storm (F22): who is too many hears when to come back, who is in is served."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from gateway.sockets import server as server_module
from gateway.sockets.admission import AdmissionLimits
from tests.gateway.sockets.conftest import Gateway, Start, events, played
from tests.gateway.sockets.raw import BINARY, CLOSE, JSON, V1, Raw, frame, request
from tests.gateway.sockets.test_server import certificate

FEW = AdmissionLimits(per_s=40.0, per_s_min=40.0, burst=5)
NOBODY = AdmissionLimits(per_s=0.001, per_s_min=0.001, burst=1)


async def come(gateway: Gateway, student: str) -> tuple[Raw, Any]:
    """Connect and say hello at once, as clients do; gives the first frame."""
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello(student))
    return raw, await raw.frame()


async def until_in(gateway: Gateway, student: str) -> tuple[int, list[int]]:
    """Come back whenever told, until welcomed; gives the tries and the waits."""
    waits: list[int] = []
    while True:
        raw = await Raw.open(gateway.address)
        raw.say(gateway.hello(student))
        opcode, payload = await raw.frame()
        if opcode == BINARY:
            assert raw.unpacked(payload)["type"] == "welcome"
            return len(waits) + 1, waits
        reason = json.loads(payload[2:])
        assert int.from_bytes(payload[:2]) == 4004 and reason["code"] == "overload"
        await raw.leave()
        waits.append(reason["retry_after_ms"])
        await asyncio.sleep(waits[-1] / 1000)


async def test_f22_everybody_gets_in_in_turn(start: Start) -> None:
    gateway = await start(admission=FEW)
    async with asyncio.timeout(30):
        came = await asyncio.gather(*(until_in(gateway, f"student-{n}") for n in range(40)))
    first = [waits[0] for _, waits in came if waits]
    assert 30 <= len(first) <= 35 and len(set(first)) == len(first), "everybody has a time of their own"
    assert max(first) - min(first) == pytest.approx(1000 * len(first) / (0.8 * FEW.per_s), rel=0.2)
    assert gateway.metrics.greeted == 40 and gateway.metrics.postponed == sum(tries - 1 for tries, _ in came)
    assert gateway.server.admission.attaching == 0


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_f22_a_library_client_hears_when_to_come_back(start: Start, protocol: str) -> None:
    gateway = await start(admission=NOBODY, closing_s=60.0)
    await gateway.join()
    url = "ws://{}:{}/v1/socket".format(*gateway.address)
    async with asyncio.timeout(8), connect(url, subprotocols=[protocol]) as client:  # type: ignore[list-item]
        with pytest.raises(ConnectionClosedError) as ended:
            await client.send("x" * 200)
            await client.recv()
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 4004
    assert '"retry_after_ms": 1000' in ended.value.rcvd.reason
    await gateway.settled(lambda: gateway.server.connections == 1)


async def test_f22_over_tls_as_well(start: Start, tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    gateway = await start(admission=NOBODY, settings={"tls_certificate": str(pem), "tls_key": str(key)})
    trust = ssl.create_default_context(cafile=str(pem))
    url = f"wss://127.0.0.1:{gateway.address[1]}/v1/socket"
    async with (
        connect(url, ssl=trust, subprotocols=[V1]),  # type: ignore[list-item]
        connect(url, ssl=trust, subprotocols=[V1]) as client,  # type: ignore[list-item]
    ):
        with pytest.raises(ConnectionClosedError) as ended:
            await client.recv()
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 4004


async def test_f22_an_unusual_handshake_waits_its_turn_too(start: Start) -> None:
    gateway = await start(admission=NOBODY)
    await gateway.join()
    raw = await Raw.open(gateway.address, headers=(("Upgrade", "WebSocket"), ("X", "\xe9")))
    assert (await raw.closed()).code == 4004


async def test_f22_nothing_is_read_of_one_who_is_too_many(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start(admission=NOBODY)
    await gateway.join()
    monkeypatch.setattr(
        gateway.server.authenticator, "by_token", lambda _: pytest.fail("a signature is looked at")
    )
    raw, (opcode, _) = await come(gateway, "noor")
    assert opcode == CLOSE
    assert gateway.metrics.frames_in == 1, "the hello of the one who is in"
    await raw.leave()


async def test_f22_who_is_in_is_served_meanwhile(start: Start) -> None:
    gateway = await start(admission=NOBODY)
    mira = await gateway.join()

    over = asyncio.Event()

    async def storm() -> None:
        while not over.is_set():
            raw, _ = await come(gateway, "noor")
            await raw.leave()

    storms = [asyncio.create_task(storm()) for _ in range(20)]
    for seq in range(1, 21):
        mira.say(events(played(seq)))
        assert (await mira.message("applied"))["seq"] == seq
    over.set()
    await asyncio.gather(*storms)
    assert gateway.metrics.postponed > 0 and gateway.server.health == "ok", (
        "a storm is no reason to restart us"
    )


async def test_f22_in_a_storm_those_let_in_attach_together(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "GATHER_STORM_S", 60.0)
    monkeypatch.setattr(server_module, "GATHER_MAX", 20)
    gateway = await start(admission=AdmissionLimits(burst=20, per_s=0.001, per_s_min=0.001))
    gateway.server.admission.postpone(gateway.server.loop.time() + 30)
    calls = gateway.shards["shard:0"].calls
    waiting = []
    for n in range(20):
        raw = await Raw.open(gateway.address)
        said = (gateway.hello(f"student-{n}"), {"type": "ping", "n": n})
        raw.write(b"".join(frame(BINARY, msgpack.packb(message)) for message in said))
        waiting.append(raw)
        if n == 18:
            await gateway.settled(lambda: gateway.metrics.frames_in >= 19)
            assert gateway.server.admission.attaching == 0
            await waiting.pop(3).leave()  # one cannot wait
    heard = [{(await raw.message())["type"] for _ in range(2)} for raw in waiting]
    assert heard == [{"welcome", "pong"}] * 19, "what was said meanwhile is not lost"
    assert gateway.shards["shard:0"].calls - calls <= 4, "one batch, and perhaps one that asks if it lives"


async def test_f22_a_crowd_that_nobody_sends_away_attaches_together_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "GATHER_CROWD_S", 60.0)
    monkeypatch.setattr(server_module, "GATHER_MAX", 10)
    monkeypatch.setattr(server_module, "ADMISSION_LOOK_S", 60.0)
    gateway = await start(admission=AdmissionLimits(crowd=5))
    first = [await gateway.join(f"early-{n}") for n in range(4)]
    waiting = [await Raw.open(gateway.address) for _ in range(10)]
    for n, raw in enumerate(waiting[:9]):
        raw.say(gateway.hello(f"student-{n}"))
    await gateway.settled(lambda: gateway.metrics.frames_in == len(first) + 9)
    assert gateway.metrics.greeted == len(first) and gateway.server.admission.attaching == 0
    calls = gateway.shards["shard:0"].calls
    waiting[9].say(gateway.hello("student-9"))
    for raw in waiting:
        await raw.message("welcome")
    assert gateway.metrics.postponed == 0
    assert gateway.shards["shard:0"].calls - calls <= 4, "one batch, and perhaps one that asks if it lives"


async def test_f22_the_last_of_a_storm_are_not_forgotten(start: Start) -> None:
    gateway = await start(admission=AdmissionLimits(burst=5))
    gateway.server.admission.postpone(gateway.server.loop.time() + 30)
    assert (await gateway.join("mira")).welcome["student"] == "mira"


async def test_f22_shards_that_stay_silent_stop_the_turnstile(start: Start) -> None:
    gateway = await start(admission=AdmissionLimits(attaching=3))
    gateway.shards["shard:0"].available.clear()
    asked = [await Raw.open(gateway.address) for _ in range(3)]
    for n, raw in enumerate(asked):
        raw.say(gateway.hello(f"student-{n}"))
    await gateway.settled(lambda: gateway.server.admission.attaching == 3)
    _, (opcode, _) = await come(gateway, "noor")
    assert opcode == CLOSE
    await asked.pop().leave()
    await gateway.settled(lambda: gateway.server.admission.attaching == 2)
    asked.append(await Raw.open(gateway.address))
    asked[-1].say(gateway.hello("noor"))
    gateway.shards["shard:0"].available.set()
    for raw in asked:
        await raw.message("welcome")
    assert gateway.server.admission.attaching == 0


async def test_w1_one_who_was_sent_away_is_no_unfinished_handshake(start: Start) -> None:
    gateway = await start(admission=NOBODY, pending_per_ip=3, proxies=(), closing_s=60.0)
    await gateway.join()
    for _ in range(10):
        assert (await (await Raw.open(gateway.address)).closed()).code == 4004


async def test_w1_loopback_speaks_for_many_by_default(start: Start) -> None:
    gateway = await start(pending_per_ip=3)
    waiting = [await Raw.connect(gateway.address) for _ in range(10)]
    await gateway.settled(lambda: gateway.server.connections == 10)
    waiting[-1].write(request())
    assert (await waiting[-1].response())[0] == 101
