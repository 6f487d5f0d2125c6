"""A slot has one owner: it is released and taken by its epoch, and an older epoch writes nothing (F26)."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from persistence import checkpoints, desired, leases
from persistence.checkpoints import Checkpoint, DeviceRow
from persistence.postgres import Postgres

_slots = itertools.count()


@pytest_asyncio.fixture(loop_scope="session")
async def slot(postgres: Postgres) -> AsyncIterator[int]:
    """A slot of the test's own."""
    yield next(_slots)


async def held_by(postgres: Postgres, slot: int) -> tuple[str, int]:
    return (await leases.owners(postgres))[slot]


async def test_f26_a_released_slot_is_nobodys_under_a_new_epoch(postgres: Postgres, slot: int) -> None:
    epochs = await leases.take(postgres, [slot], "a")
    released = await leases.release(postgres, epochs, "a")
    assert released == {slot: epochs[slot] + 1}
    assert await held_by(postgres, slot) == ("", epochs[slot] + 1)
    assert await leases.accept(postgres, released, "b") == {slot: epochs[slot] + 2}
    assert await held_by(postgres, slot) == ("b", epochs[slot] + 2)


async def test_f26_only_the_owner_under_its_epoch_can_release(postgres: Postgres, slot: int) -> None:
    epochs = await leases.take(postgres, [slot], "a")
    assert await leases.release(postgres, epochs, "b") == {}
    assert await leases.release(postgres, {slot: epochs[slot] - 1}, "a") == {}
    assert await held_by(postgres, slot) == ("a", epochs[slot])


async def test_f26_whoever_was_replaced_cannot_release(postgres: Postgres, slot: int) -> None:
    first = await leases.take(postgres, [slot], "a")
    second = await leases.take(postgres, [slot], "a")
    assert await leases.release(postgres, first, "a") == {}
    assert await held_by(postgres, slot) == ("a", second[slot])


async def test_f26_of_many_who_are_offered_a_slot_one_gets_it(postgres: Postgres, slot: int) -> None:
    released = await leases.release(postgres, await leases.take(postgres, [slot], "a"), "a")
    offered = [leases.accept(postgres, released, f"shard:{n}") for n in range(8)]
    taken = [epochs for epochs in await asyncio.gather(*offered) if epochs]
    assert taken == [{slot: released[slot] + 1}]


async def test_f26_whoever_released_writes_nothing_any_more(postgres: Postgres, slot: int) -> None:
    epochs = await leases.take(postgres, [slot], "a")
    watermark = DeviceRow("mira", "phone", 7, {})
    late = Checkpoint(datetime.now(UTC), epochs, {"mira": slot}, [], [watermark])
    assert (await checkpoints.write(postgres, late)).fenced == set()
    await leases.release(postgres, epochs, "a")
    assert (await checkpoints.write(postgres, late)).fenced == {slot}


async def test_desired_counts_are_kept(postgres: Postgres) -> None:
    assert await desired.get(postgres) == {}
    await desired.put(postgres, {desired.SHARDS: 4, desired.GATEWAYS: 2})
    await desired.put(postgres, {desired.SHARDS: 3})
    assert await desired.get(postgres) == {"shards": 3, "gateways": 2}
