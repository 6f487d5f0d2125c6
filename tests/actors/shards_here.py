"""A real shard on a real Postgres in this process, instead of in one of Ray's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.core.placement import SLOTS
from actors.settings import ShardSettings
from actors.shard import Shard


@asynccontextmanager
async def running_shard(dsn: str, name: str = "shard:0", **settings: float) -> AsyncIterator[Shard]:
    """A shard that owns every slot, ended without a last write, as by SIGKILL."""
    shard = Shard(name, ShardSettings(postgres_dsn=dsn, **settings))  # type: ignore[arg-type]
    await shard.own(list(range(SLOTS)), 1)
    try:
        yield shard
    finally:
        await end(shard)


async def end(shard: Shard) -> None:
    """Nothing of it goes on."""
    assert shard._upkeep and shard._checkpointer and shard._activation and shard._postgres
    shard._upkeep.cancel()
    await asyncio.gather(shard._upkeep, return_exceptions=True)
    await shard._checkpointer.stop()
    await shard._activation.stop()
    for lane in shard._lanes.values():
        await lane.stop()
    await shard._postgres.close()
