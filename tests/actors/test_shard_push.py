"""What a shard says unasked goes out by one lane a gateway: else pushes overtake each other or are lost."""

from actors.residents import Turn
from actors.settings import ShardSettings
from actors.shard import Shard


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
