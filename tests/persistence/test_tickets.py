"""Tickets are used once, by their device, in time, and nobody who reads Redis learns one (W6, A10)."""

import asyncio
import time

import msgspec
import pytest

from persistence.errors import StoreUnavailable
from persistence.redis import Redis, open_redis
from persistence.tickets import LIFETIME_MS, Ticket, TicketRefused, Tickets

TICKET = Ticket("mira", "Mira", "phone", int(time.time()) + 600)


async def test_w6_a_ticket_is_used_once(redis: Redis) -> None:
    tickets = Tickets(redis)
    secret = await tickets.issue(TICKET)
    results = await asyncio.gather(
        *(tickets.redeem(secret, "phone") for _ in range(20)), return_exceptions=True
    )
    assert [result for result in results if not isinstance(result, TicketRefused)] == [TICKET]


async def test_w6_a_ticket_is_for_its_device_and_used_up_by_the_attempt(redis: Redis) -> None:
    tickets = Tickets(redis)
    secret = await tickets.issue(TICKET)
    for device in ("tv", "phone"):
        with pytest.raises(TicketRefused):
            await tickets.redeem(secret, device)


async def test_w6_a_ticket_runs_out(redis: Redis) -> None:
    before = set(await redis.keys("playhead1:ticket:*"))
    secret = await Tickets(redis).issue(TICKET)
    (name,) = set(await redis.keys("playhead1:ticket:*")) - before
    assert 0 < await redis.pttl(name) <= LIFETIME_MS == 30_000
    await redis.pexpire(name, 0)
    with pytest.raises(TicketRefused):
        await Tickets(redis).redeem(secret, "phone")


async def test_a10_only_the_hash_is_kept(redis: Redis) -> None:
    secret = await Tickets(redis).issue(TICKET)
    for name in await redis.keys("playhead1:ticket:*"):
        assert isinstance(name, bytes)
        assert secret.encode() not in name
        assert secret.encode() not in (await redis.get(name) or b"")


@pytest.mark.parametrize("secret", ["", "x", "x" * 129, "\x00", "\ud800", "*"])
async def test_a_made_up_ticket_is_refused(redis: Redis, secret: str) -> None:
    with pytest.raises(TicketRefused):
        await Tickets(redis).redeem(secret, "phone")


async def test_f17_a_poisoned_ticket_is_refused(redis: Redis) -> None:
    before = set(await redis.keys("playhead1:ticket:*"))
    secret = await Tickets(redis).issue(TICKET)
    (name,) = set(await redis.keys("playhead1:ticket:*")) - before
    for poison in (b"\xff", msgspec.msgpack.encode({"student": 5})):
        await redis.set(name, poison)
        with pytest.raises(TicketRefused):
            await Tickets(redis).redeem(secret, "phone")


async def test_without_redis_nobody_is_let_in() -> None:
    gone = open_redis("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable):
        await Tickets(gone).issue(TICKET)
    with pytest.raises(StoreUnavailable):
        await Tickets(gone).redeem("x", "phone")
    await gone.aclose()
