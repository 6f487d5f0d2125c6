"""Watches every actor: asks for its figures, counts its restarts, and starts gateways that came back."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog

log = structlog.get_logger()

WATCH_S = 1.0
STATS_DEADLINE_S = 3.0


class Watching:
    """The figures of the actors of `handles`, by name; that mapping changes as actors come and go."""

    def __init__(self, handles: Mapping[str, Any]) -> None:
        self._handles = handles
        self._stats: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, float] = {}
        self._restarts: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, until `stop`."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch_for_ever())

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def forget(self, name: str) -> None:
        """The actor has ended, as it was told to."""
        for known in (self._stats, self._seen, self._restarts):
            known.pop(name, None)

    def of(self, name: str) -> dict[str, Any]:
        """What the actor said last; empty before it has said anything."""
        return self._stats.get(name, {})

    def figures(self) -> dict[str, dict[str, Any]]:
        """All that is known: own figures, the seconds since the last answer, restarts."""
        now = time.monotonic()
        return {
            name: {
                **self._stats.get(name, {}),
                "seen_s": round(now - self._seen[name], 1) if name in self._seen else None,
                "restarts": self._restarts.get(name, 0),
            }
            for name in self._handles
        }

    async def look(self) -> None:
        """Ask everybody now."""
        await asyncio.gather(*(self._look_at(name) for name in list(self._handles)))

    async def _watch_for_ever(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(WATCH_S)

    async def _look_at(self, name: str) -> None:
        """Ask one actor for its figures; Ray restarts a dead one, the question wakes it up."""
        try:
            async with asyncio.timeout(STATS_DEADLINE_S):
                stats = await self._handles[name].stats.remote()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the watch goes on
            log.warning("actor_silent", actor=name, error=repr(error)[:200])
            return
        if name not in self._handles:
            return
        before = self._stats.get(name, {}).get("pid")
        if before not in (None, stats["pid"]):
            self._restarts[name] = self._restarts.get(name, 0) + 1
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
