"""Who may be here, as whom, from how many devices, for how long."""

import asyncio
import time
from typing import Any

import pytest

from persistence.embedded import Embedded
from persistence.redis import open_redis
from persistence.tickets import Ticket, Tickets
from tests.gateway.sockets.conftest import Gateway, Start, events, now, played
from tests.gateway.sockets.raw import BINARY, JSON, Closed, Raw, frame


async def closed_after(gateway: Gateway, said: dict[str, Any]) -> Closed:
    raw = await Raw.open(gateway.address)
    raw.say(said)
    closed = await raw.closed()
    await raw.leave()
    return closed


def ticket_of(student: str, device: str) -> Ticket:
    return Ticket(student, student.title(), device, int(time.time()) + 600)


async def test_w6_a_ticket_opens_one_socket_of_its_device(start: Start, embedded: Embedded) -> None:
    redis = open_redis(embedded.redis_url)
    tickets = Tickets(redis)
    gateway = await start(tickets=tickets)

    secret = await tickets.issue(ticket_of("mira", "phone"))
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello(token=None, ticket=secret))
    raw.say({"type": "ping", "n": 1})  # waits for the ticket, is not lost
    assert {(await raw.message())["type"] for _ in range(2)} == {"welcome", "pong"}

    reused = gateway.hello("mira", "other", token=None, ticket=secret)
    assert (await closed_after(gateway, reused)).code == 4500
    elsewhere = await tickets.issue(ticket_of("mira", "phone"))
    assert (
        await closed_after(gateway, gateway.hello("mira", "tv", token=None, ticket=elsewhere))
    ).code == 4500
    assert (await closed_after(gateway, gateway.hello(token=None, ticket=elsewhere))).code == 4500
    await raw.leave()
    await redis.aclose()


async def test_w6_of_twenty_with_one_ticket_one_gets_in(start: Start, embedded: Embedded) -> None:
    redis = open_redis(embedded.redis_url)
    tickets = Tickets(redis)
    gateway = await start(tickets=tickets)
    secret = await tickets.issue(ticket_of("mira", "phone"))
    sockets = [await Raw.open(gateway.address) for _ in range(20)]
    for raw in sockets:
        raw.say(gateway.hello(token=None, ticket=secret))
    frames = await asyncio.gather(*(raw.frame() for raw in sockets))
    assert sorted(opcode for opcode, _ in frames) == [BINARY] + [8] * 19
    for raw in sockets:
        await raw.leave()
    await redis.aclose()


async def test_w6_a_silent_ticket_store_is_no_refusal(start: Start) -> None:
    redis = open_redis("redis://127.0.0.1:1/0")
    gateway = await start(tickets=Tickets(redis), ticket_s=0.5)
    closed = await closed_after(gateway, gateway.hello(token=None, ticket="x"))
    assert closed.code == 4004 and closed.reason["retry_after_ms"] >= 1000
    await redis.aclose()


@pytest.mark.parametrize(
    "said",
    [
        events(played(1)),
        {"type": "ping", "n": 1},
        {"type": "pull", "items": ["lecture"]},
        {"type": "what"},
        {"type": "hello"},
    ],
)
async def test_w7_the_first_frame_is_hello(gateway: Gateway, said: dict[str, Any]) -> None:
    assert (await closed_after(gateway, said)).code == 4502


async def test_w7_no_hello_in_time_is_closed(start: Start) -> None:
    gateway = await start(hello_s=0.2)
    raw = await Raw.open(gateway.address)
    assert (await raw.closed()).code == 4502
    await raw.leave()


async def test_w7_a_second_hello_is_closed(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(gateway.hello())
    assert (await raw.closed()).code == 4502
    await raw.leave()


async def test_w7_a_bad_hello_hears_what_is_wrong(gateway: Gateway) -> None:
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello(clock={"wall": "2026-03-02T19:00:00", "mono_ms": 1, "boot": "b"}))
    error = await raw.message()
    assert (error["type"], error["field"], error["strikes_left"]) == ("error", "clock.wall", 0)
    assert (await raw.closed()).code == 4502
    await raw.leave()


async def test_w7_unauthenticated_sockets_are_capped_and_accepting_goes_on_later(start: Start) -> None:
    gateway = await start(pending=4)
    waiting = [await Raw.open(gateway.address) for _ in range(4)]
    assert gateway.server.health == "degraded"
    late = await Raw.connect(gateway.address)  # the kernel queues it
    for raw in waiting:
        await raw.leave()
    late.say(gateway.hello())
    await late.leave()
    raw = await gateway.join()
    assert gateway.server.health == "ok"
    await raw.leave()


