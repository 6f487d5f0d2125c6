"""Sockets in front of real shards: sequence numbers, places and devices that cannot be, across gateways."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest
import pytest_asyncio
import ray

from actors.named import ActorSpec, create, named_actor
from gateway import wiring
from gateway.sockets.actor import SocketGateway
from tests.acceptance.system import System
from tests.gateway.sockets.conftest import events, now, played
from tests.gateway.sockets.raw import BINARY, JSON, V1, Raw, frame, leave_all


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def no_socket_left() -> AsyncIterator[None]:
    yield
    await leave_all()


def hello(system: System, student: str, device: str) -> dict[str, Any]:
    return {
        "type": "hello",
        "device": {"id": device, "kind": "phone", "name": "A phone"},
        "clock": {"wall": now(), "mono_ms": 1000, "boot": "boot-1"},
        "token": system.token(student),
    }


async def join(
    system: System, student: str, device: str, protocol: str = V1, port: int | None = None
) -> tuple[Raw, dict[str, Any]]:
    raw = await Raw.open(("127.0.0.1", port or system.settings.sockets.port), protocol)
    raw.say(hello(system, student, device))
    return raw, await raw.message("welcome")


def beat(seq: int, item: str, **more: Any) -> dict[str, Any]:
    return played(seq, item=item, version="v1", **more)


async def test_the_gateway_runs_on_uvloop_and_tells_about_itself(system: System) -> None:
    gateway = await named_actor("gateway:socket:0")
    stats = await gateway.stats.remote()
    assert stats["loop"].startswith("uvloop")
    assert stats["health"] == "ok" and stats["address"][1] == system.settings.sockets.port
    raw = await Raw.connect(tuple(stats["observe"]))
    raw.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(10):
        assert b"playhead_socket_connections" in await raw.reader.read()


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_w17_repeats_gaps_and_impossible_seqs(system: System, protocol: str) -> None:
    student, item = await system.student(), await system.lecture()
    raw, welcome = await join(system, student, "phone", protocol)
    assert (welcome["applied_seq"], welcome["durable_seq"]) == (0, 0)
    raw.say(events(beat(1, item), beat(2, item)))
    assert (await raw.message("applied"))["seq"] == 2
    for entries in ((beat(2, item), beat(1, item)), (beat(1, item), beat(1, item))):
        raw.say(events(*entries))
        assert (await raw.message("applied"))["seq"] == 2
    raw.say(events(beat(4, item)))
    resync = await raw.message("resync")
    assert (resync["from_seq"], resync["reason"], resync["epoch"]) == (3, "gap", welcome["epoch"])
    raw.say(events(beat(3, item)))
    assert (await raw.message("applied"))["seq"] == 4
    for impossible in (0, -1, 2**53):
        raw.say(events(beat(impossible, item)))
        assert (await raw.message("error"))["code"] == "seq_range"
    assert (await raw.closed()).code == 4502
    again, welcome = await join(system, student, "phone", protocol)
    assert welcome["applied_seq"] == 4
    again.say({"type": "pull", "items": [item]})
    assert (await again.message("head"))["content_ms"] == 40_000


async def test_w17_a_gap_that_is_not_filled_is_closed_with_4006(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    raw, _ = await join(system, student, "phone")
    raw.say(events(beat(2, item)))
    await raw.message("resync")
    closed = await raw.closed()
    assert closed.code == 4006 and closed.reason["code"] == "resync"


async def test_w18_places_and_items_that_cannot_be_are_rejected_and_move_nothing(system: System) -> None:
    student, item = await system.student(), await system.lecture(60_000)
    raw, _ = await join(system, student, "phone")
    raw.say(
        events(
            beat(1, item, kind="play", position_ms=0),
            beat(2, item, from_ms=0, to_ms=10_000),
            beat(3, item, position_ms=-1),
            beat(4, item, from_ms=60_000, to_ms=80_000),
            beat(5, item, to_ms=2**31),
            beat(6, "no-such-item"),
            {**beat(7, item), "version": "v999"},
        )
    )
    codes: dict[int, str] = {}
    while len(codes) < 5:
        said = await raw.message("rejected")
        codes[said["seq"]] = said["code"]
    assert codes == {3: "malformed", 4: "beyond_end", 5: "malformed", 6: "unknown_item", 7: "unknown_version"}
    assert (await raw.message("applied"))["seq"] == 7
    raw.say({"type": "pull", "items": [item, "no-such-item"]})
    head = await raw.message("head")
    assert (head["item"], head["position_ms"], head["content_ms"]) == (item, 10_000, 10_000)


async def test_w21_the_same_device_id_of_two_students_is_two_devices(system: System) -> None:
    item, device = await system.lecture(), f"shared-{uuid.uuid4().hex[:6]}"
    first, _ = await join(system, await system.student(), device)
    first.say(events(beat(1, item), beat(2, item), beat(3, item)))
    assert (await first.message("applied"))["seq"] == 3
    second, welcome = await join(system, await system.student(), device)
    assert welcome["applied_seq"] == 0
    second.say({"type": "pull", "items": [item]})
    assert (await second.message("head"))["rev"] == 0


@pytest_asyncio.fixture(loop_scope="session")
async def second_port(system: System) -> AsyncIterator[int]:
    """Another socket gateway of the same system, on a port of its own."""
    settings = wiring.socket_settings(system.settings, system.stores, system.keys.jwks)
    name = f"gateway:socket:{uuid.uuid4().hex[:6]}"
    actor = create(ActorSpec(name, SocketGateway, (name, replace(settings, port=0, reuse_port=False))))
    async with asyncio.timeout(60):
        _, port = await actor.start.remote()
    yield port
    async with asyncio.timeout(40):
        await actor.drain.remote()
    ray.kill(actor)


async def test_w22_a_device_that_comes_back_elsewhere_replaces_itself(
    system: System, second_port: int
) -> None:
    student, item = await system.student(), await system.lecture()
    older, _ = await join(system, student, "phone")
    older.say(events(beat(1, item)))
    assert (await older.message("applied"))["seq"] == 1
    newer, welcome = await join(system, student, "phone", port=second_port)
    assert welcome["applied_seq"] == 1
    closed = await older.closed()
    assert closed.code == 4505 and closed.reason == {"code": "replaced"}
    newer.say(events(beat(2, item)))
    assert (await newer.message("applied"))["seq"] == 2


async def test_p10_devices_on_two_gateways_see_each_other(system: System, second_port: int) -> None:
    student, item = await system.student(), await system.lecture()
    phone, _ = await join(system, student, "phone")
    tv, _ = await join(system, student, "tv", JSON, port=second_port)
    phone.say(events(beat(1, item, kind="play", position_ms=0), beat(2, item)))
    head = await tv.message("head")
    while head["position_ms"] != 20_000:
        head = await tv.message("head")
    assert (head["item"], head["device"]) == (item, "phone")


async def test_w26_a_recorded_session_replayed_changes_nothing(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    recorded = frame(BINARY, msgpack.packb(events(beat(1, item), beat(2, item))))
    raw, _ = await join(system, student, "phone")
    raw.write(recorded)
    assert (await raw.message("applied"))["seq"] == 2
    raw.say({"type": "pull", "items": [item]})
    before = await raw.message("head")
    again, _ = await join(system, student, "phone")
    again.write(recorded * 3)
    # Acknowledgements are cumulative: what goes in one batch is answered at once.
    assert (await again.message("applied"))["seq"] == 2
    again.say({"type": "pull", "items": [item]})
    after = await again.message("head")
    assert (after["rev"], after["content_ms"]) == (before["rev"], before["content_ms"])
