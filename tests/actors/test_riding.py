"""What rides on an answer is told again unless the answer was heard; nothing overtakes what is on its way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
import pytest_asyncio

from actors.activation import Activation
from actors.batch import (
    AllDurable,
    Apply,
    Attach,
    Batch,
    Deliver,
    Operation,
    Outcomes,
    encode_batch,
    encoder,
    outcomes_decoder,
)
from actors.core.events import Event
from actors.core.item import Item
from actors.core.placement import SLOTS
from actors.core.session import REV_SHIFT, Session
from actors.lane import Lane
from actors.messages import ClockReading, Device
from actors.residents import Turn
from actors.riding import Riding
from actors.settings import ShardSettings
from actors.shard import Shard, now_ms

GATEWAY, STUDENT = "gateway:socket:0", "mira"
ONE, TWO = AllDurable({1: 7}), AllDurable({2: 9})


def test_what_was_heard_is_done_with() -> None:
    riding = Riding()
    number = riding.leave(GATEWAY, [ONE])
    assert riding.lost(GATEWAY, number) == [] and riding.lost(GATEWAY, 0) == []


def test_what_rode_on_a_lost_answer_comes_back_once() -> None:
    riding = Riding()
    lost, heard = riding.leave(GATEWAY, [ONE]), riding.leave(GATEWAY, [TWO])
    assert lost and heard > lost
    assert riding.lost(GATEWAY, heard) == [ONE]
    assert riding.lost(GATEWAY, heard) == []


def test_a_gateway_that_is_forgotten_has_missed_nothing() -> None:
    riding = Riding()
    riding.leave(GATEWAY, [ONE])
    riding.forget(GATEWAY)
    assert riding.lost(GATEWAY, 0) == []


@pytest_asyncio.fixture
async def shard() -> AsyncIterator[Shard]:
    """One that has nobody, and does not push by itself within this test."""
    found = Shard("shard:0", ShardSettings(postgres_dsn="", window_s=3600.0))
    catalogue: dict[str, Item] = {}
    found._activation = Activation(None, found._residents, catalogue, {}, 60.0, now_ms)  # type: ignore[arg-type]
    yield found
    for lane in found._lanes.values():
        await lane.stop()


async def ask(shard: Shard, heard: int = 0) -> Outcomes:
    return outcomes_decoder.decode(await shard.apply(encoder.encode(Batch(GATEWAY, "1", [], heard))))


async def test_pushes_ride_on_the_next_answer_to_their_gateway(shard: Shard) -> None:
    shard._push(Turn(durable={GATEWAY: {1: 7}}))
    shard._push(Turn(durable={"gateway:socket:1": {2: 9}}))
    first = await ask(shard)
    assert first.outcomes == [ONE] and first.number
    second = await ask(shard, first.number)
    assert second.outcomes == [] and second.number == 0
    assert len(shard._lanes["gateway:socket:1"]) == 1


async def test_r8_durable_is_told_again_when_the_answer_it_rode_on_was_lost(shard: Shard) -> None:
    shard._push(Turn(durable={GATEWAY: {1: 7}}))
    lost = await ask(shard)
    again = await ask(shard)
    assert lost.outcomes == again.outcomes == [ONE] and again.number > lost.number
    assert (await ask(shard, again.number)).outcomes == []


def attach(conn: int, device: str) -> Attach:
    clock = ClockReading(datetime.now(UTC), 1000, "boot")
    return Attach(conn, STUDENT, Device(device), clock, now_ms())


def sought(conn: int, seq: int) -> Apply:
    event = Event(
        seq=seq,
        session="v",
        item="lec",
        version="v1",
        base_rev=0,
        kind="sought",
        mono_ms=1000 + seq,
        boot="boot",
        wall=datetime.now(UTC),
        position_ms=1000 * seq,
    )
    return Apply(conn, STUDENT, [event])


async def hear(shard: Shard, *operations: Operation, heard: int = 0) -> Outcomes:
    blob = encode_batch(GATEWAY, "1", operations, heard)
    return outcomes_decoder.decode(await shard.apply(blob))


def heads(outcomes: Outcomes) -> list[tuple[list[int], int]]:
    said = (outcome for outcome in outcomes.outcomes if isinstance(outcome, Deliver))
    decoded = ((outcome.conns, msgspec.msgpack.decode(outcome.frame)) for outcome in said)
    return [(conns, message["rev"]) for conns, message in decoded if message["type"] == "head"]


@pytest.fixture
def at_home(shard: Shard) -> Shard:
    """It has a student who is in the course, and writes nothing within this test."""
    shard._catalogue["lec"] = Item("lec", "c1", "v1", {"v1": 3_600_000})
    assert shard._activation is not None
    shard._activation._catalogue = shard._catalogue
    shard._activation._known_ms["lec"] = now_ms()
    shard._served.update(range(SLOTS))
    shard._residents.admit(Session(STUDENT, 3 << REV_SHIFT, frozenset({"c1"})), now_ms())
    shard._mark = lambda student, urgent: None  # type: ignore[method-assign]
    return shard


async def test_p10_a_head_is_told_again_when_the_answer_to_its_event_was_lost(at_home: Shard) -> None:
    """The repeated event changes nothing, so nothing would say so to the other connection."""
    first = await hear(at_home, attach(1, "phone"), attach(2, "tablet"))
    lost = await hear(at_home, sought(1, 1), heard=first.number)
    ((conns, rev),) = heads(lost)
    assert sorted(conns) == [1, 2]
    again = await hear(at_home, sought(1, 1), heard=first.number)
    assert (conns, rev) in heads(again)
    assert heads(await hear(at_home, heard=again.number)) == []


async def test_p10_what_is_told_again_comes_before_what_has_changed_since(at_home: Shard) -> None:
    first = await hear(at_home, attach(1, "phone"), attach(2, "tablet"))
    await hear(at_home, sought(1, 1), heard=first.number)
    again = await hear(at_home, sought(1, 1), sought(1, 2), heard=first.number)
    revs = [rev for _, rev in heads(again)]
    assert len(revs) == 2 and revs == sorted(revs)


async def test_what_waits_does_not_overtake_what_is_on_its_way() -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def send(batch: list[int]) -> None:
        begun.set()
        await over.wait()

    lane = Lane(send, window_s=0.0)
    lane.start()
    lane.put(1)
    async with asyncio.timeout(5):
        await begun.wait()
        lane.put(2)
        assert lane.take(10) == []
        over.set()
        await lane.settled()
    lane.put(3)
    assert lane.take(10) == [3] and not len(lane)
    async with asyncio.timeout(5):
        await lane.settled()
    await lane.stop()
    assert (lane.sent_batches, lane.sent_items) == (2, 2)