@pytest.mark.parametrize(
    "more",
    [
        {"token": None},
        {"token": "x", "ticket": "y"},
        {"token": "not.a.token"},
        {"token": ""},
        {"token": None, "ticket": "no tickets are taken here"},
    ],
)
async def test_p3_what_proves_nobody_is_closed_with_4500(gateway: Gateway, more: dict[str, Any]) -> None:
    closed = await closed_after(gateway, gateway.hello(**more))
    assert closed.code == 4500 and closed.reason == {"code": "auth"}


async def test_p3_tokens_of_another_type_or_run_out_are_refused(gateway: Gateway) -> None:
    refresh = gateway.issuer.issue("refresh", "mira")
    assert (await closed_after(gateway, gateway.hello(token=refresh))).code == 4500
    assert (await closed_after(gateway, gateway.hello(token=gateway.token("mira", -1)))).code == 4500


@pytest.mark.parametrize("name", ["student", "student_id", "course", "course_id"])
async def test_w20_a_body_that_names_somebody_is_forbidden(gateway: Gateway, name: str) -> None:
    said = [
        {"type": "ping", "n": 1, name: "noor"},
        events(played(1, **{name: "noor"})),
        {"type": "ping", "n": 1, "context": {"who": [{name: "noor"}]}},
        {"type": "subscribe", name: "noor"},
        events(played(0, **{name: "noor"})),
    ]
    for body in said:
        raw = await gateway.join()
        raw.say(body)
        assert (await raw.closed()).code == 4504, body
        await raw.leave()
    assert (await closed_after(gateway, gateway.hello(**{name: "noor"}))).code == 4504
    assert "noor" not in gateway.shards["shard:0"].residents


async def test_w21_a_device_id_of_another_student_touches_nobody_else(gateway: Gateway) -> None:
    mira = await gateway.join("mira", "shared")
    mira.say(events(played(1), played(2)))
    assert (await mira.message("applied"))["seq"] == 2
    noor = await gateway.join("noor", "shared")
    assert noor.welcome["applied_seq"] == 0
    noor.say(events(played(1, item="item-1")))
    assert (await noor.message("applied"))["seq"] == 1
    mira.say({"type": "ping", "n": 1})
    while (said := await mira.message())["type"] != "pong":
        assert said["type"] == "head" and said["item"] == "lecture"
    await mira.leave()
    await noor.leave()


@pytest.mark.parametrize("protocol", ["playhead.v1", JSON])
async def test_w22_the_newer_connection_of_a_device_replaces_the_older(
    gateway: Gateway, protocol: str
) -> None:
    older = await gateway.join("mira", "phone", protocol)
    older.say(events(played(1)))
    await older.message("applied")
    newer = await gateway.join("mira", "phone", protocol)
    closed = await older.closed()
    assert closed.code == 4505 and closed.reason == {"code": "replaced"}
    assert newer.welcome["applied_seq"] == 1
    newer.say(events(played(2)))
    assert (await newer.message("applied"))["seq"] == 2
    await older.leave()
    await newer.leave()
    await gateway.settled(lambda: gateway.shards["shard:0"].conns() == [])


async def test_w22_the_older_goes_though_its_shard_is_silent(gateway: Gateway) -> None:
    older = await gateway.join()
    gateway.shards["shard:0"].available.clear()
    newer = await Raw.open(gateway.address)
    newer.say(gateway.hello())
    assert (await older.closed()).code == 4505
    gateway.shards["shard:0"].available.set()
    assert (await newer.message("welcome"))["device"] == "phone"


async def test_w23_messages_beyond_the_rate_are_closed_with_4007(start: Start) -> None:
    gateway = await start(messages_per_s=1.0, message_burst=5)
    raw = await gateway.join()
    for n in range(50):
        raw.say({"type": "ping", "n": n})
    closed = await raw.closed()
    assert closed.code == 4007 and closed.reason["retry_after_ms"] > 0
    await raw.leave()


async def test_w23_a_student_has_at_most_ten_sockets(gateway: Gateway) -> None:
    sockets = [await gateway.join("mira", f"device-{n}") for n in range(10)]
    closed = await closed_after(gateway, gateway.hello("mira", "device-10"))
    assert closed.code == 4004 and closed.reason["retry_after_ms"] > 0
    sockets.append(await gateway.join("noor", "device-0"))
    await sockets.pop(0).leave()
    await gateway.settled(lambda: gateway.server.connections == 10)
    sockets.append(await gateway.join("mira", "device-10"))
    for raw in sockets:
        await raw.leave()


async def test_w24_a_token_that_runs_out_is_closed_with_4008(gateway: Gateway) -> None:
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello(token=gateway.token("mira", 2)))
    await raw.message("welcome")
    assert (await raw.closed()).code == 4008
    await raw.leave()


