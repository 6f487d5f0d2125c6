"""A device and its gateway: hello, journal, heads, heartbeats, in both ways of writing."""

import pytest

from tests.gateway.sockets.conftest import Gateway, events, played
from tests.gateway.sockets.raw import JSON, V1


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_p3_hello_is_answered_by_welcome(gateway: Gateway, protocol: str) -> None:
    raw = await gateway.join("mira", "phone", protocol)
    welcome = raw.welcome
    assert (welcome["student"], welcome["device"], welcome["protocol"]) == ("mira", "phone", protocol)
    assert (welcome["epoch"], welcome["applied_seq"], welcome["durable_seq"]) == (2, 0, 0)
    assert welcome["limits"]["frame_bytes"] == 16384
    await raw.leave()


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_p26_entries_are_applied_then_durable_and_the_other_device_sees_the_head(
    gateway: Gateway, protocol: str
) -> None:
    phone = await gateway.join("mira", "phone", protocol)
    tv = await gateway.join("mira", "tv", V1)
    phone.say(events(played(1, kind="play", position_ms=0), played(2)))
    assert (await phone.message("applied"))["seq"] == 2
    head = await tv.message("head")
    assert (head["item"], head["device"], head["device_name"]) == ("lecture", "phone", "Mira's phone")
    gateway.shards["shard:0"].commit("gateway:socket:0", "mira")
    assert (await phone.message("durable"))["seq"] == 2
    await phone.leave()
    await tv.leave()


async def test_p6_ping_is_answered_with_the_servers_time(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say({"type": "ping", "n": 7})
    pong = await raw.message()
    assert pong["type"] == "pong" and pong["n"] == 7 and pong["server_ms"] >= raw.welcome["server_ms"]
    await raw.leave()
