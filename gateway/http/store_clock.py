"""Whether our clock and the object store's agree: addresses are signed by one, judged by the other (S10)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from prometheus_client import CollectorRegistry, Gauge

from persistence.errors import StoreError
from persistence.objects import Objects

log = structlog.get_logger()

LOOK_EVERY_S = 60.0
FAR_S = 60.0
"""Worth a line in the log. At 15 min an address has ended before it is used, or has not begun."""


class StoreClock:
    """Asks the store for the time now and then, and keeps the difference as a figure."""

    def __init__(self, objects: Objects, registry: CollectorRegistry) -> None:
        self._objects = objects
        self.ahead_s = Gauge(
            "playhead_objects_clock_ahead_seconds",
            "Our clock minus the object store's, as of the last look",
            registry=registry,
        )

    async def look(self) -> None:
        """Ask once; a store that does not answer leaves the figure as it is."""
        try:
            ahead_s = await self._objects.clock_ahead_s()
        except StoreError as error:
            log.warning("store_clock_unknown", error=str(error))
            return
        self.ahead_s.set(ahead_s)
        if abs(ahead_s) > FAR_S:
            log.error("store_clock_far", ahead_s=round(ahead_s))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look each minute, the first time at once."""
        looking = asyncio.create_task(self._look_each_minute())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look_each_minute(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