async def test_w24_a_withdrawn_sign_in_is_closed_with_4501(gateway: Gateway) -> None:
    mira = [await gateway.join("mira", "phone"), await gateway.join("mira", "tv")]
    noor = await gateway.join("noor", "phone")
    assert gateway.server.revoke("mira") == 2
    for raw in mira:
        assert (await raw.closed()).code == 4501
        await raw.leave()
    noor.say({"type": "ping", "n": 1})
    assert (await noor.message("pong"))["n"] == 1
    await noor.leave()


async def test_p6_silence_is_pinged_then_closed_with_4003(start: Start) -> None:
    gateway = await start(heartbeat_ms=500)
    raw = await gateway.join()
    assert (await raw.message())["type"] == "ping"
    assert (await raw.closed()).code == 4003
    await raw.leave()


async def test_p6_a_peer_that_answers_stays(start: Start) -> None:
    gateway = await start(heartbeat_ms=500)
    raw = await gateway.join()
    for _ in range(3):
        ping = await raw.message("ping")
        raw.say({"type": "pong", "n": ping["n"]})
    raw.say({"type": "ping", "n": 9})
    assert (await raw.message("pong"))["n"] == 9
    await raw.leave()


async def test_p3_hello_by_hand_with_a_name_of_control_characters_is_refused(gateway: Gateway) -> None:
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello(clock={"wall": now(), "mono_ms": 1, "boot": "b\x00"}))
    assert (await raw.message("error"))["field"] == "clock.boot"
    await raw.leave()
    raw = await Raw.open(gateway.address)
    raw.write(frame(BINARY, b"\xc1"))
    assert (await raw.message("error"))["code"] == "malformed"
    await raw.leave()


@pytest.mark.parametrize(
    ("said", "again", "code", "field"),
    [
        (b"\xa5phone", b"\xa5phone\xa2id\xa2tv", "duplicate_key", "device"),
        (b"\xa5boot1", b"\xa5boot1\xa4boot\xa5boot2", "duplicate_key", "clock"),
        (b"\xa5boot1", b"\xa5boot1\xa1x\xcb\x7f\xf8" + b"\0" * 6, "not_finite", "clock.x"),
        (b"\xa5boot1", b"\xa5boo\0\x01", "control_character", "clock.boot"),
        (b"\xa5phone", b"\xa5pho\0\x01", "control_character", "device.id"),
        (b"\xa1c\xa5tests", b"\xa1c\xa5tests\xa1c\xa1x", "duplicate_key", ""),
    ],
)
async def test_p3_a_hello_is_read_strictly_to_its_last_key(
    gateway: Gateway, said: bytes, again: bytes, code: str, field: str
) -> None:
    raw = await Raw.open(gateway.address)
    clock = {"wall": now(), "mono_ms": 1, "boot": "boot1"}
    hello = gateway.hello("mira", "phone", clock=clock, client=None, **({} if field else {"c": "tests"}))
    hello["device"] = {"kind": "x", "name": "y", "id": "phone"}
    packed = raw.packed(hello)
    assert isinstance(packed, bytes) and packed.count(said) == 1
    more = again.count(b"\xa2id") + again.count(b"\xa4boot") + again.count(b"\xa1x\xcb")
    head, _, tail = packed.partition(said)
    if more:  # one pair more in the map around it
        at = head.rindex(b"\x83")
        head = head[:at] + b"\x84" + head[at + 1 :]
    if field == "":
        head = bytes((head[0] + 1,)) + head[1:]
    raw.write(frame(BINARY, head + again + tail))
    error = await raw.message("error")
    assert (error["code"], error["field"]) == (code, field)
    assert (await raw.closed()).code == 4502


async def test_p13_a_device_whose_clock_is_wrong_is_told_and_nobody_else(gateway: Gateway) -> None:
    laptop = await gateway.join(device="laptop")
    ahead = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello("mira", "phone", clock={"wall": ahead, "mono_ms": 1000, "boot": "boot-1"}))
    welcome = await raw.message("welcome")
    assert welcome["clock_wrong"] is True
    assert welcome["clock_offset_ms"] == pytest.approx(-3_600_000, abs=10_000)
    assert laptop.welcome["clock_wrong"] is False
    assert laptop.welcome["clock_offset_ms"] == pytest.approx(0, abs=10_000)
    await raw.leave()


async def test_p3_no_client_can_be_the_servers_own_device(gateway: Gateway) -> None:
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello("mira", "api"))
    assert (await raw.message("error"))["field"] == "device.id"
    assert (await raw.closed()).code == 4502
    await raw.leave()
