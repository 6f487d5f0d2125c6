"""P29: a slot that is handed over whole: the gateway takes its connections along, and no device notices."""

import asyncio
from typing import Any

import pytest

from actors.batch import AllDurable
from actors.core.placement import slot_of
from actors.core.session import REV_SHIFT
from gateway.sockets import held
from tests.gateway.sockets.conftest import NAME, Gateway, Joined, Start, events, played
from tests.gateway.sockets.shards import ShardHere

STUDENT = "mira"
SLOT = slot_of(STUDENT)


class Moving:
    """A gateway with two shards, and the slot of a student that goes from one to the other."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.here = gateway.shard_of(STUDENT)
        (self.there,) = (shard for shard in gateway.shards.values() if shard is not self.here)

    def freeze(self) -> None:
        """From now on the former owner answers `moved`."""
        self.here.slots.remove(SLOT)

    def thaw(self) -> None:
        """It could not be given away, and is served where it was."""
        self.here.slots.add(SLOT)

    def hand_over(self) -> None:
        """The next owner has all that was applied, and all of it is durable."""
        session = self.here.residents[STUDENT].session
        for device in session.devices.values():
            device.durable_seq = device.applied_seq
        self.here.residents.drop({SLOT})
        former = session.slot_epoch
        self.there.epoch = former + 2
        session.rev_floor = self.there.epoch << REV_SHIFT
        self.there.residents.continues[SLOT] = former
        self.there.residents.admit(session, 0)
        self.there.slots.add(SLOT)

    async def tell(self) -> None:
        """The gateway hears the map."""
        self.gateway.map_version += 1
        self.gateway.router.set_map(*await self.gateway.fetch_map())

    def content_ms(self, shard: ShardHere) -> int:
        return shard.residents[STUDENT].session.items["lecture"].content_ms


@pytest.fixture
async def moving(start: Start) -> Moving:
    return Moving(await start(shards=2))


async def until_applied(raw: Joined, seq: int) -> list[dict[str, Any]]:
    """What the device hears until so much is applied."""
    heard: list[dict[str, Any]] = []
    while True:
        message = await raw.message()
        heard.append(message)
        if message["type"] == "applied" and message["seq"] >= seq:
            return heard


def resyncs(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in heard if message["type"] == "resync"]


async def test_p29_nothing_is_asked_again_of_a_device_whose_slot_moved(moving: Moving) -> None:
    raw = await moving.gateway.join(STUDENT)
    raw.say(events(played(1)))
    await until_applied(raw, 1)
    moving.freeze()
    moving.hand_over()
    await moving.tell()
    told = [await raw.message(), await raw.message()]
    said = [(message["type"], message["seq"]) for message in told]
    assert said == [("applied", 1), ("durable", 1)], "the former owner may be gone before it could say so"
    raw.say(events(played(2)))
    assert resyncs(await until_applied(raw, 2)) == []
    assert moving.content_ms(moving.there) == 20_000
    assert moving.gateway.metrics.closes.total() == 0


async def test_p29_what_is_said_meanwhile_arrives_once_and_in_order(moving: Moving) -> None:
    raw = await moving.gateway.join(STUDENT)
    raw.say(events(played(1)))
    await until_applied(raw, 1)
    moving.freeze()
    raw.say(events(played(2)))
    await moving.gateway.settled(lambda: SLOT in moving.gateway.router._held)
    raw.say(events(played(3)))
    raw.say(events(played(4)))
    moving.hand_over()
    await moving.tell()
    assert resyncs(await until_applied(raw, 4)) == []
    assert moving.content_ms(moving.there) == 40_000
    assert len(moving.gateway.router._held) == 0


async def test_p29_a_slot_that_could_not_be_given_away_goes_on_where_it_was(moving: Moving) -> None:
    raw = await moving.gateway.join(STUDENT)
    moving.freeze()
    raw.say(events(played(1)))
    await moving.gateway.settled(lambda: SLOT in moving.gateway.router._held)
    raw.say(events(played(2)))
    moving.thaw()
    assert resyncs(await until_applied(raw, 2)) == []
    assert moving.content_ms(moving.here) == 20_000


async def test_p29_what_has_no_answer_yet_goes_along(moving: Moving) -> None:
    """The batch may have arrived or not: whoever has the slot now knows it by its numbers."""
    raw = await moving.gateway.join(STUDENT)
    moving.here.available.clear()
    raw.say(events(played(1)))
    lane = moving.gateway.router._lanes[moving.here.name]
    await moving.gateway.settled(lambda: any(said.student == STUDENT for said in lane._in_flight))
    raw.say(events(played(2)))
    await moving.gateway.settled(lambda: len(lane) == 1)
    moving.freeze()
    moving.hand_over()
    await moving.tell()
    assert resyncs(await until_applied(raw, 2)) == []
    assert moving.content_ms(moving.there) == 20_000
    moving.here.available.set()


async def test_p29_the_late_word_of_the_former_owner_is_not_passed_on(moving: Moving) -> None:
    raw = await moving.gateway.join(STUDENT)
    raw.say(events(played(1)))
    await until_applied(raw, 1)
    (conn,) = moving.here.conns()
    moving.freeze()
    moving.hand_over()
    await moving.tell()
    raw.say(events(played(2)))
    await until_applied(raw, 2)
    moving.here.tell(NAME, [AllDurable({conn: 1})])
    raw.say({"type": "ping", "n": 1})
    assert (await raw.message())["type"] == "pong"


async def test_p27_who_lost_something_on_the_way_resends(moving: Moving) -> None:
    """An owner that was found without a word of the former one's."""
    raw = await moving.gateway.join(STUDENT)
    raw.say(events(played(1)))
    await until_applied(raw, 1)
    moving.freeze()
    moving.hand_over()
    moving.there.residents.continues.clear()
    await moving.tell()
    assert (await raw.message("resync"))["reason"] == "epoch"


