"""Automatic sizing: looks at the shards, and has the directory change their number or spread them anew.

The rules are in `core.sizing`; here is where the figures come from and what is done with the answer. It runs
inside of the directory and needs nobody on the data path.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from actors import nodes
from actors.core.sizing import Band, Sample, Sizing

log = structlog.get_logger()

SILENT_S = 10.0
"""A shard that has not answered for so long counts as silent."""

FAREWELL_S = 2.0
"""How long Ray may take to hear that nothing is wanted any more."""

SHARD = "shard:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """How shards are sized automatically. `cores_per_actor` is what Ray is asked to hold for each of our
    actors; `look_every_s` how often the figures are looked at."""

    band: Band
    cores_per_actor: float = 1.0
    look_every_s: float = 5.0


class Scale(Protocol):
    """The directory's `scale`: so many shards, and these among them are to go. Raises if it cannot begin,
    for example because another change is under way."""

    def __call__(
        self, shards: int | None, gateways: int | None, leave: Sequence[str] = ()
    ) -> Awaitable[Any]: ...


class Autoscale:
    """Runs until it is cancelled. `stats` are the directory's own figures of all actors (`Directory.stats`),
    `alive` gives the nodes that are up, `request` tells Ray how many cores there should be."""

    def __init__(
        self,
        settings: Autoscaling,
        stats: Callable[[], Awaitable[Mapping[str, Any]]],
        scale: Scale,
        alive: Callable[[], Awaitable[Sequence[str]]] = nodes.alive,
        request: Callable[[float], Awaitable[None]] = nodes.request,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._stats = stats
        self._scale = scale
        self._alive = alive
        self._request = request
        self._now_s = now_s
        self._sizing = Sizing(settings.band)
        self._cpu = CpuShares()
        self._requested = 0.0
        self._seen: int | None = None
        self._count: int | None = None
        """How many shards there are, or will be once the change we have begun is carried out."""
        self._uneven_since_s: float | None = None

    async def run_for_ever(self) -> None:
        """Look, again and again; what goes wrong is logged, and the next look tries again."""
        try:
            while True:
                try:
                    await self.look()
                except Exception as error:  # noqa: BLE001 - Ray or the directory may fail; sizing waits
                    log.warning("not_scaled", error=repr(error)[:200])
                await asyncio.sleep(self._settings.look_every_s)
        finally:
            # Ray holds what it was asked for until it is asked again: nodes would stay without a use.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(FAREWELL_S):
                    await self._request(0.0)

    async def look(self) -> None:
        """One look at the figures, and what follows from it."""
        now_s = self._now_s()
        stats = await self._stats()
        if (change := stats.get("change")) is not None and change["state"] not in ("done", "failed"):
            return
        actors = stats["actors"]
        shards = {
            name: self._sample(name, figures, now_s)
            for name, figures in actors.items()
            if name.startswith(SHARD)
        }
        if not shards:
            return
        if self._seen not in (None, len(shards)) and len(shards) != self._count:
            self._sizing.rest(now_s)
        if self._seen != len(shards):
            self._seen = self._count = len(shards)
        decision = self._sizing.decide(now_s, shards)
        if decision.count != len(shards):
            log.info("scaling", shards=decision.count, before=len(shards), why=decision.why)
            await self._ask_ray(len(actors) - len(shards) + decision.count)
            await self._scale(decision.count, None, decision.drain)
            self._count = decision.count
            return
        await self._ask_ray(len(actors) - len(shards) + (self._count or 0))
        if all(shards.values()):
            await self._spread(now_s, {name: sample.node for name, sample in shards.items() if sample})

    async def _spread(self, now_s: float, where: Mapping[str, str]) -> None:
        """A node that came takes its share of the shards; not at once, for a node that has just come or gone
        is seldom alone."""
        leaving = nodes.surplus(where, await self._alive())
        if not leaving:
            self._uneven_since_s = None
            return
        since_s = self._uneven_since_s = self._uneven_since_s or now_s
        if now_s - since_s < self._settings.band.up_after_s:
            return
        self._uneven_since_s = None
        self._sizing.rest(now_s)
        log.info("spreading", leave=leaving)
        await self._scale(len(where), None, leaving)

    async def _ask_ray(self, actors: int) -> None:
        cores = actors * self._settings.cores_per_actor
        if cores != self._requested:
            await self._request(cores)
            self._requested = cores

    def _sample(self, name: str, figures: Mapping[str, Any], now_s: float) -> Sample | None:
        seen_s = figures.get("seen_s")
        if seen_s is None or seen_s > SILENT_S:
            self._cpu.forget(name)
            return None
        share = self._cpu.share(name, figures["pid"], figures["cpu_s"], now_s - seen_s)
        return None if share is None else Sample(figures["sessions"], share, figures["node"])


class CpuShares:
    """CPU used per second, by actor, from the growing total each one tells."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float, float]] = {}
        self._share: dict[str, float] = {}

    def share(self, name: str, pid: int, cpu_s: float, at_s: float) -> float | None:
        """The share since the figures before these; None for a process that has told only once."""
        before = self._last.get(name)
        if before is None or before[0] != pid:
            self.forget(name)
        elif at_s - before[2] < 0.5:
            return self._share.get(name)
        else:
            self._share[name] = max(0.0, (cpu_s - before[1]) / (at_s - before[2]))
        self._last[name] = (pid, cpu_s, at_s)
        return self._share.get(name)

    def forget(self, name: str) -> None:
        """The process is gone or silent."""
        self._last.pop(name, None)
        self._share.pop(name, None)
