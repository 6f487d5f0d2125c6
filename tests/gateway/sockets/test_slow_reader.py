"""Peers that do not read: bounded here, invisible to the others, told what they missed."""

import asyncio

from tests.gateway.sockets.conftest import NAME, Gateway, Joined, Start
from tests.gateway.sockets.raw import V1
from tests.gateway.sockets.shards import Deliver

BIG = b"\x81\xa1x\xc5\x0f\xa0" + b"x" * 4000
"""A push of 4 KB; what it says does not matter here."""


def conn_of(gateway: Gateway) -> int:
    return max(gateway.shards["shard:0"].conns())


async def push(gateway: Gateway, conn: int, frame: bytes, key: str | None) -> None:
    gateway.shards["shard:0"].tell(NAME, [Deliver([conn], frame, key)])
    await asyncio.sleep(0)


async def slow_peer(gateway: Gateway) -> tuple[Joined, int]:
    """A peer with a small receive buffer that stops reading, and its number."""
    peer = await gateway.join("mira", "slow", V1, receive_buffer=4096)
    return peer, conn_of(gateway)


async def fill(gateway: Gateway, conn: int) -> None:
    """Push one item's head until kernel and transport are full, so that the outbox begins."""
    for n in range(2000):
        await push(gateway, conn, BIG, f"head:item-{n % 2}")
        if gateway.metrics.write_buffer_max:
            return
    raise AssertionError("2000 pushes of 4 KB went into the kernel")


async def test_w14_a_slow_reader_is_cut_with_4002_and_costs_no_more_than_its_share(start: Start) -> None:
    gateway = await start(stuck_s=60.0, closing_s=5.0)
    peer, conn = await slow_peer(gateway)
    fast = await gateway.join("noor", "phone")
    for _ in range(20_000):
        await push(gateway, conn, BIG, None)
        if gateway.metrics.closes[4002]:
            break
    limits = gateway.server.limits
    assert gateway.metrics.closes[4002] == 1
    assert gateway.metrics.write_buffer_max <= limits.unsent_bytes + 2 * len(BIG)
    fast.say({"type": "ping", "n": 1})
    assert (await fast.message("pong"))["n"] == 1
    assert (await peer.closed()).code == 4002, "a peer that reads again hears why"


async def test_w14_a_stuck_reader_is_cut_after_a_while(start: Start) -> None:
    gateway = await start(stuck_s=0.3, closing_s=0.3)
    _, conn = await slow_peer(gateway)
    await fill(gateway, conn)
    await gateway.settled(lambda: gateway.metrics.closes[4002] == 1)
    await gateway.settled(lambda: gateway.server.connections == 0)


async def test_w14_of_a_head_only_the_latest_waits(start: Start) -> None:
    gateway = await start(stuck_s=60.0)
    peer, conn = await slow_peer(gateway)
    await fill(gateway, conn)
    before = gateway.metrics.write_buffer_max
    for _ in range(3000):
        await push(gateway, conn, BIG, "head:item-0")
    assert gateway.metrics.write_buffer_max <= before + 2 * (len(BIG) + 10)
    assert gateway.metrics.closes[4002] == 0
    last = b"\x82\xa4type\xa4head\xa4item\xa6latest"
    await push(gateway, conn, last, "head:item-0")
    while (await peer.frame())[1] != last:
        pass


async def test_w14_a_peer_that_reads_again_hears_what_was_dropped(start: Start) -> None:
    gateway = await start(stuck_s=60.0, heads_waiting_bytes=20_000)
    peer, conn = await slow_peer(gateway)
    await fill(gateway, conn)
    for n in range(20):
        await push(gateway, conn, BIG, f"head:item-{n}")
    said = await peer.message("discontinuity")
    assert said["items"] == sorted(f"item-{n}" for n in range(4, 20))
    assert gateway.metrics.discontinuities == 1
    assert gateway.metrics.closes[4002] == 0


async def test_w14_more_dropped_than_can_be_named_is_cut(start: Start) -> None:
    gateway = await start(stuck_s=60.0, heads_waiting_bytes=20_000, items_dropped=10)
    _, conn = await slow_peer(gateway)
    await fill(gateway, conn)
    for n in range(20):
        await push(gateway, conn, BIG, f"head:item-{n}")
    assert gateway.metrics.closes[4002] == 1


async def test_p8_everything_without_a_key_arrives_in_order_after_a_pause(start: Start) -> None:
    gateway = await start(stuck_s=60.0)
    peer, conn = await slow_peer(gateway)
    await fill(gateway, conn)
    frames = [b"\x81\xa1n\xcd" + n.to_bytes(2, "big") for n in range(300)]
    for frame in frames:
        await push(gateway, conn, frame, None)
    seen: list[bytes] = []
    while len(seen) < 300:
        _, payload = await peer.frame()
        if payload.startswith(b"\x81\xa1n"):
            seen.append(payload)
    assert seen == frames