async def test_p27_updates_left_in_the_journal_are_asked_for_by_the_next_owner(start: Start) -> None:
    """A shard that is behind gives the slot away: what was let go meanwhile reaches the new one, once."""
    moving = Moving(await start(shards=2, settings={"lane_updates": 3, "call_s": 30.0}))
    raw = await moving.gateway.join(STUDENT)
    moving.here.available.clear()
    for n in range(12):
        raw.say(events(played(n + 1)))
    await moving.gateway.settled(lambda: moving.gateway.metrics.deferred == 1)
    moving.freeze()
    moving.hand_over()
    await moving.tell()
    moving.here.available.set()
    applied = 0
    while applied < 12:
        message = await raw.message()
        if message["type"] == "resync":
            raw.say(events(*(played(n) for n in range(message["from_seq"], 13))))
        elif message["type"] == "applied":
            applied = message["seq"]
    assert moving.content_ms(moving.there) == 120_000
    assert moving.gateway.metrics.closes.total() == 0


async def test_a_shard_that_gave_a_slot_back_to_itself_hears_of_its_connections(moving: Moving) -> None:
    raw = await moving.gateway.join(STUDENT)
    moving.here.residents.drop({SLOT})
    moving.here.epoch += 2
    moving.gateway.router.attach_slots({SLOT})
    assert await moving.gateway.router.arrived({SLOT}, 5.0)
    assert len(moving.here.conns()) == 1
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1


async def test_held_operations_are_bounded(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_MAX", 3)
    raw = await moving.gateway.join(STUDENT)
    moving.freeze()
    for seq in range(1, 9):
        raw.say(events(played(seq)))
        await moving.gateway.settled(lambda seq=seq: moving.gateway.metrics.entries_in >= seq)  # type: ignore[misc]
        if moving.gateway.metrics.closes:
            break
    assert (await raw.closed()).code == 4004


async def test_a_shard_that_had_nothing_for_a_while_is_heard_again(moving: Moving) -> None:
    """A change that failed half-way leaves such a shard behind; the next one may give it slots again."""
    raw, router = await moving.gateway.join(STUDENT), moving.gateway.router
    raw.say(events(played(1)))
    await until_applied(raw, 1)
    _, owners = await moving.gateway.fetch_map()
    moving.there.slots |= moving.here.slots
    moving.freeze()
    moving.hand_over()
    router.set_map(10, [moving.there.name] * len(owners))
    await moving.gateway.settled(lambda: moving.here.name not in router._lives)
    moving.here, moving.there = moving.there, moving.here
    moving.freeze()
    moving.hand_over()
    router.set_map(11, owners)
    raw.say(events(played(2)))
    async with asyncio.timeout(5):
        assert resyncs(await until_applied(raw, 2)) == []
