"""The directory: creates shards and gateways, owns the slot map, and watches them all.

The data path does not need it: gateways keep the map they have, shards find their slots in Postgres.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
import structlog

from actors.core.placement import place
from actors.named import ActorSpec, create, end, named_actor

log = structlog.get_logger()

WATCH_S = 1.0
STATS_DEADLINE_S = 3.0
START_DEADLINE_S = 60.0


class Directory:
    """Holds the map of 256 slots to shard names; its version grows with every change.

    One that Ray has restarted starts by itself: nobody else would call `start` again.
    """

    def __init__(
        self,
        shards: Sequence[ActorSpec],
        gateways: Sequence[ActorSpec],
        set_up_logs: Callable[[], None] | None = None,
    ) -> None:
        if set_up_logs is not None:
            set_up_logs()
        self._specs = {spec.name: spec for spec in [*shards, *gateways]}
        self._shards = [spec.name for spec in shards]
        self._gateways = [spec.name for spec in gateways]
        self._handles: dict[str, Any] = {}
        self._owners = place(self._shards)
        self._version = 1
        self._stats: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, float] = {}
        self._restarts: dict[str, int] = dict.fromkeys(self._specs, 0)
        self._started = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._revival: asyncio.Task[None] | None = None
        if ray.get_runtime_context().was_current_actor_reconstructed:
            self._revival = asyncio.create_task(self._revive())

    async def start(self) -> None:
        """Create what is missing, give every shard its slots, then start the gateways."""
        async with self._started:
            for name, spec in self._specs.items():
                if name not in self._handles:
                    self._handles[name] = create(spec)
            async with asyncio.timeout(START_DEADLINE_S):
                await asyncio.gather(*(self._assign(shard) for shard in self._shards))
                await asyncio.gather(*(self._handles[name].start.remote() for name in self._gateways))
                sockets = [name for name in self._gateways if name.startswith("gateway:socket:")]
                await asyncio.gather(*(self._handles[name].meet.remote(sockets) for name in self._shards))
            if self._watch is None:
                self._watch = asyncio.create_task(self._watch_for_ever())

    def slot_map(self) -> tuple[int, list[str]]:
        """Version and the owner of each slot, by slot number."""
        return self._version, list(self._owners)

    async def stats(self) -> dict[str, Any]:
        """What is known of every actor: its own figures, the seconds since it last answered, restarts."""
        now = time.monotonic()
        return {
            "map_version": self._version,
            "pid": os.getpid(),
            "actors": {
                name: {
                    **self._stats.get(name, {}),
                    "seen_s": round(now - self._seen[name], 1) if name in self._seen else None,
                    "restarts": self._restarts[name],
                }
                for name in self._specs
            },
        }

    async def drain(self, timeout_s: float) -> bool:
        """End in order: sockets say goodbye, shards write what they have, then all of these actors end.

        True if all is durable; an actor that is not there or does not answer makes it False.
        """
        for task in (self._revival, self._watch):
            if task is not None:
                task.cancel()
        self._revival = self._watch = None
        half_s = timeout_s / 2
        await asyncio.gather(*(self._drain(name, half_s) for name in self._gateways))
        written = await asyncio.gather(*(self._drain(name, half_s, half_s - 1) for name in self._shards))
        await end(*self._specs)
        self._handles.clear()
        return all(result is True for result in written)

    async def _drain(self, name: str, within_s: float, *arguments: float) -> Any:
        """What the actor's own `drain` gives; False if it cannot be asked."""
        try:
            async with asyncio.timeout(within_s):
                handle = self._handles.get(name) or await named_actor(name)
                return await handle.drain.remote(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the others have to end as well
            log.warning("actor_not_drained", actor=name, error=repr(error)[:200])
            return False

    async def _revive(self) -> None:
        """`start` until it has worked: an actor may be on its way back just as we are."""
        while True:
            try:
                await self.start()
            except Exception as error:  # noqa: BLE001 - whatever Ray raises, it is tried again
                log.warning("directory_not_started", error=repr(error)[:200])
            else:
                log.warning("directory_restarted", pid=os.getpid())
                return
            await asyncio.sleep(WATCH_S)

    async def _assign(self, shard: str) -> None:
        slots = [slot for slot, owner in enumerate(self._owners) if owner == shard]
        await self._handles[shard].own.remote(slots, self._version)

    async def _watch_for_ever(self) -> None:
        while True:
            await asyncio.gather(*(self._look_at(name) for name in self._specs))
            await asyncio.sleep(WATCH_S)

    async def _look_at(self, name: str) -> None:
        """Ask one actor for its figures; Ray restarts a dead one, the question wakes it up."""
        try:
            async with asyncio.timeout(STATS_DEADLINE_S):
                stats = await self._handles[name].stats.remote()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the watch goes on
            log.warning("actor_silent", actor=name, error=repr(error)[:200])
            return
        before = self._stats.get(name, {}).get("pid")
        if before not in (None, stats["pid"]):
            self._restarts[name] += 1
            log.warning("actor_restarted", actor=name, pid=stats["pid"])
        self._stats[name] = stats
        self._seen[name] = time.monotonic()
        if stats.get("health") == "starting":
            await self._start_again(name)

    async def _start_again(self, gateway: str) -> None:
        """A restarted gateway waits for its `start`, asked for until it has worked: its port may still be
        taken by the one before. A restarted shard finds its slots by itself, in Postgres."""
        try:
            async with asyncio.timeout(STATS_DEADLINE_S):
                await self._handles[gateway].start.remote()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the next look tries again
            log.warning("gateway_not_started", gateway=gateway, error=repr(error)[:200])
