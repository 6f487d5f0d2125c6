"""What a shard says unasked goes out by one lane a gateway: else pushes overtake each other or are lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio

from actors.batch import Deliver, Outcome, Reattach, outcomes_decoder
from actors.messages import ToDevice
from actors.named import ActorSpec, create, end
from actors.residents import Turn
from actors.settings import ShardSettings
from actors.shard import Shard
from gateway.cluster import Cluster

GATEWAY = "gateway:socket:slow"
WAIT_S = 30.0


async def test_an_empty_lane_to_a_gateway_is_kept() -> None:
    shard = Shard("shard:0", ShardSettings(postgres_dsn=""))
    shard._push(Turn({"gateway:socket:0": []}))
    lane = shard._lanes["gateway:socket:0"]
    try:
        assert not len(lane)
        shard._push(Turn({"gateway:socket:0": []}))
        assert shard._lanes["gateway:socket:0"] is lane
    finally:
        await lane.stop()


class Slow:
    """A gateway process that does not answer until it is told to."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.blobs: list[bytes] = []

    async def deliver(self, blob: bytes) -> None:
        await self.ready.wait()
        self.blobs.append(blob)

    async def answer(self) -> None:
        self.ready.set()

    async def heard(self) -> list[bytes]:
        return self.blobs


@pytest_asyncio.fixture(loop_scope="session")
async def slow(ray_cluster: Cluster) -> AsyncIterator[Any]:
    yield create(ActorSpec(GATEWAY, Slow, ()))
    await end(GATEWAY)


def head(item: str, *conns: int) -> Deliver:
    return Deliver(list(conns), b"", f"head:{item}")


async def test_p8_pushes_for_which_there_was_no_room_are_made_known_when_there_is(slow: Any) -> None:
    shard = Shard("shard:0", ShardSettings(postgres_dsn="", lane_outcomes=3))
    shard._push(Turn({GATEWAY: [head("a", 1), head("b", 1), head("c", 1)]}))
    shard._push(Turn({GATEWAY: [head("a", 1, 2), Deliver([4], b"", "durable"), head("b", 1)]}))
    lane = shard._lanes[GATEWAY]
    try:
        assert (len(lane), len(shard._dropped[GATEWAY])) == (3, 4)
        await slow.answer.remote()
        told: list[Outcome] = []
        async with asyncio.timeout(WAIT_S):
            while len(told) < 6:
                blobs = await slow.heard.remote()
                told = [one for blob in blobs for one in outcomes_decoder.decode(blob).outcomes]
                await asyncio.sleep(0.02)
        assert told[:3] == [head("a", 1), head("b", 1), head("c", 1)]
        assert Reattach([4]) in told[3:]
        missed = [
            (one.conns, msgspec.msgpack.decode(one.frame, type=ToDevice).items)
            for one in told[3:]
            if isinstance(one, Deliver)
        ]
        assert sorted(missed) == [([1], ["a", "b"]), ([2], ["a"])]
        async with asyncio.timeout(WAIT_S):
            await lane.settled()
        assert shard._dropped == {}
    finally:
        await lane.stop()
