"""The way from a web gateway to the one writer of a student: the shard that has the student's slot now."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ray
import structlog
from ray.exceptions import ActorDiedError

from actors.batch import Act, Acted, acted_decoder, encoder
from actors.core.placement import SLOTS, slot_of
from actors.named import named_actor
from actors.settings import DIRECTORY
from persistence.errors import PlayheadError

Call = Callable[[str, bytes], Awaitable[bytes]]
"""`call(shard, act) -> acted`, one `act` of a shard."""

FetchMap = Callable[[], Awaitable[tuple[int, list[str]]]]
"""`fetch_map() -> (version, owners)`: the shard of each of the 256 slots."""

CALL_S = 5.0
PAUSE_S = (0.05, 1.0)
"""Between tries: a shard that was killed is back after about two seconds."""

AGAIN = frozenset({"moved", "late", "busy"})

log = structlog.get_logger()


class NoCluster(PlayheadError):
    """This process is in no Ray cluster, so there are no shards to ask; come back later."""


class Shards:
    """Keeps the slot map, so that the directory may be away, and says things until a shard has heard them."""

    def __init__(self, call: Call, fetch_map: FetchMap) -> None:
        self._call = call
        self._fetch_map = fetch_map
        self._version = -1
        self._owners: list[str] = []

    async def act(self, act: Act) -> Acted:
        """Have an action carried out; its key keeps it from happening twice. The caller sets the deadline."""
        blob, (pause_s, longest_s) = encoder.encode(act), PAUSE_S
        while True:
            acted = await self._try(act.student, blob)
            if acted is not None and acted.code not in AGAIN:
                return acted
            if acted is None or acted.code == "moved":
                await self._refetch()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, longest_s)

    async def _try(self, student: str, blob: bytes) -> Acted | None:
        """What the student's shard says, None if it cannot be asked."""
        if not self._owners:
            return None
        shard = self._owners[slot_of(student)]
        try:
            async with asyncio.timeout(CALL_S):
                return acted_decoder.decode(await self._call(shard, blob))
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, it is tried again
            log.warning("shard_not_asked", shard=shard, error=repr(error)[:200])
            return None

    async def _refetch(self) -> None:
        try:
            async with asyncio.timeout(CALL_S):
                version, owners = await self._fetch_map()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the map we have stands
            log.warning("slot_map_not_fetched", error=repr(error)[:200])
            return
        if version >= self._version and len(owners) == SLOTS:
            self._version, self._owners = version, list(owners)


def of_cluster() -> Shards:
    """The shards of the Ray cluster this process is in, by handles that are kept."""
    handles: dict[str, Any] = {}

    async def call(shard: str, blob: bytes) -> bytes:
        if shard not in handles:
            handles[shard] = await _find(shard)
        try:
            acted: bytes = await handles[shard].act.remote(blob)
        except ActorDiedError:
            # One that restarts keeps its handle; one created anew under the name has to be looked up.
            handles.pop(shard, None)
            raise
        return acted

    async def fetch_map() -> tuple[int, list[str]]:
        directory = await _find(DIRECTORY)
        version, owners = await directory.slot_map.remote()
        return version, owners

    return Shards(call, fetch_map)


async def _find(name: str) -> Any:
    if not ray.is_initialized():
        raise NoCluster(f"{name} cannot be asked: this process is in no Ray cluster")
    return await named_actor(name)
